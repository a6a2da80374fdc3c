# SPDX-License-Identifier: LGPL-2.1-or-later
"""US ASCII on QEMU's keyboard (US layout)."""

import time
from typing import List

from .common import LabError
from .qmp import Qmp

PLAIN = {
    " ": "spc", "\n": "ret", "\t": "tab", "\b": "backspace", "\x1b": "esc", "\x7f": "delete",
    "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right", "\\": "backslash",
    ";": "semicolon", "'": "apostrophe", "`": "grave_accent", ",": "comma", ".": "dot",
    "/": "slash",
}
SHIFTED = dict(zip('!@#$%^&*()_+{}|:"~<>?', "1234567890-=[]\\;'`,./"))

HOLD = 0.02
PAUSE = 0.05


def keys(char: str) -> List[str]:
    """The keys to press together for a character."""
    if char in SHIFTED:
        return ["shift"] + keys(SHIFTED[char])
    if char in PLAIN:
        return [PLAIN[char]]
    if char.isascii() and char.isalnum():
        return (["shift"] if char.isupper() else []) + [char.lower()]
    raise LabError(f"cannot type {char!r}, only US ASCII")


def type_text(qmp: Qmp, text: str) -> None:
    """Type, no faster than an emulated machine reads."""
    strokes = [keys(char) for char in text]
    for stroke in strokes:
        qmp.command("send-key", keys=[{"type": "qcode", "data": key} for key in stroke],
                    **{"hold-time": int(HOLD * 1000)})
        time.sleep(PAUSE)
