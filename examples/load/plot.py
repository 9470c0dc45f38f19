"""Draws the throughput of all servers as an SVG: a panel for each crowd, a bar for each server."""

from figures import throughput
from servers import OURS

PAYLOAD, OUTSTANDING = 128, 16
BAR, GAP, LABEL, BARS, VALUE, HEAD = 16, 5, 120, 250, 70, 34
COLOURS = {"ours": "#c2410c", "floor": "#9ca3af", "peer": "#3b82f6"}


def kind(server):
    if server in OURS:
        return "ours"
    return "floor" if server.startswith("floor-") else "peer"


def draw(figures):
    shapes = [shape for shape in figures.shapes("saturated") if shape[3] == PAYLOAD and shape[4] == OUTSTANDING]
    servers = [name for name in figures.servers() if name not in figures.data["missing"]]
    width, height = LABEL + BARS + VALUE, HEAD + len(servers) * (BAR + GAP) + 16
    columns = 2
    rows = -(-len(shapes) // columns)
    panels = [
        f'<g transform="translate({index % columns * width + 10},{index // columns * height + 40})">'
        f"{panel(figures, servers, shape)}</g>"
        for index, shape in enumerate(shapes)
    ]
    total = (columns * width + 20, rows * height + 50)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total[0]} {total[1]}" width="{total[0]}" '
        f'height="{total[1]}" font-family="sans-serif" font-size="12">\n'
        f"<title>Deliveries per second of lobby servers</title>\n"
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
        f'<text x="10" y="24" font-size="15" font-weight="bold">Thousand deliveries per second over loopback: '
        f"{PAYLOAD}-byte texts, {OUTSTANDING} broadcasts outstanding</text>\n" + "\n".join(panels) + "\n</svg>\n"
    )


def panel(figures, servers, shape):
    _, clients, size, *_ = shape
    name = f"one lobby of {size}" if clients == size else f"{clients // size} lobbies of {size}"
    values = {server: figures.median(server, shape, throughput) or 0 for server in servers}
    most = max(values.values(), default=0) or 1
    lines = [f'<text x="{LABEL}" y="20" font-weight="bold">{name}</text>']
    for place, (server, value) in enumerate(values.items()):
        top = HEAD + place * (BAR + GAP)
        length = value / most * BARS
        lines.append(
            f'<text x="{LABEL - 6}" y="{top + 12}" text-anchor="end">{server}</text>'
            f'<rect x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{COLOURS[kind(server)]}"/>'
            f'<text x="{LABEL + length + 4:.1f}" y="{top + 12}">{value / 1000:,.0f}</text>'
        )
    return "\n".join(lines)
