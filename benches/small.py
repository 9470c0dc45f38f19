#!/usr/bin/env python3
"""Runs the benchmarks in the small and writes their tables into BENCHMARKS.md.

    python3 benches/small.py                  runs all and renders
    python3 benches/small.py --render         renders what the last run has left
    python3 benches/small.py --only framing   runs and renders what lobby-epoll's framing costs, in a minute

Takes about seven minutes once all is compiled, and wants a machine that does nothing else. Needs valgrind, and the runner of gungraun in the
version of Cargo.lock: it says how to install that one if it is not there.
"""

import shutil
import subprocess
import sys
import tomllib

import document
from small_figures import MEMORY, instructions, memory, nanos, per_element
from small_goals import goals

MEMBERS = [10, 100, 1_000, 10_000, 100_000]
COUNTS = [1_000, 100_000, 1_000_000]
CRITERION = ["fan_out", "connections", "pings", "recorder"]
# lobby-epoll's framing library, and those that it is compared with.
FRAMING = ["tungstenite", "nexus-net", "websocket-codec", "websocket-sans-io", "ws-framer"]


def main():
    match sys.argv[1:]:
        case []:
            run()
            run_framing()
            render()
        case ["--render"]:
            render()
        case ["--only", "framing"]:
            run_framing()
            render_framing()
        case _:
            raise SystemExit(__doc__)


def render():
    document.replace("small-goals", f"{machine()}\n\n{goals()}")
    document.replace("small-fan-out", fan_out())
    document.replace("small-connections", connections())
    document.replace("small-pings", pings())
    document.replace("small-memory", memory_table())
    document.replace("small-instructions", instruction_table())
    document.replace("small-recorder", recorder())
    render_framing()


def render_framing():
    document.replace("small-framing", f"{framing_setting()}\n\n{framing()}")


def run():
    if not shutil.which("gungraun-runner"):
        raise SystemExit(f"cargo install gungraun-runner --version ={version('gungraun')} --locked")
    for name in CRITERION:
        bench(name, "--noplot")
    MEMORY.write_text(bench("memory", capture=True))
    bench("instructions", "--save-summary=json")


def run_framing():
    bench("framing", "--noplot", package="lobby-socket")


def bench(name, *arguments, package="lobbykeeper", capture=False):
    command = ["cargo", "bench", "--package", package, "--locked", "--bench", name, "--", *arguments]
    print("+", *command, flush=True)
    stdout = subprocess.PIPE if capture else None
    return subprocess.run(command, cwd=document.ROOT, check=True, text=True, stdout=stdout).stdout


def machine():
    packages = ["criterion", "gungraun", "socketioxide-core", "tokio"]
    versions = [f"{name} {version(name)}" for name in packages]
    return f"{document.machine()}, {document.output('valgrind', '--version')}, {', '.join(versions)}"


def version(package):
    lock = tomllib.loads((document.ROOT / "Cargo.lock").read_text())
    return next(found["version"] for found in lock["package"] if found["name"] == package)


def framing_setting():
    lock = tomllib.loads((document.ROOT / "Cargo.lock").read_text())
    used = next(found["dependencies"] for found in lock["package"] if found["name"] == "lobby-socket")
    # A dependency is "name", or "name version" where the workspace has several versions of it.
    versions = {name: rest[0] if rest else version(name) for name, *rest in map(str.split, used)}
    return ", ".join([document.machine(), *(f"{name} {versions[name]}" for name in ["criterion", *FRAMING])])


def fan_out():
    rows = [
        "floor",
        "a clone of the payload",
        "by id",
        "by id, but a connection",
        "by id, but a connection's user",
        "by id, but a user",
        "by name",
        "by name, but a user",
        "by id, first after a leave",
        "by id, with accounting",
        "by id, with accounting and a budget",
        "tokio::sync::broadcast",
        "socketioxide-core, but a connection",
        "HashMap and HashSet, but a user",
    ]
    head = ["ns per recipient, members:", *(f"{members:,}" for members in MEMBERS)]
    cells = [[name, *(decimals(per_element("fan-out", name, members)) for members in MEMBERS)] for name in rows]
    return document.table(head, cells)


