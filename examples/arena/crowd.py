#!/usr/bin/env python3
"""What a tick of lobby-arena costs with real sockets: starts it, lets so many clients play, and prints its CPU time.

    cargo build --release -p lobby-arena && examples/arena/crowd.py [PLAYERS] [SECONDS]
"""

import base64
import os
import random
import re
import selectors
import socket
import subprocess
import sys
import time

PLAYERS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
PER_ROOM = 8
TICKS_PER_SECOND = 30
STEERING_PER_SECOND = 5
BINARY = os.path.join(os.path.dirname(__file__), "../../target/release/lobby-arena")


def frame(opcode, payload):
    """A client's frame, masked with zeros."""
    return bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


def connect(port, player):
    sock = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET /play?room=room-{player // PER_ROOM}&name=player-{player} HTTP/1.1\r\nhost: arena\r\n"
        f"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n".encode()
    )
    sock.setblocking(False)
    return sock


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    user, system = (int(fields[at]) / os.sysconf("SC_CLK_TCK") for at in (11, 12))
    return user, system


def play(socks, selector, seconds):
    """Everybody reads what comes, answers pings and steers now and then."""
    end = time.monotonic() + seconds
    steered = time.monotonic()
    received = 0
    while (now := time.monotonic()) < end:
        for key, _ in selector.select(0.005):
            data = key.fileobj.recv(65536)
            assert data, "the server has closed a connection"
            received += len(data)
            if (ping := re.search(rb'\{"type":"health_ping","timestamp":\d+\}', data)) is not None:
                key.fileobj.send(frame(1, ping[0].replace(b"ping", b"pong")))
        for sock in random.choices(socks, k=int((now - steered) * STEERING_PER_SECOND * len(socks))):
            sock.send(frame(2, os.urandom(2)))
            steered = now
    return received


def main():
    flags = ["--listen", "127.0.0.1:0", "--max-players", str(PLAYERS), "--max-per-room", str(PER_ROOM)]
    env = dict(os.environ, RUST_LOG="error")
    with subprocess.Popen([BINARY, *flags], stdout=subprocess.PIPE, text=True, env=env) as server:
        try:
            port = int(server.stdout.readline().rsplit(":", 1)[1])
            selector, socks = selectors.DefaultSelector(), []
            for player in range(PLAYERS):
                # Not faster than the server admits them.
                socks.append(connect(port, player))
                selector.register(socks[-1], selectors.EVENT_READ)
                play(socks, selector, 0.012)
            play(socks, selector, 2)
            before = cpu_seconds(server)
            received = play(socks, selector, SECONDS)
            after = cpu_seconds(server)
        finally:
            server.terminate()
            for sock in socks:
                sock.close()
    user, system = ((late - early) * 1e6 / SECONDS / TICKS_PER_SECOND for early, late in zip(before, after))
    print(f"{PLAYERS} players, {SECONDS} s: {received / SECONDS / PLAYERS:,.0f} bytes a second to each")
    print(f"CPU time of the server in each tick: {user:,.0f} us in the program, {system:,.0f} us in the system")


main()
