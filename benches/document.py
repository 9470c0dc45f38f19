"""Puts tables into BENCHMARKS.md. What lies between `<!-- begin NAME -->` and `<!-- end NAME -->` there is written by the
scripts, everything else by people."""

import os
import platform
import re
import subprocess
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "BENCHMARKS.md"


def replace(section, markdown):
    """Replaces a section's content. Its two marks must be there."""
    text = DOCUMENT.read_text()
    begin, end = f"<!-- begin {section} -->", f"<!-- end {section} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    text, found = pattern.subn(lambda _: f"{begin}\n\n{markdown.strip()}\n\n{end}", text)
    if found != 1:
        raise SystemExit(f"{DOCUMENT} has {found} sections {section}")
    DOCUMENT.write_text(text)


def machine():
    """A line on what the figures were measured on."""
    return f"{date.today()}, {processor()}, {os.cpu_count()} cores, Linux {platform.release()}, {output('rustc', '--version')}"


def table(head, rows):
    """A table whose columns after the first are aligned to the right."""
    rules = ["---"] + ["--:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in [head, rules, *rows])


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
