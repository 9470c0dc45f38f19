#!/usr/bin/env python3
"""Compares lobby servers end to end: builds and installs all of them, runs them interleaved with server and client
pinned to different cores, and puts tables and a plot into BENCHMARKS.md.

    examples/load/compare.py                 everything; some 24 minutes on two cores
    examples/load/compare.py --quick         one short round, printed, the document stays as it is
    examples/load/compare.py --only NAME,..  these servers only, printed
    examples/load/compare.py --render        the document anew from the last full run

The figures are in target/benchmarks/end_to_end.json.
"""

import argparse
import json
import os
import resource
import select
import subprocess
import sys
import time
from pathlib import Path

import nodelay
import servers

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches"))
import document  # noqa: E402
import end_to_end  # noqa: E402

RESULTS = ROOT / "target/benchmarks"
LOAD = ROOT / "target/release/lobby-load"
SERVER_CORE, CLIENT_CORE = 0, 1
CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")
START_SECONDS = 20
# What a run takes beside sending: starting the server, connecting, waiting until it is quiet.
OVERHEAD_SECONDS = 0.45

# Clients and the size of their lobbies.
CROWDS = [(10, 10), (100, 100), (500, 500), (1000, 10)]
OUTSTANDING = [1, 16]
PAYLOADS = [128, 1024]
# Crowds in which each of 16 broadcasts is also sent by another member, so that they come less together.
SCATTERED = [(100, 100), (500, 500)]
# Broadcasts per second to a lobby of 100: 50,000 and 200,000 deliveries.
RATES = [500, 2000]
IDLE = {"kind": "idle", "clients": 5000, "lobby_size": 10}


def shapes():
    for payload in PAYLOADS:
        for clients, lobby_size in CROWDS:
            for outstanding in OUTSTANDING:
                yield {
                    "kind": "saturated",
                    "clients": clients,
                    "lobby_size": lobby_size,
                    "payload": payload,
                    "outstanding": outstanding,
                }
    for clients, lobby_size in SCATTERED:
        yield {
            "kind": "scattered",
            "clients": clients,
            "lobby_size": lobby_size,
            "payload": 128,
            "outstanding": 16,
        }
    for rate in RATES:
        yield {"kind": "paced", "clients": 100, "lobby_size": 100, "payload": 128, "rate": rate}
    yield IDLE


def pinned(core):
    """Runs in a new process before its program does."""

    def prepare():
        os.sched_setaffinity(0, {core})
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    return prepare


class Running:
    """A server that runs on its core; ends with the block."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        log = open(RESULTS / f"{self.server.name}.log", "w")
        environment = {**os.environ, "RUST_LOG": "warn", **self.server.environment}
        self.process = subprocess.Popen(
            self.server.command, stdout=subprocess.PIPE, stderr=log, env=environment, preexec_fn=pinned(SERVER_CORE)
        )
        log.close()
        readable, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        self.url = self.process.stdout.readline().decode().strip() if readable else ""
        if not self.url.startswith("http://"):
            self.__exit__()
            raise RuntimeError(f"{self.server.name} did not start: see target/benchmarks/{self.server.name}.log")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def measure(server, shape, options):
    """One run: the load client's report, or the error that it ended with."""
    try:
        with Running(server) as running:
            command = [LOAD, "--json", "--url", running.url, "--pid", running.process.pid]
            for name in ["clients", "lobby_size", "payload", "outstanding", "rate"]:
                if name in shape:
                    command += ["--" + name.replace("_", "-"), shape[name]]
            if shape["kind"] == "scattered":
                command.append("--scattered")
            if shape["kind"] == "idle":
                command.append("--idle")
            else:
                command += ["--seconds", options.seconds, "--warm-up", options.warm_up]
            client = subprocess.run(
                [str(part) for part in command], capture_output=True, text=True, timeout=180,
                preexec_fn=pinned(CLIENT_CORE),
            )
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        return {"error": str(error)}
    if client.returncode != 0:
        return {"error": client.stderr.strip().removeprefix("error: ")}
    return {"report": json.loads(client.stdout)}


def told(shape, server, outcome):
    """A line on the terminal."""
    load = f"{shape.get('outstanding', shape.get('rate', ''))}"
    where = f"{shape['kind']:9} {shape['clients']:5} in {shape['lobby_size']:3} {load:>4} {shape.get('payload', ''):>4}"
    if "error" in outcome:
        return f"{where} {server.name:15} {outcome['error']}"
    report = outcome["report"]
    if report["memory"]:
        return f"{where} {server.name:15} {report['memory']['per_connection']:9,.0f} B/connection"
    traffic = report["traffic"]
    speed, p99 = traffic["deliveries_per_second"], traffic["latency"]["p99"]
    return (
        f"{where} {server.name:15} {speed:11,.0f}/s  p99 {p99:9,.0f} us"
        f"  CPU server {traffic['server_cpu_share']:4.0%} client {traffic['client_cpu_share']:4.0%}"
    )


def run(options):
    RESULTS.mkdir(parents=True, exist_ok=True)
    present, missing = servers.prepare(options.only)
    print("\n".join(f"missing: {name}: {reason}" for name, reason in missing.items()))
    data = {
        "machine": f"{document.machine()}, TCP congestion control {CONGESTION.read_text().strip()}",
        "options": {"rounds": options.rounds, "seconds": options.seconds, "warm_up": options.warm_up},
        "versions": {server.name: server.version for server in present},
        "missing": missing,
        "nodelay": {},
        "runs": [],
    }
    for server in present:
        try:
            with Running(server) as running:
                data["nodelay"][server.name] = nodelay.check(running.process.pid, running.url)
        except (OSError, RuntimeError) as error:
            data["nodelay"][server.name] = str(error)
    print(f"TCP_NODELAY: {data['nodelay']}")
    busy = sum(1 for shape in shapes() if shape["kind"] != "idle") * options.rounds * len(present)
    minutes = (busy * (options.seconds + options.warm_up + OVERHEAD_SECONDS) + len(present) * 5) / 60
    print(f"{busy} runs: about {minutes:.0f} minutes", flush=True)
    begin = time.monotonic()
    for number in range(options.rounds):
        # Each round begins with another server, so that none always follows the same one.
        order = present[number % len(present):] + present[: number % len(present)]
        for shape in shapes():
            if shape["kind"] == "idle" and number > 0:
                continue
            for server in order:
                outcome = measure(server, shape, options)
                data["runs"].append({"server": server.name, "round": number, **shape, **outcome})
                print(told(shape, server, outcome), flush=True)
    print(f"{(time.monotonic() - begin) / 60:.1f} minutes")
    return data


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="measured in each run")
    parser.add_argument("--warm-up", type=float, default=0.3, help="seconds before")
    parser.add_argument("--quick", action="store_true", help="one round of 0.4 seconds, printed only")
    parser.add_argument("--only", type=lambda names: names.split(","), help="names of servers, printed only")
    parser.add_argument("--render", action="store_true", help="write the document from the last full run")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.warm_up = 1, 0.4, 0.1
    results = RESULTS / "end_to_end.json"
    if options.render:
        end_to_end.write(json.loads(results.read_text()))
        return
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("server and client need a core each")
    data = run(options)
    if options.quick or options.only:
        (RESULTS / "end_to_end_part.json").write_text(json.dumps(data, indent=1))
        for section, markdown in end_to_end.sections(data).items():
            print(f"\n{section}\n\n{markdown}")
    else:
        results.write_text(json.dumps(data, indent=1))
        end_to_end.write(data)


if __name__ == "__main__":
    main()
