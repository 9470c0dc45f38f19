"""Puts what a comparison measured into BENCHMARKS.md and draws the plot."""

import document
import plot
from figures import COALESCING, EACH, Figures, p99, throughput

PLOT = document.ROOT / "benches/end_to_end.svg"
MEMORY_TARGET = 8 * 1024


def write(data):
    """Replaces the sections and the plot."""
    for section, markdown in sections(data).items():
        document.replace(section, markdown)
    PLOT.write_text(plot.draw(Figures(data)))


def sections(data):
    figures = Figures(data)
    return {
        "end_to_end_setting": setting(figures),
        "end_to_end_throughput": throughput_tables(figures),
        "end_to_end_targets": targets(figures),
        "end_to_end_scattered": scattered(figures),
        "end_to_end_cpu": cpu(figures),
        "end_to_end_saturated_latency": saturated_latency(figures),
        "end_to_end_paced": paced(figures),
        "end_to_end_idle": idle(figures),
    }


def setting(figures):
    data = figures.data
    options = data["options"]
    lines = [
        f"{data['machine']}. {options['rounds']} rounds of {options['seconds']:g} s after {options['warm_up']:g} s.",
        "",
        *(f"- {name}: {version}" for name, version in data["versions"].items() if version),
    ]
    lines += [f"- **{name} is missing**: {reason}" for name, reason in data["missing"].items()]
    for name, answer in data["nodelay"].items():
        if answer is not True:
            lines.append(f"- **{name}: TCP_NODELAY is not confirmed**: {'it is off' if answer is False else answer}")
    if data["nodelay"] and all(answer is True for answer in data["nodelay"].values()):
        lines.append("- TCP_NODELAY is set on the sockets of every server, as the system says (`getsockopt`).")
    for (server, shape), errors in figures.errors.items():
        lines.append(f"- **{server} failed** {len(errors)} times at {title(shape)}: {errors[0]}")
    return "\n".join(lines)


def crowd(shape):
    _, clients, size, *_ = shape
    return f"{size}" if clients == size else f"{clients // size} x {size}"


def title(shape):
    kind, _, _, payload, outstanding, rate = shape
    load = {"idle": "idle", "paced": f"{rate}/s"}.get(kind, f"{outstanding} outstanding")
    return f"{crowd(shape)}, {load}" + (f", {payload} bytes" if payload else "")


def by_payload(figures, cell, servers=None):
    """For each payload a table of servers and shapes."""
    shapes = figures.shapes("saturated")
    parts = []
    for payload in dict.fromkeys(shape[3] for shape in shapes):
        columns = [shape for shape in shapes if shape[3] == payload]
        head = ["server", *(f"{crowd(shape)}, {shape[4]}" for shape in columns)]
        rows = [[name, *(cell(name, shape) for shape in columns)] for name in servers or figures.servers()]
        parts.append(f"{payload:,} bytes:\n\n{document.table(head, rows)}")
    return "\n\n".join(parts)


def throughput_tables(figures):
    def cell(server, shape):
        value = figures.median(server, shape, throughput)
        if value is None:
            return "-"
        return f"{value / 1000:,.0f} ±{figures.spread(server, shape, throughput):.0%}"

    return by_payload(figures, cell)


def scattered(figures):
    shapes = figures.shapes("scattered")
    rows = []
    for server in figures.servers():
        row = [server]
        for shape in shapes:
            value = figures.median(server, shape, throughput)
            ratio = figures.ratio(server, EACH, shape, throughput)
            row += ["-", "-"] if value is None else [f"{value / 1000:,.0f}", "-" if ratio is None else f"{ratio:.1f}"]
        rows.append(row)
    columns = [column for shape in shapes for column in (title(shape), "to one write each")]
    return document.table(["server", *columns], rows)


