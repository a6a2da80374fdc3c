# SPDX-License-Identifier: LGPL-2.1-or-later
"""The page, one HTML file that needs nothing but itself, and the film strip, which is another."""

import base64
from html import escape
from typing import List, Sequence

from . import png
from .story import Owners, Row, Stretch, Story, four, in_turn

# Nothing is loaded and nothing runs, whatever got into the text
LICENCE = "SPDX-License-Identifier: LGPL-2.1-or-later"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

COLOURS = """
:root { color-scheme: light dark; --ground: #fff; --panel: #f3f4f6; --ink: #1b1f24;
  --faint: #57606a; --line: #c9cfd6; --act: #0b5cad; --change: #1a6b2b; --warning: #8a4b00;
  --error: #b3141d; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171b; --panel: #1f242a; --ink: #e6e9ed;
  --faint: #a3adb8; --line: #3b434c; --act: #7db7f5; --change: #7fd18c; --warning: #f0b35c;
  --error: #ff8f8a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
img { display: block; width: 100%; height: auto; border: 1px solid var(--line); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 .8em; margin: .5em 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 0; }
"""

PAGE = COLOURS + """
main { max-width: 76rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.25rem; }
h3 { font-size: 1.05rem; margin: 0; }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .8rem;
  padding: 0; list-style: none; }
.strip a { color: inherit; text-decoration: none; display: block; }
.strip a:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
.stretch { border-top: 1px solid var(--line); padding: 1.2rem 0; display: grid; gap: 1rem 2rem; }
.messages { list-style: none; margin: 0; padding: 0; min-width: 0; }
.messages li { display: grid; grid-template-columns: 4.5em minmax(0, 1fr); gap: 0 .8em;
  padding: .15em 0; }
.messages li > :last-child { grid-column: 2; }
time { color: var(--faint); font-variant-numeric: tabular-nums; text-align: right; }
.messages p { margin: 0; min-width: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.who { color: var(--faint); overflow-wrap: anywhere; }
.act p { font: bold 1em/1.6 ui-monospace, "DejaVu Sans Mono", monospace; color: var(--act); }
.change p { color: var(--change); }
.warning p { color: var(--warning); }
.error p { color: var(--error); }
@media (min-width: 56rem) {
  .stretch { grid-template-columns: 24rem minmax(0, 1fr); }
  .messages li { grid-template-columns: 4.5em 8em minmax(0, 1fr); }
  .messages li > :last-child { grid-column: 3; }
  figure.now { position: sticky; top: 1rem; align-self: start; } }
"""

STRIP_WIDTH = 1000
STRIP = COLOURS + """
body { width: 100%; padding: 12px; }
ol { display: grid; grid-template-columns: repeat(4, 1fr); gap: 14px; margin: 0; padding: 0;
  list-style: none; }
b { display: block; margin-top: 6px; }
span { display: block; color: var(--faint); font-size: 13px; line-height: 1.35;
  overflow-wrap: anywhere; }
"""


def seconds(at: float, start: float) -> str:
    return f"{at - start:.1f} s"


def image(stretch: Stretch, at: str) -> str:
    width, height = png.size(stretch.shot.png)
    data = base64.b64encode(stretch.shot.png).decode("ascii")
    alt = f"The monitor, {at}: {stretch.title().lower()}"
    return (f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" '
            f'alt="{escape(alt)}">')


def who_has_what(owners: Sequence[Owners]) -> str:
    rows = (f"<dt>{escape(name)}</dt><dd>{escape(values)}</dd>" for name, values in in_turn(owners))
    return "<dl>" + "".join(rows) + "</dl>"


def message(row: Row, start: float) -> str:
    who = f'<span class="who">{escape(row.who)}</span>' if row.who else ""
    return (f'<li class="{row.kind}" data-unit="{escape(row.unit)}">'
            f"<time>{seconds(row.at, start)}</time>{who}<p>{escape(row.text)}</p></li>")


def document(name: str, style: str, body: str) -> str:
    return f"""<!DOCTYPE html>
<!-- {LICENCE} -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(name)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def make(story: Story) -> str:
    """The page of a hand-over and back."""
    start = story.start()
    strip: List[str] = []
    sections: List[str] = []
    for number, stretch in enumerate(story.stretches(), 1):
        at = seconds(stretch.shot.at, start)
        what = escape(stretch.title())
        strip.append(f'<li><a href="#picture-{number}">{image(stretch, at)}{what}<br>'
                     f"<time>{at}</time></a></li>")
        rows = "\n".join(message(row, start) for row in stretch.rows)
        sections.append(f"""<section class="stretch" id="picture-{number}">
<figure class="now">{image(stretch, at)}<figcaption><h3>{what}</h3>since {at}
{who_has_what(stretch.owners)}</figcaption></figure>
<ol class="messages">
{rows or '<li><time></time><p class="who">Nothing was said.</p></li>'}
</ol>
</section>""")
    failed = escape(story.failed or "none")
    return document("gpu-guest: the hand-over and back", PAGE, f"""<main>
<h1>gpu-guest: one graphics card goes to a guest and comes back</h1>
<p>Seen on the lab's machine: an emulated PC, whose graphics card is QEMU's and whose i915 is a
stand-in. Below is what its monitor showed, who had what, and what the journal said meanwhile. Times
count from the start of the guest.</p>
<h2>The monitor</h2>
<ol class="strip">
{chr(10).join(strip)}
</ol>
<h2>The journal, picture by picture</h2>
{chr(10).join(sections)}
<h2>In the end</h2>
<p>Failed units: {failed}</p>
</main>""")


def make_strip(story: Story) -> str:
    """Four pictures side by side, to be made a picture of."""
    start = story.start()
    desktop, dark, guest, again = four(story)
    shown = (("The desktop", desktop, desktop.owners[:1]), ("Nobody's screen", dark, dark.owners),
             ("The guest", guest, guest.owners[:1]),
             ("The desktop again", again, again.owners[-1:]))
    items = []
    for name, stretch, owners in shown:
        at = seconds(max(stretch.shot.at, start), start)
        items.append(f"<li>{image(stretch, at)}<b>{name}</b><span>{at}<br>"
                     + "<br>".join(f"{escape(what)}: {escape(whose)}"
                                   for what, whose in in_turn(owners)[:2]) + "</span></li>")
    return document("gpu-guest: film strip", STRIP, "<ol>" + "".join(items) + "</ol>")
