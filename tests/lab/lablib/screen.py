# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whose picture is on the lab's monitor."""

from collections import Counter
from typing import NamedTuple

DESKTOP = b"\x20\x60\xa0"  # image/files' lab-desktop
STRIPES = (b"\x00\xc0\x00", b"\xc0\x00\xc0")  # guest/painter.c
BLACK = b"\x00\x00\x00"


class Picture(NamedTuple):
    """A picture of the monitor."""
    width: int
    height: int
    pixels: bytes

    def share(self, *colours: bytes) -> float:
        """How much of the picture has one of these colours, going by every 37th pixel."""
        found = Counter(self.pixels[i:i + 3] for i in range(0, len(self.pixels), 3 * 37))
        return sum(found[c] for c in colours) / max(1, sum(found.values()))


def read_ppm(data: bytes) -> Picture:
    """Parse QEMU's PPM (P6, no comments, 8 bits)."""
    magic, size, depth, pixels = data.split(b"\n", 3)
    if magic != b"P6" or depth != b"255":
        raise ValueError("not a picture of QEMU's")
    width, height = map(int, size.split())
    return Picture(width, height, pixels)


def describe(picture: Picture) -> str:
    """desktop, guest, black, text (a console, or anything mostly black) or other."""
    if picture.share(*STRIPES) > 0.98:
        return "guest"
    # The terminal opens last
    if picture.share(DESKTOP) > 0.5 and picture.share(BLACK) > 0.02:
        return "desktop"
    if not any(picture.pixels):
        return "black"
    return "text" if picture.share(BLACK) > 0.6 else "other"
