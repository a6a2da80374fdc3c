# SPDX-License-Identifier: LGPL-2.1-or-later
"""The timelines of the contenders, one under another, as SVG."""

import math
from typing import Dict, List, Tuple
from xml.sax.saxutils import escape

from .timeline import Segment

Panel = Dict[str, List[Segment]]  # contender: its phases

WIDTH, LEFT, RIGHT = 960, 110, 30
BAR, GAP, HEAD, AXIS, LEGEND = 26, 10, 40, 34, 22
COLOURS = {
    "before": "#b8c4d0", "session": "#4c78a8", "audio": "#f2b134", "console": "#72b7b2",
    "GPU": "#e45756", "module": "#b279a2", "vfio": "#54a24b", "rest": "#d8d8d8",
    "start": "#b8c4d0", "manager": "#4c78a8", "desktop": "#9ecae9",
}
NARROW = 34  # what is narrower has no room for its name


def step(longest: float) -> float:
    """The seconds between two marks of the axis: at most ten of them."""
    size = 10.0 ** math.floor(math.log10(longest))
    return next(s * size for s in (0.1, 0.2, 0.5, 1.0) if longest / (s * size) <= 10)


def rect(x: float, y: float, width: float, height: float, colour: str, title: str) -> str:
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{colour}"><title>{escape(title)}</title></rect>')


def words(x: float, y: float, text: str, anchor: str = "start", size: int = 13) -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
            f'{escape(text)}</text>')


def draw_bar(y: float, name: str, segments: List[Segment], scale: float) -> List[str]:
    """A contender's timeline."""
    parts = [words(LEFT - 10, y + BAR / 2 + 4, name, "end")]
    for s in segments:
        x, width = LEFT + s.begin * scale, (s.end - s.begin) * scale
        parts.append(rect(x, y, width, BAR, COLOURS[s.phase],
                          f"{s.phase}: {1000 * (s.end - s.begin):.0f} ms"))
        if width > max(NARROW, 8 * len(s.phase)):
            parts.append(words(x + width / 2, y + BAR / 2 + 4, s.phase, "middle", 11))
    end = segments[-1].end
    parts.append(words(LEFT + end * scale + 5, y + BAR / 2 + 4, f"{end:.2f} s", size=11))
    return parts


def draw_panel(top: float, title: str, panel: Panel) -> Tuple[List[str], float]:
    """A way, with its axis. Returns where the next one may begin as well."""
    longest = max(segments[-1].end for segments in panel.values())
    scale = (WIDTH - LEFT - RIGHT - 50) / longest
    parts = [words(LEFT, top + 24, title, size=16)]
    bottom = top + HEAD + len(panel) * (BAR + GAP)
    marks = step(longest)
    for n in range(int(longest / marks) + 1):
        x = LEFT + n * marks * scale
        parts.append(f'<line x1="{x:.1f}" y1="{top + HEAD - 4}" x2="{x:.1f}" y2="{bottom}" '
                     'stroke="#e4e4e4"/>')
        parts.append(words(x, bottom + 16, f"{n * marks:g} s", "middle", 11))
    for n, (name, segments) in enumerate(panel.items()):
        parts += draw_bar(top + HEAD + n * (BAR + GAP), name, segments, scale)
    return parts, bottom + AXIS


def draw_legend(top: float, phases: List[str]) -> List[str]:
    """What the colours mean."""
    parts = []
    for n, phase in enumerate(phases):
        x = LEFT + n * (WIDTH - LEFT - RIGHT) / len(phases)
        parts += [rect(x, top, 12, 12, COLOURS[phase], phase), words(x + 16, top + 10, phase,
                                                                     size=11)]
    return parts


def draw(panels: Dict[str, Panel]) -> str:
    """The whole picture."""
    parts: List[str] = []
    top = 0.0
    for title, panel in panels.items():
        drawn, bottom = draw_panel(top, title, panel)
        present = {s.phase for segments in panel.values() for s in segments}
        parts += drawn + draw_legend(bottom, [p for p in COLOURS if p in present])
        top = bottom + LEGEND + GAP
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:.0f}" '
            f'width="{WIDTH}" height="{top:.0f}" font-family="DejaVu Sans, sans-serif">\n'
            '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")
