# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the lab's kernel does in a hand-over and when, by its own tracing, whoever asks for it.

Probes at the entry and the return of what takes and gives drivers, modules and the console; the two
marks of measure.sh stand in the same buffer. All times are CLOCK_MONOTONIC's, which systemd's
timestamps are of as well.
"""

import re
from typing import Dict, List, NamedTuple

GPU = "0000:00:02.0"
AUDIO = "0000:00:1b.0"

# name, function of the kernel, arguments at its entry; dev_name() is the kobject's first member
PROBES = (
    ("unbind", "device_release_driver_internal", "device=+0(+0(%di)):string"),
    ("bind", "really_probe", "device=+0(+0(%di)):string driver=+0(+0(%si)):string"),
    ("console_off", "do_unbind_con_driver", ""),
    ("console_on", "do_bind_con_driver", ""),
    ("unload", "__x64_sys_delete_module", ""),
    ("load", "__x64_sys_finit_module", ""),
)

LINE = re.compile(r"^\s*(?P<task>.+)-(?P<pid>\d+)\s+\[\d+\]\s+\S+\s+(?P<at>[\d.]+): "
                  r"(?P<event>\w+): ?(?P<rest>.*)$")


class Act(NamedTuple):
    """Something that the kernel did."""
    what: str
    device: str
    begin: float
    end: float


class Trace(NamedTuple):
    """A hand-over, or a return: the marks at its begin and when its command had ended, and what the
    kernel did."""
    begin: float
    end: float
    acts: List[Act]


def probes(symbols: str) -> str:
    """What kprobe_events takes; symbols are those of /proc/kallsyms, in which the compiler may have
    renamed a static function (.isra.0)."""
    lines = []
    for name, function, arguments in PROBES:
        match = re.search(rf" ({re.escape(function)}(\.(isra|constprop|part)\.\d+)*)$", symbols, re.M)
        if not match:
            raise ValueError(f"this kernel has no {function}()")
        lines += [f"p:bench/{name} {match[1]} {arguments}\n", f"r:bench/{name}_done {match[1]}\n"]
    return "".join(lines)


def parse(text: str) -> Trace:
    """The kernel's trace buffer. A call that had not ended when it was read is no act."""
    marks: Dict[str, float] = {}
    acts: List[Act] = []
    begun: Dict[tuple, list] = {}  # by process and call: a device's driver takes leave of its children
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        at, event = float(match["at"]), match["event"]
        if event == "tracing_mark_write":
            marks[match["rest"].strip()] = at
            continue
        name = event.removesuffix("_done")
        calls = begun.setdefault((match["pid"], name), [])
        if name == event:
            device = re.search(r'device="([^"]*)"', match["rest"])
            calls.append((at, device[1] if device else ""))
        elif calls:
            begin, device = calls.pop()
            acts.append(Act(name, device, begin, at))
    return Trace(marks["begin"], marks["end"], sorted(acts, key=lambda act: act.end))
