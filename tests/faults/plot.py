"""The plot of ``docs/``: a panel for each who, its recoveries against their bounds, both on a logarithmic scale."""

import html
import math
from collections.abc import Iterator

from tests.faults.record import Record, was_played

PANEL_W, PANEL_H, COLUMNS = 225, 275, 4
PLOT_X, PLOT_Y, PLOT = 34, 62, 180  # within a panel: a square
STRIP = 22  # above the square: who was not back at all
FIRST_S, LAST_S = 0.1, 1000.0
STYLE = """
text { font: 10px system-ui, sans-serif; fill: #57606a }
.head { font-size: 15px; fill: #1f2328 }
.who { font-size: 13px; font-weight: 600; fill: #1f2328 }
.grid { stroke: #d0d7de; stroke-width: .5 }
.bound { stroke: #57606a; stroke-width: 1 }
.strip { fill: #d0d7de; opacity: .4 }
.well { fill: #1a7f37 }
.late { fill: #bf8700 }
.away { fill: none; stroke: #cf222e }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 }
.head, .who { fill: #f0f6fc }
.grid { stroke: #3d444d }
.bound { stroke: #9198a1 }
.strip { fill: #3d444d }
.well { fill: #3fb950 }
.late { fill: #d29922 }
.away { stroke: #f85149 }
}
"""


def along(seconds: float) -> float:
    """Where a number of seconds stands on an axis, from its beginning."""
    return PLOT * math.log(max(seconds, FIRST_S) / FIRST_S) / math.log(LAST_S / FIRST_S)


def plot(it: Record) -> str:
    """The picture."""
    whos = it.whos
    height = 50 + PANEL_H * math.ceil(len(whos) / COLUMNS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * PANEL_W} {height}" role="img">',
        f"<title>Recovery times against their bounds</title><style>{STYLE}</style>",
        '<text class="head" x="8" y="20">Seconds until the right page is back, against the bound</text>',
        '<text x="8" y="38">across: the stated bound · up: until the page was back · the line: the bound itself · on top: not back · '
        f"kioskd: each case {it.plan.repeat} times, also where nobody else can play</text>",
    ]
    for number, who in enumerate(whos):
        row, column = divmod(number, COLUMNS)
        parts += [f'<g transform="translate({column * PANEL_W} {50 + row * PANEL_H})">', *_panel(it, who), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(it: Record, who: str) -> Iterator[str]:
    played = [each for case in it.cases if case.within is not None for each in it.first(case, who) if was_played(each)]
    well = sum(each.seconds is not None and each.seconds <= each.bound for each in played)
    yield f'<text class="who" x="{PLOT_X}" y="16">{html.escape(who)}</text>'
    yield f'<text x="{PLOT_X}" y="30">{well} of {len(played)} in time</text>'
    bottom, right = PLOT_Y + PLOT, PLOT_X + PLOT
    yield f'<rect class="strip" x="{PLOT_X}" y="{PLOT_Y - STRIP}" width="{PLOT}" height="{STRIP - 4}"/>'
    seconds = FIRST_S
    while seconds <= LAST_S:
        across, up = PLOT_X + along(seconds), bottom - along(seconds)
        yield f'<path class="grid" d="M{across:.1f} {PLOT_Y}V{bottom}M{PLOT_X} {up:.1f}H{right}"/>'
        if seconds < LAST_S:
            yield f'<text x="{across:.1f}" y="{bottom + 12}" text-anchor="middle">{seconds:g}</text>'
        yield f'<text x="{PLOT_X - 4}" y="{up + 3:.1f}" text-anchor="end">{seconds:g}</text>'
        seconds *= 10
    yield f'<path class="bound" d="M{PLOT_X} {bottom}L{right} {PLOT_Y}"/>'
    for number, each in enumerate(played):
        across = PLOT_X + along(each.bound)
        if each.seconds is None:
            heap = (number * 7) % (STRIP - 10)  # beside each other, as far as there is room
            yield f'<circle class="away" cx="{across:.1f}" cy="{PLOT_Y - STRIP + 3 + heap}" r="2"/>'
        else:
            kind = "well" if each.seconds <= each.bound else "late"
            yield f'<circle class="{kind}" cx="{across:.1f}" cy="{bottom - along(each.seconds):.1f}" r="2.2"/>'
