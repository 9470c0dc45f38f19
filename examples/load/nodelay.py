"""Asks the system whether a server's sockets have TCP_NODELAY, whatever its documentation says."""

import ctypes
import os
import socket
from pathlib import Path
from urllib.parse import urlparse

# The number is the same on all machines.
PIDFD_GETFD = 438


def check(pid, url):
    """Connects a WebSocket and looks at the server's end of it: whether its sockets have TCP_NODELAY. Raises OSError if
    that cannot be seen."""
    host = urlparse(url)
    with socket.create_connection((host.hostname, host.port)) as client:
        client.sendall(
            b"GET /ws/probe?token=probe HTTP/1.1\r\nHost: probe\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        client.settimeout(10)
        answer = client.recv(4096)
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise OSError(f"no upgrade: {answer!r}")
        ends = [end for end in descriptors(pid) if is_connected_to(end, client.getsockname())]
        if len(ends) != 1:
            raise OSError(f"{len(ends)} sockets of the server are connected to the client")
        return bool(ends[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


def descriptors(pid):
    """Copies of a process's sockets."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            if not os.readlink(entry).startswith("socket:"):
                continue
            copy = libc.syscall(PIDFD_GETFD, process, int(entry.name), 0)
            if copy < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            yield socket.socket(fileno=copy)
    finally:
        os.close(process)


def is_connected_to(end, address):
    try:
        return end.family == socket.AF_INET and end.getpeername() == address
    except OSError:
        return False
