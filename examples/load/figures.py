"""Reads what a comparison measured: medians over rounds, spreads, ratios within a round, and which is best."""

from statistics import median

from servers import OURS

COALESCING = ["floor-plain", "floor-joined", "floor-vectored"]
EACH = "floor-each"


def shape_of(run):
    """What tells the shapes of runs apart."""
    return tuple(run.get(key) for key in ["kind", "clients", "lobby_size", "payload", "outstanding", "rate"])


def throughput(report):
    return report["traffic"]["deliveries_per_second"]


def p99(report):
    return report["traffic"]["latency"]["p99"]


class Figures:
    def __init__(self, data):
        self.data = data
        self.reports = {}
        self.errors = {}
        for run in data["runs"]:
            key = (run["server"], shape_of(run))
            if "report" in run:
                self.reports.setdefault(key, {})[run["round"]] = run["report"]
            else:
                self.errors.setdefault(key, []).append(run["error"])

    def servers(self):
        """In the order in which they were first measured, those that are missing last."""
        present = dict.fromkeys(run["server"] for run in self.data["runs"])
        return [*present, *self.data["missing"]]

    def shapes(self, kind):
        return list(dict.fromkeys(shape_of(run) for run in self.data["runs"] if run["kind"] == kind))

    def peers(self):
        return [name for name in self.servers() if name not in OURS and not name.startswith("floor-")]

    def values(self, server, shape, figure):
        """A figure of each round that succeeded."""
        return {number: figure(report) for number, report in self.reports.get((server, shape), {}).items()}

    def median(self, server, shape, figure):
        """The median over the rounds, or None."""
        values = self.values(server, shape, figure).values()
        return median(values) if values else None

    def spread(self, server, shape, figure):
        """Half of what lies between the best and the worst round, as a part of the median."""
        values = self.values(server, shape, figure).values()
        return (max(values) - min(values)) / 2 / median(values) if values else None

    def ratio(self, server, other, shape, figure):
        """The median over the rounds of the ratio within a round: what slows the machine down slows both."""
        ours, theirs = self.values(server, shape, figure), self.values(other, shape, figure)
        ratios = [ours[number] / theirs[number] for number in ours if theirs.get(number)]
        return median(ratios) if ratios else None

    def best(self, servers, shape, figure, pick=max):
        """The server with the best median, or None."""
        medians = {name: self.median(name, shape, figure) for name in servers}
        medians = {name: value for name, value in medians.items() if value is not None}
        return pick(medians, key=medians.get) if medians else None
