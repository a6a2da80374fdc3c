# SPDX-License-Identifier: LGPL-2.1-or-later
"""PNG files, as far as a picture of a monitor needs them."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD_END = len(SIGNATURE) + 25  # IHDR has 13 bytes, and 12 around them


def chunk(kind: bytes, data: bytes) -> bytes:
    return (struct.pack(">I", len(data)) + kind + data
            + struct.pack(">I", zlib.crc32(kind + data)))


def encode(width: int, height: int, pixels: bytes) -> bytes:
    """Three bytes a pixel, red first, into a file."""
    line = 3 * width
    if len(pixels) != line * height:
        raise ValueError(f"{len(pixels)} bytes are no {width}x{height} pixels")
    # each line begins with its filter: 0 is none, 2 the difference to the line above
    raw = bytearray()
    above = b""
    for start in range(0, len(pixels), line):
        this = pixels[start:start + line]
        raw += b"\2" + bytes(line) if this == above else b"\0" + this
        above = this
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(raw), 9))
            + chunk(b"IEND", b""))


def size(data: bytes) -> tuple[int, int]:
    """Width and height."""
    if data[:8] != SIGNATURE or data[12:16] != b"IHDR":
        raise ValueError("not a PNG file")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def with_text(data: bytes, key: str, text: str) -> bytes:
    """The same picture with a note in its file."""
    size(data)
    note = chunk(b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1"))
    return data[:HEAD_END] + note + data[HEAD_END:]
