# SPDX-License-Identifier: LGPL-2.1-or-later
"""The faults of faults.toml, whose head says what the keys mean."""

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import List

from ..common import SOURCE, LabError
from ..host import HOOK, STEPS

TABLE = SOURCE / "faults.toml"

PHASES = ("before", *STEPS, "guest", *(f"return-{step}" for step in reversed(STEPS)), "after")
EXPECT = ("started", "refused", "either")


@dataclass(frozen=True)
class Way:
    """How a hand-over is started and ended, and what the monitor shows in between."""
    start: str
    end: str
    look: str


WAYS = {
    "virsh": Way("virsh start painter", "destroy_all", "guest"),
    "target": Way("systemctl start gpu-guest.target", "systemctl stop gpu-guest.target", "dark"),
    "hook": Way(f"{HOOK} painter prepare begin </dev/null",
                f"{HOOK} painter release end </dev/null", "dark"),
}


@dataclass(frozen=True)
class Write:
    """A call by which a helper changes something, as inject.c counts it."""
    unit: str
    helper: str
    number: int
    call: str
    path: str

    def __str__(self) -> str:
        step = self.unit.removeprefix("gpu-guest-").removesuffix(".service")
        last = self.path.rpartition("/")[2]
        return f"{step}:{self.helper.replace(' ', '')}:{self.number}:{self.call}-{last}"


@dataclass(frozen=True)
class Fault:
    """One fault; the fields are faults.toml's keys."""
    name: str
    prepare: str = ""
    prepare_user: str = ""
    phase: str = ""
    fault: str = ""
    start: str = "virsh"
    end: str = ""
    then: str = ""
    check: str = ""
    expect: str = "either"
    says: str = ""
    failed: str = ""
    device: str = ""
    short: bool = False
    value: str = ""
    # of an enumerated write; no keys
    write: Write | None = None
    how: str = ""

    @property
    def way(self) -> Way:
        """How its hand-over is started and ended."""
        return WAYS[self.start]

    @property
    def is_return(self) -> bool:
        """Whether it happens while the GPU comes back."""
        return self.phase.startswith("return-")

    @property
    def is_held(self) -> bool:
        """Whether a step is held while it happens."""
        return self.is_return or self.phase in STEPS


def variants(entry: dict) -> List[dict]:
    """An entry for each of its phases and values; short may name those of the selection."""
    phases = entry.pop("phases", [entry.pop("phase", "")])
    values = entry.pop("each", [""])
    short = entry.pop("short", False)
    found = []
    for phase in phases:
        for value in values:
            parts = [phase] if len(phases) > 1 else []
            parts += [value.rpartition("/")[2]] if len(values) > 1 else []
            chosen = short if isinstance(short, bool) else "-".join(parts) in short
            found.append(entry | {"name": "-".join([entry["name"], *parts]), "phase": phase,
                                  "value": value, "short": chosen})
    return found


def check_entry(entry: dict) -> None:
    """LabError for what the program would not understand."""
    keys = {f.name.replace("_", "-") for f in dataclasses.fields(Fault)} - {"value", "write", "how"}
    unknown = entry.keys() - keys - {"phases", "each"}
    where = f"{TABLE.name}: {entry.get('name', 'a fault without a name')}"
    if unknown or "name" not in entry:
        raise LabError(f"{where}: unknown keys: {' '.join(sorted(unknown)) or 'none'}")
    for phase in entry.get("phases", [entry.get("phase", "before")]):
        if phase not in PHASES:
            raise LabError(f"{where}: '{phase}' is no phase, there are: {' '.join(PHASES)}")
    if entry.get("start", "virsh") not in WAYS or entry.get("expect", "either") not in EXPECT:
        raise LabError(f"{where}: start is one of {' '.join(WAYS)}, expect of {' '.join(EXPECT)}")


def read(path: Path = TABLE) -> List[Fault]:
    """All faults of the table."""
    faults = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["fault"]:
        check_entry(entry)
        for variant in variants(dict(entry)):
            faults.append(Fault(**{key.replace("-", "_"): v for key, v in variant.items()}))
    names = [fault.name for fault in faults]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise LabError(f"{path.name}: there are two of: {' '.join(sorted(twice))}")
    return faults