def connections():
    frames = ["empty binary", "binary of 128 bytes", "text of 40 bytes", "text of 128 bytes", "matching health_pong"]
    rows = [
        "tick, nothing due",
        "message of a stale id",
        *(f"message, {frame}, {access}" for frame in frames for access in ["hot", "random"]),
        "connect + close, the same newcomer",
        "connect + close, ever another newcomer",
        "close, random",
        "connect, random",
    ]
    return by_count("ns per call, connections:", [(name, "connections", name) for name in rows])


def pings():
    rows = [(f"{pings:,} in a tick", "pings", f"{pings} in a tick") for pings in [1, 100, 10_000]]
    return by_count("ns per ping, connections:", rows)


def by_count(head, rows):
    cells = []
    for title, group, name in rows:
        figures = [nanos(group, name, count) for count in COUNTS]
        cells.append([title, *("-" if figure is None else decimals(figure) for figure in figures)])
    return document.table([head, *(f"{count:,}" for count in COUNTS)], cells)


def memory_table():
    cells = []
    for figures in memory():
        count, total, names = figures["connections"], figures["bytes"], figures["names"]
        shares = [(total - names) / count, names / count, total / count]
        cells.append([f"{count:,}", *(f"{share:.0f}" for share in shares)])
    return document.table(["connections", "bytes each, beside its names", "its names", "together"], cells)


def instruction_table():
    calls = [
        ("broadcast by id to 10", "broadcast_by_id.to_10"),
        ("broadcast by id to 100", "broadcast_by_id.to_100"),
        ("broadcast by id to 1,000", "broadcast_by_id.to_1000"),
        ("broadcast by id to 100, first after a leave", "broadcast_by_id.to_100_after_a_leave"),
        ("broadcast by id to 100, but a connection's user", "broadcast_but_a_user.to_100"),
        ("broadcast by name to 100", "broadcast_by_name.to_100"),
        ("broadcast by id to 10, with accounting", "broadcast_with_accounting.to_10"),
        ("broadcast by id to 100, with accounting", "broadcast_with_accounting.to_100"),
        ("broadcast by id to 1,000, with accounting", "broadcast_with_accounting.to_1000"),
        ("broadcast by id to 100, with accounting and a budget", "broadcast_with_accounting.to_100_with_a_budget"),
        ("flushed", "flushed.to_1"),
        ("broadcast by id to 10, and reading it", "broadcast_and_read.to_10"),
        ("broadcast by id to 100, and reading it", "broadcast_and_read.to_100"),
        ("broadcast by id to 1,000, and reading it", "broadcast_and_read.to_1000"),
        ("message, empty binary", "message.binary_empty"),
        ("message, binary of 128 bytes", "message.binary_128"),
        ("message, text of 40 bytes", "message.text_40"),
        ("message, text of 128 bytes", "message.text_128"),
        ("message, matching health_pong", "health_pong.matching"),
        ("tick, nothing due", "tick.nothing_due"),
        ("tick that pings 1", "tick.pings_1"),
        ("tick that pings 100", "tick.pings_100"),
        ("connect + close of a newcomer", "newcomer.connect_and_close"),
    ]
    return document.table(["call", "instructions"], [[title, f"{instructions(call):,}"] for title, call in calls])


def recorder():
    calls = ["tick", "message", *(f"broadcast to {members}" for members in MEMBERS[:3])]
    cells = []
    for call in calls:
        plain, recorded = nanos("a call", "plain", call), nanos("a call", "recorded", call)
        cells.append([call, decimals(plain), decimals(recorded), decimals(recorded - plain)])
    return document.table(["ns per call", "plain", "recorded", "more"], cells)


def framing():
    cells = []
    for name in ["floor", *FRAMING]:
        cases = [(f"{name}, {what}", size) for what in ["decode", "encode"] for size in [128, 1_024]]
        cells.append([name, *(decimals(per_element("framing", *case)) for case in cases)])
    return document.table(["ns per message", "decode 128", "decode 1,024", "encode 128", "encode 1,024"], cells)


def decimals(number):
    """Three digits that mean something."""
    if number < 10:
        return f"{number:.2f}"
    return f"{number:.1f}" if number < 100 else f"{number:,.0f}"


if __name__ == "__main__":
    main()
