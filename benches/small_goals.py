"""The goals that the design sets for what is measured in the small, each beside its figure."""

from document import table
from small_figures import memory, nanos, per_element

MILLION = 1_000_000


def goals():
    rows = [row(what, figure, goal, unit) for what, figure, goal, unit in figures()]
    return table(["what", "measured", "goal, at most", "unit", ""], rows)


def figures():
    for members, goal in [(10, 2.8), (100, 0.5), (1_000, 0.4), (10_000, 0.45)]:
        yield f"broadcast by id to {members:,}", per_element("fan-out", "by id", members), goal, "ns per recipient"
    by_id, by_name = (nanos("fan-out", name, 10) for name in ["by id", "by name"])
    yield "broadcast by name to 10, more than by id", by_name - by_id, 10, "ns"
    for members in [100, 1_000, 10_000, 100_000]:
        figure = per_element("fan-out", "by id, first after a leave", members)
        yield f"first broadcast after a leave, to {members:,}", figure, 3, "ns per recipient"
    with_accounting, without = (per_element("fan-out", name, 10) for name in ["by id, with accounting", "by id"])
    yield "broadcast by id to 10, with accounting, more than without", with_accounting - without, 3, "ns per recipient"
    for members in [100, 1_000, 10_000, 100_000]:
        figure = per_element("fan-out", "by id, with accounting", members)
        yield f"broadcast by id to {members:,}, with accounting", figure, 3, "ns per recipient"
    yield "connect + close of a newcomer", among_a_million("connect + close, the same newcomer"), 150, "ns"
    yield "the liveness touch, with the rest of an empty message", among_a_million("message, empty binary, hot"), 10, "ns"
    for frame in ["binary of 128 bytes", "text of 40 bytes", "text of 128 bytes", "matching health_pong"]:
        yield f"message, {frame}", among_a_million(f"message, {frame}, hot"), 30, "ns"
    yield "tick, nothing due", among_a_million("tick, nothing due"), 8, "ns"
    million = next(figures for figures in memory() if figures["connections"] == MILLION)
    yield "a connection beside its names", (million["bytes"] - million["names"]) / MILLION, 220, "bytes"


def among_a_million(name):
    return nanos("connections", name, MILLION)


def row(what, figure, goal, unit):
    verdict = "met" if figure <= goal else f"missed by {figure / goal - 1:.0%}"
    digits = 2 if goal < 1 else 1 if goal < 100 else 0
    return [what, f"{figure:.{digits}f}", goal, unit, verdict]
