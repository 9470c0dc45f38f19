"""Reads what the benchmarks in the small have left under target/."""

import functools
import json
import os
from pathlib import Path

from document import ROOT

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
MEMORY = TARGET / "memory.jsonl"


@functools.cache
def criterion():
    """Criterion's figures: the median in nanoseconds and the elements of an iteration, by group, function and value."""
    found = {}
    for path in TARGET.glob("criterion/*/*/*/new/benchmark.json"):
        benchmark = json.loads(path.read_text())
        median = json.loads((path.parent / "estimates.json").read_text())["median"]["point_estimate"]
        elements = (benchmark["throughput"] or {}).get("Elements")
        found[benchmark["group_id"], benchmark["function_id"], benchmark["value_str"]] = median, elements
    return found


def nanos(group, function, value):
    """What an iteration takes; `None` if there is no such case."""
    median, _ = criterion().get((group, function, str(value)), (None, None))
    return median


def per_element(group, function, value):
    median, elements = criterion()[group, function, str(value)]
    return median / elements


def memory():
    return [json.loads(line) for line in MEMORY.read_text().splitlines()]


def instructions(call):
    """How many instructions a call of benches/instructions.rs took."""
    path = TARGET / "gungraun/lobbykeeper/instructions/hot_calls" / call / "summary.json"
    [profile] = json.loads(path.read_text())["profiles"]
    return profile["data"]["total"]["metrics"]["Ir"]["values"]["new"]
