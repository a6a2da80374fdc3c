# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the time of a hand-over goes: which programs ran in it, and whose CPU it took, by the kernel's
scheduler events (tracing them slows everything down a little, so it is not done while measuring)."""

import re
from collections import defaultdict
from typing import Dict, List, NamedTuple

from .trace import LINE

EVENTS = ("sched_process_exec", "sched_process_exit", "sched_process_fork", "sched_switch")
SHOWN_MS = 5


class Program(NamedTuple):
    """A process from its fork: when its program began and ended, in seconds since the mark, and the
    milliseconds of CPU before (what systemd does in it: the sandbox) and after."""
    name: str
    began: float
    ended: float
    before: float
    after: float


def field(text: str, name: str) -> str:
    """A field of an event."""
    match = re.search(rf"\b{name}=(\S+)", text)
    return match[1] if match else ""


def read(text: str, until: float) -> tuple:
    """The programs that were started from the mark on, and CPU time in ms by what all others are
    called."""
    cpu: Dict[str, float] = defaultdict(float)
    begin = 0.0
    names: Dict[str, str] = {}
    forked, execed, exited, before = {}, {}, {}, {}
    since = None
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        at, event, rest = float(match["at"]), match["event"], match["rest"]
        if event == "tracing_mark_write":
            if rest.strip() == "begin":
                begin, since = at, at
                cpu.clear()
        if not begin or at > until:
            continue
        pid = match["pid"]
        if event == "sched_process_fork":
            forked[field(rest, "child_pid")] = at
        elif event == "sched_process_exec":
            if pid not in execed:
                before[pid] = cpu[pid] + at - (since or at)
            execed.setdefault(pid, at)
            names[pid] = field(rest, "filename")
        elif event == "sched_process_exit":
            exited[pid] = at
        elif event == "sched_switch":
            cpu[pid] += at - (since or at)
            since = at
            names.setdefault(pid, field(rest, "prev_comm"))
    programs = [Program(names[p], execed[p] - begin, exited.get(p, until) - begin,
                        1000 * before[p], 1000 * (cpu[p] - before[p]))
                for p in execed if p in forked]
    others: Dict[str, float] = defaultdict(float)
    for pid, seconds in cpu.items():
        if pid not in execed or pid not in forked:
            others["idle" if pid == "0" else names.get(pid, "?")] += 1000 * seconds
    return sorted(programs, key=lambda p: p.began), others


def show(title: str, text: str, until: float) -> None:
    """Print it, up to this time of the trace."""
    programs, others = read(text, until)
    print(f"\n{title}\n\n  began   ended   CPU ms before exec and after")
    for p in programs:
        print(f"  {p.began:6.3f}  {p.ended:6.3f}  {p.before:8.0f} {p.after:8.0f}  {p.name}")
    lines: List[tuple] = sorted(others.items(), key=lambda pair: -pair[1])
    print("  " + ", ".join(f"{name} {ms:.0f}" for name, ms in lines if ms >= SHOWN_MS))
