# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was seen of a hand-over and back: pictures, messages, who had what, and what belongs to what.

All times are seconds since 1970 by the clock of the host in the lab.
"""

import itertools
import json
from dataclasses import dataclass, field
from typing import Iterable, List, NamedTuple, Tuple

# the priority that a message has without one (LOG_INFO), and from which on it is trouble
INFO, WARNING, ERROR = 6, 4, 3

NAMES = {
    "desktop": "The desktop",
    "guest": "The guest",
    "black": "A dark screen",
    "text": "The text console",
    "other": "A screen being drawn",
}


class Owners(NamedTuple):
    """Who has what; "" is nobody."""
    gpu: str
    audio: str
    console: str
    desktop: str
    guest: str


NOBODY = Owners("", "", "", "", "")
OWNER_NAMES = Owners("GPU driver", "Audio driver", "Text console on", "Display manager", "Guest")


class Change(NamedTuple):
    """From then on it was so."""
    at: float
    owners: Owners


class Shot(NamedTuple):
    """A picture of the monitor, and since when it looked like this."""
    at: float
    look: str
    png: bytes


class Line(NamedTuple):
    """A message of the journal."""
    at: float
    who: str
    unit: str
    priority: int
    text: str

    def row(self) -> "Row":
        """It in the timeline, where its priority is a word and not only a colour."""
        kind, word = (("error", "Error: ") if self.priority <= ERROR else
                      ("warning", "Warning: ") if self.priority <= WARNING else ("", ""))
        return Row(kind, self.at, self.who, self.unit, word + self.text)


class Act(NamedTuple):
    """Something that was asked for."""
    at: float
    command: str


class Row(NamedTuple):
    """A line of the timeline; its kind is act, change, error, warning or nothing."""
    kind: str
    at: float
    who: str
    unit: str
    text: str


class Stretch(NamedTuple):
    """What happened while one picture was on the monitor."""
    shot: Shot
    owners: List[Owners]  # one after the other; the first is who had what when the picture came
    rows: List[Row]

    def title(self) -> str:
        """What is to be seen, as a person would say it."""
        name = NAMES[self.shot.look]
        if self.shot.look in ("text", "black") and not self.owners[-1].console:
            return f"{name}, then nobody's screen" if self.owners[0].console else "Nobody's screen"
        if self.shot.look == "guest" and not self.owners[-1].guest:
            return f"{name}, then what it has left there"
        return name


@dataclass
class Story:
    """The whole of it."""
    acts: List[Act] = field(default_factory=list)
    shots: List[Shot] = field(default_factory=list)
    changes: List[Change] = field(default_factory=list)
    lines: List[Line] = field(default_factory=list)
    failed: str = ""  # units, when it was over

    def start(self) -> float:
        """What the clock of the page begins with."""
        return self.acts[0].at if self.acts else self.shots[0].at

    def stretches(self) -> List[Stretch]:
        """Picture by picture. What was before the first one counts to it."""
        # what is known first is no change: it was so before
        known = self.changes[0].owners if self.changes else NOBODY
        events = sorted([*self.acts, *self.lines, *self.changes[1:]], key=lambda event: event.at)
        found = []
        for shot, after in zip(self.shots, [*self.shots[1:], None]):
            owners: List[Owners] = []
            rows: List[Row] = []
            while events and (after is None or events[0].at < after.at):
                event = events.pop(0)
                if isinstance(event, Change):
                    if event.at > shot.at:
                        owners = owners or [known]
                        owners.append(event.owners)
                    rows.append(Row("change", event.at, "", "", differences(known, event.owners)))
                    known = event.owners
                elif isinstance(event, Act):
                    rows.append(Row("act", event.at, "", "", f"$ {event.command}"))
                else:
                    rows.append(event.row())
            found.append(Stretch(shot, owners or [known], rows))
        return found


def nobody(value: str) -> str:
    """How an owner is written."""
    return value or "none"


def differences(before: Owners, after: Owners) -> str:
    """What has another owner now."""
    return "; ".join(f"{name}: {nobody(old)} → {nobody(new)}"
                     for name, old, new in zip(OWNER_NAMES, before, after) if old != new)


def in_turn(owners: Iterable[Owners]) -> List[Tuple[str, str]]:
    """What each thing is called, and whose it was, one after the other."""
    return [(name, ", then ".join(nobody(value) for value, _ in itertools.groupby(values)))
            for name, values in zip(OWNER_NAMES, zip(*owners))]


def text_of(message) -> str:
    """A message as journalctl's JSON has it: text, bytes that are none, several, or too long."""
    if message is None:
        return "(too long to show)"
    if isinstance(message, str):
        return message
    if all(isinstance(byte, int) for byte in message):
        return bytes(message).decode("utf-8", errors="replace")
    return "\n".join(text_of(part) for part in message)


def visible(text: str) -> str:
    """Nothing in it that draws, moves or hides; lines stay lines."""
    def show(character: str) -> str:
        if character.isprintable() or character == "\n":
            return character
        code = ord(character)
        return " " if character == "\t" else f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    return "".join(map(show, text))


def read_journal(output: str) -> List[Line]:
    """The lines of "journalctl -o json"."""
    lines = []
    for entry in map(json.loads, output.splitlines()):
        at = int(entry.get("_SOURCE_REALTIME_TIMESTAMP") or entry["__REALTIME_TIMESTAMP"]) / 1e6
        who = entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or "?"
        unit = entry.get("UNIT") or entry.get("_SYSTEMD_UNIT") or ""
        lines.append(Line(at, visible(text_of(who)), visible(text_of(unit)),
                          int(entry.get("PRIORITY") or INFO),
                          visible(text_of(entry.get("MESSAGE")).rstrip())))
    return sorted(lines, key=lambda line: line.at)


def read_owners(line: str) -> Change:
    """A line of owners.sh."""
    at, *words = line.rstrip("\n").split("\t")
    return Change(float(at), Owners(*words))


def shorten(changes: Iterable[Change]) -> List[Change]:
    """Only those that are news."""
    news: List[Change] = []
    for change in changes:
        if not news or news[-1].owners != change.owners:
            news.append(change)
    return news


def four(story: Story) -> Tuple[Stretch, Stretch, Stretch, Stretch]:
    """What a film strip shows: desktop, neither's screen, guest, desktop."""
    stretches = story.stretches()
    looks = [stretch.shot.look for stretch in stretches]
    if "guest" not in looks or looks[-1] != "desktop":
        raise ValueError(f"no hand-over and back: {' '.join(looks)}")
    guest = looks.index("guest")
    dark = [n for n in range(guest) if looks[n] in ("text", "black")]
    if looks[0] != "desktop" or not dark:
        raise ValueError(f"no hand-over from a desktop: {' '.join(looks)}")
    return stretches[0], stretches[dark[-1]], stretches[guest], stretches[-1]
