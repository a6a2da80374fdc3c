# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a lab's host can be: variants.toml, and the desktops of image/desktops."""

import tomllib
from typing import Dict, NamedTuple, Tuple

from .common import LabError, SOURCE

DRIVERS = "i915", "xe"
FIRMWARE = "bios", "uefi"
LOOKS = "desktop", "text"
CONSOLES = "bound", "unbound", "none"


class Desktop(NamedTuple):
    """A desktop, as it looks from outside."""
    about: str
    session: str  # what logind calls its type
    server: str  # the process that has the card open
    patience: float = 120  # seconds in which it is there, with other labs beside it


class Variant(NamedTuple):
    """A kind of host."""
    about: str
    desktop: str = "openbox"
    driver: str = "i915"
    append: str = ""
    devices: Tuple[str, ...] = ()
    firmware: str = "bios"
    look: str = "desktop"
    console: str = "bound"
    console_away: str = "none"
    keeps_module: bool = False
    releases: Tuple[str, ...] = ()
    why_not: str = ""

    @property
    def is_seen(self) -> bool:
        """Whether the monitor tells who has the GPU: without a desktop the console is there from the
        first moment, and without a console what was drawn last stays."""
        return self.look == "desktop" and self.console == "bound"

    def reason_not(self, release: str) -> str:
        """Why a release does not have it, "" if it does."""
        return "" if not self.releases or release in self.releases else self.why_not


def read() -> Dict[str, Variant]:
    """All of them, by name."""
    with open(SOURCE / "variants.toml", "rb") as f:
        entries = tomllib.load(f)
    try:
        found = {name: Variant(**{key: tuple(value) if isinstance(value, list) else value
                                  for key, value in entry.items()})
                 for name, entry in entries.items()}
    except TypeError as e:
        raise LabError(f"variants.toml: {e}") from e
    for name, variant in found.items():
        for value, known in ((variant.driver, DRIVERS), (variant.firmware, FIRMWARE),
                             (variant.look, LOOKS), (variant.console, CONSOLES),
                             (variant.console_away, CONSOLES)):
            if value not in known:
                raise LabError(f"variants.toml, {name}: '{value}' is none of {', '.join(known)}")
        if bool(variant.releases) != bool(variant.why_not):
            raise LabError(f"variants.toml, {name}: releases and why_not go together")
    return found


def get(name: str) -> Variant:
    """The one of this name."""
    found = read()
    if name not in found:
        raise LabError(f"no variant '{name}', there is: {' '.join(found)}")
    return found[name]


def desktop(name: str) -> Desktop:
    """The desktop of this name."""
    with open(SOURCE / "image" / "desktops" / name / "desktop.toml", "rb") as f:
        return Desktop(**tomllib.load(f))
