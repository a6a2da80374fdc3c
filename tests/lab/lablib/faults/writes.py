# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every call by which a helper changes something, and a fault for each way in which it goes wrong.

They are not listed anywhere: one hand-over and return with inject.so in all units shows them.
"""

import itertools
from typing import List

from ..common import LabError
from ..host import Host
from . import check, place
from .table import Fault, Write

SHORT_STEP = 3
KINDS = ("kill-before", "kill-after", "EIO", "EBUSY", "ENODEV")


def parse(log: str) -> List[Write]:
    """The lines of inject.so's log; what was called again is there once."""
    found = []
    for line in log.splitlines():
        unit, helper, number, call, path = line.split("\t")[:5]
        write = Write(unit, helper, int(number), call, path)
        if write not in found:
            found.append(write)
    return found


def enumerate_writes(host: Host) -> List[Write]:
    """Hand the GPU over and back, with every unit watched."""
    host.lab("load", place.SNAPSHOT)
    place.watch(host)
    host.run("virsh start painter", timeout=300)
    host.wait_look("guest")
    host.run("virsh destroy painter")
    problems = check.until_back(host)
    if problems:
        raise LabError("the host did not get its GPU back, and nothing had gone wrong:\n"
                       + "\n".join(problems))
    found = parse(host.run(f"cat {place.LOG}"))
    if not found:
        raise LabError("no helper has changed anything, as far as inject.so saw")
    return found


def faults(writes: List[Write], everything: bool) -> List[Fault]:
    """Each write in each way that it can go wrong; else every third, in one way, taken in turn."""
    if not everything:
        return [Fault(f"{write}:{kind}", write=write, how=kind)
                for write, kind in zip(writes[::SHORT_STEP], itertools.cycle(KINDS))]
    return [Fault(f"{write}:{kind}", write=write, how=kind) for write in writes for kind in KINDS]
