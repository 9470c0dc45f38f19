"""The servers that are compared: how each is built or installed, and started. Each prints `http://ADDRESS` when it
listens."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RELEASE = ROOT / "target/release"
PEERS = ROOT / "target/peers"
PYTHON = PEERS / "python/bin/python"

OURS = ["lobby-epoll", "lobby-epoll-busy", "lobby-server"]
FLOORS = ["each", "plain", "joined", "vectored"]


@dataclass
class Server:
    name: str
    command: list
    version: str = ""
    environment: dict = field(default_factory=dict)


class Unavailable(Exception):
    """Says why a server cannot be had."""


def prepare(only):
    """Builds and installs: the servers that are there, and for each that is not the reason."""
    makers = {
        "lobby-epoll": lambda: ours("lobby-epoll", "epoll"),
        "lobby-epoll-busy": lambda: ours("lobby-epoll", "epoll", "lobby-epoll-busy", ["--busy-poll", "100us"]),
        "lobby-server": lambda: ours("lobby-server", "server"),
        **{f"floor-{mode}": lambda mode=mode: floor(mode) for mode in FLOORS},
        "axum": axum,
        "node-ws": node,
        "fastapi": fastapi,
        "socketify": socketify,
    }
    unknown = set(only or []) - set(makers)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(makers)}")
    PEERS.mkdir(parents=True, exist_ok=True)
    build("lobby-load")
    present, missing = [], {}
    for name, make in makers.items():
        if only and name not in only:
            continue
        try:
            present.append(make())
        except (Unavailable, OSError) as error:
            missing[name] = str(error)
    return present, missing


def build(package):
    run("cargo", "build", "--release", "--locked", "-p", package, cwd=ROOT)


def run(*command, **options):
    """Runs a command; its output, or Unavailable with the last line of what it complained of."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    except FileNotFoundError as error:
        raise Unavailable(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        complaint = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise Unavailable(f"`{' '.join(str(part) for part in command)}` failed: {complaint}")
    return done.stdout


def ours(package, folder, name=None, settings=()):
    if not (ROOT / "examples" / folder).is_dir():
        raise Unavailable(f"there is no examples/{folder}")
    build(package)
    # What is measured is how fast they are, not how well they are protected; what waits for a client is counted as ever.
    limits = ["--max-connections", "--max-per-lobby", "--message-rate", "--user-message-rate", "--connect-rate"]
    flags = ["--listen", "127.0.0.1:0", *(word for limit in limits for word in (limit, "off")), *settings]
    return Server(name or package, [RELEASE / package, *flags])


def floor(mode):
    return Server(f"floor-{mode}", [RELEASE / "lobby-floor", "--mode", mode])


def axum():
    lock = (ROOT / "Cargo.lock").read_text()

    def locked(name):
        return name + " " + re.search(rf'name = "{name}"\nversion = "(.*)"', lock)[1]

    return Server("axum", [RELEASE / "peer-axum"], f"{locked('axum')}, {locked('tokio')}")


def node():
    folder = PEERS / "node"
    shutil.copytree(HERE / "peers/node", folder, dirs_exist_ok=True)
    version = run("node", "--version").strip()
    run("npm", "ci", "--no-audit", "--no-fund", cwd=folder)
    lock = json.loads((folder / "package-lock.json").read_text())
    ws = lock["packages"]["node_modules/ws"]["version"]
    return Server("node-ws", ["node", folder / "server.mjs"], f"ws {ws}, node {version}")


def install_python(requirements):
    if not PYTHON.exists():
        run(sys.executable, "-m", "venv", PEERS / "python")
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "-r", HERE / "peers/python" / requirements)


def python_versions(*packages):
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    versions = run(PYTHON, "-c", code, *packages).split()
    python = run(PYTHON, "--version").strip()
    return ", ".join([f"{name} {version}" for name, version in zip(packages, versions)] + [python])


def fastapi():
    install_python("fastapi.txt")
    versions = python_versions("fastapi", "uvicorn", "uvloop", "websockets")
    return Server("fastapi", [PYTHON, HERE / "peers/python/fastapi_server.py"], versions)


def socketify():
    install_python("socketify.txt")
    try:
        environment = {}
        run(PYTHON, "-c", "import socketify")
    except Unavailable as error:
        if "libuv.so.1" not in str(error):
            raise
        # The wheel wants the system's libuv. Unpacking it is enough, so nothing of the system is changed.
        environment = {"LD_LIBRARY_PATH": str(libuv())}
        run(PYTHON, "-c", "import socketify", env={**os.environ, **environment})
    command = [PYTHON, HERE / "peers/python/socketify_server.py"]
    return Server("socketify", command, python_versions("socketify"), environment)


def libuv():
    """The folder of Debian's libuv, downloaded and unpacked."""
    folder = PEERS / "libuv"
    if not list(folder.rglob("libuv.so.1")):
        folder.mkdir(exist_ok=True)
        try:
            run("apt-get", "download", "libuv1", cwd=folder)
        except Unavailable:
            # Its name since the 64-bit times of 2024.
            run("apt-get", "download", "libuv1t64", cwd=folder)
        for package in folder.glob("*.deb"):
            run("dpkg", "-x", package, folder)
    found = list(folder.rglob("libuv.so.1"))
    if not found:
        raise Unavailable("the package of libuv has no libuv.so.1")
    return found[0].parent
