# SPDX-License-Identifier: LGPL-2.1-or-later
"""What has to be so on a page, asked of the browser that shows it."""

from pathlib import Path
from typing import List

from .browser import Browser

# a phone, and a window on a monitor
WIDTHS = (400, 1280)
# of text and its ground, as WCAG 2 has it for small text
CONTRAST = 4.5

IMAGES = """[...document.images].map(i => [i.naturalWidth, i.naturalHeight, i.alt.trim(),
    i.getBoundingClientRect().width])"""

HEADINGS = "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))"

TOO_WIDE = """[...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right >
    document.documentElement.clientWidth + 0.5).map(e => e.outerHTML.slice(0, 100))"""

PALE = """(() => {
    const numbers = c => c.match(/[0-9.]+/g).map(Number);
    const part = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = c => { const [r, g, b] = numbers(c).map(part);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const ground = e => { for (; e; e = e.parentElement) {
        const c = getComputedStyle(e).backgroundColor; if (numbers(c)[3] !== 0) return c; }
        return 'rgb(255, 255, 255)'; };
    const found = [];
    for (const e of document.body.querySelectorAll('*')) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < LEAST) found.push(ratio.toFixed(2) + ' ' + e.outerHTML.slice(0, 100));
    }
    return found;
})()"""


def requests(browser: Browser) -> List[str]:
    """What the page has asked for, itself aside."""
    return [event["params"]["request"]["url"] for event in browser.events
            if event["method"] == "Network.requestWillBeSent"]


def complaints(browser: Browser) -> List[str]:
    """What the browser says of the page, as of something that its policy forbids."""
    return [event["params"]["entry"]["text"] for event in browser.events
            if event["method"] == "Log.entryAdded"]


def faults(browser: Browser, path: Path, width: int, dark: bool) -> List[str]:
    """What is wrong with the page in a window of this width."""
    browser.open(path, width, dark=dark)
    found = []
    images = browser.ask(IMAGES)
    if not images:
        found.append("there is no picture")
    for number, (natural_width, natural_height, alt, shown) in enumerate(images, 1):
        if not (natural_width > 0 and natural_height > 0):
            found.append(f"picture {number} cannot be shown")
        if not alt:
            found.append(f"picture {number} has no text")
        if shown < 100:
            found.append(f"picture {number} is {shown} pixels wide")

    # the address of a picture is its data
    asked = [url for url in requests(browser) if not url.startswith("data:")]
    if asked != [path.absolute().as_uri()]:
        found.append(f"it asks for {asked}")
    found += complaints(browser)
    if browser.ask("document.scripts.length") != 0:
        found.append("it has scripts")

    if browser.ask("document.documentElement.lang") != "en":
        found.append("it does not name its language")
    if not browser.ask("document.title"):
        found.append("it has no title")
    levels = browser.ask(HEADINGS)
    if levels[:1] != [1] or levels.count(1) != 1 or \
       any(after > before + 1 for before, after in zip(levels, levels[1:])):
        found.append(f"its headings have the levels {levels}")

    scroll, client = browser.ask(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    if client != width:
        found.append(f"the window is {client} pixels wide")
    if scroll > client:
        found.append(f"it is {scroll} pixels wide")
    found += [f"it sticks out: {element}" for element in browser.ask(TOO_WIDE)]
    pale = browser.ask(PALE.replace("LEAST", str(CONTRAST)))
    return found + [f"it is pale: {element}" for element in pale]


def all_faults(browser: Browser, path: Path) -> List[str]:
    """The same on a phone and on a monitor, by day and by night."""
    return [f"{width} pixels, {'dark' if dark else 'light'}: {fault}"
            for width in WIDTHS for dark in (False, True)
            for fault in faults(browser, path, width, dark)]