def cpu(figures):
    def cost(server, shape):
        value = figures.median(server, shape, lambda report: report["traffic"]["server_cpu_per_million"])
        return "-" if value is None else f"{value:.2f}"

    def shares(server, shape):
        server_share = figures.median(server, shape, lambda report: report["traffic"]["server_cpu_share"])
        client_share = figures.median(server, shape, lambda report: report["traffic"]["client_cpu_share"])
        return "-" if server_share is None else f"{server_share * 100:.0f} / {client_share * 100:.0f}"

    return (
        f"CPU seconds of the server per million deliveries.\n\n{by_payload(figures, cost)}\n\n"
        f"How busy the core of the server was and that of the client, in percent.\n\n{by_payload(figures, shares)}"
    )


def microseconds(value):
    return "-" if value is None else f"{value:,.0f}"


def saturated_latency(figures):
    return by_payload(figures, lambda server, shape: microseconds(figures.median(server, shape, p99)))


def paced(figures):
    parts = []
    for shape in figures.shapes("paced"):
        rate, recipients = shape[5], shape[2] - 1
        rows = []
        for server in figures.servers():
            quantiles = [
                figures.median(server, shape, lambda report, name=name: report["traffic"]["latency"][name])
                for name in ["p50", "p99", "p999", "max"]
            ]
            rows.append([server, *map(microseconds, quantiles)])
        table = document.table(["server", "p50", "p99", "p99.9", "max"], rows)
        parts.append(f"{rate:,} broadcasts per second, {rate * recipients:,} deliveries:\n\n{table}")
    return "\n\n".join(parts)


def idle(figures):
    rows = []
    for shape in figures.shapes("idle"):
        for server in figures.servers():
            bytes_each = figures.median(server, shape, lambda report: report["memory"]["per_connection"])
            connects = figures.median(server, shape, lambda report: report["connects_per_second"])
            if bytes_each is None:
                rows.append([server, "-", "-", "-"])
                continue
            verdict = met(bytes_each <= MEMORY_TARGET) if server.startswith("lobby-") else ""
            rows.append([server, f"{bytes_each / 1024:,.1f}", verdict, f"{connects:,.0f}"])
    return document.table(["server", "KiB per connection", "at most 8 KiB", "connects per second"], rows)


def met(truth):
    return "yes" if truth else "**no**"


def target(value, holds, form="{:.2f}"):
    """A ratio and whether it is as it should be."""
    return "-" if value is None else f"{form.format(value)} {met(holds(value))}"


def against(figures, server, other, shape, figure):
    return None if other is None else figures.ratio(server, other, shape, figure)


def targets(figures):
    """Every target of a shape, as ratios in one round, with a verdict."""
    rows = []
    for shape in figures.shapes("saturated") + figures.shapes("paced"):
        kind, _, size, _, outstanding, _ = shape
        floor = figures.best(COALESCING, shape, throughput)
        peer = figures.best(figures.peers(), shape, throughput)
        quick = figures.best(figures.peers(), shape, p99, min)
        rows.append(
            [
                title(shape),
                target(against(figures, "lobby-epoll", floor, shape, throughput), lambda ratio: ratio >= 0.9)
                if kind == "saturated"
                else "",
                target(against(figures, "lobby-epoll", EACH, shape, throughput), lambda ratio: ratio >= 10, "{:.1f}")
                if outstanding == 16 and size >= 100
                else "",
                named(peer, target(against(figures, "lobby-epoll", peer, shape, throughput), lambda ratio: ratio > 1))
                if kind == "saturated"
                else "",
                named(quick, target(against(figures, "lobby-epoll", quick, shape, p99), lambda ratio: ratio < 1)),
                target(against(figures, "lobby-server", "axum", shape, throughput), lambda ratio: ratio > 1)
                if kind == "saturated"
                else "",
            ]
        )
    head = [
        "shape",
        "better coalescing floor, >= 0.9",
        "one write each, >= 10",
        "best peer, > 1",
        "p99 to best peer's, < 1",
        "lobby-server to axum, > 1",
    ]
    return document.table(head, rows)


def named(other, verdict):
    return "-" if other is None or verdict == "-" else f"{verdict} ({other})"
