# SPDX-License-Identifier: LGPL-2.1-or-later
"""Has the host got everything back? The same question after every fault."""

import subprocess
import time
from fnmatch import fnmatch
from typing import List

from ..common import LabError
from ..host import Host

# how long the way back may take, on an emulated machine that shares its core
PATIENCE = 180
PAUSE = 0.5

# beside what everything is when it is the host's
WANTED = {"cards": "card0", "jobs": "", "sound": "yes"}
OURS = "gpu-guest"


def is_ours(unit: str) -> bool:
    """Whether a unit is one of gpu-guest's own, which may have failed."""
    return unit.startswith((f"{OURS}-", f"{OURS}@", f"{OURS}."))


def differences(host: Host, failed: str = "") -> List[str]:
    """What is not as it should be; failed has patterns of units of others that may have failed."""
    state = host.state()
    state["failed"] = " ".join(
        unit for unit in state["failed"].split()
        if not is_ours(unit) and not any(fnmatch(unit, pattern) for pattern in failed.split()))
    return [f"{key} is '{state[key]}', not '{wanted}'"
            for key, wanted in (host.state_back(True) | WANTED).items() if state[key] != wanted]


def until_back(host: Host, failed: str = "", patience: float = PATIENCE) -> List[str]:
    """Look until everything is back; what is still missing when patience ends. The monitor is asked
    first, which costs the host nothing."""
    deadline = time.monotonic() + patience
    while True:
        problems = []
        late = time.monotonic() > deadline
        try:
            look = host.look()
            if look != "desktop":
                problems.append(f"the monitor shows {look}")
            if late or not problems:
                problems += differences(host, failed)
        except (AssertionError, LabError, subprocess.TimeoutExpired, ValueError) as e:
            problems.append(f"the host does not answer: {e}")
        if late or not problems:
            return problems
        time.sleep(PAUSE)


def again(host: Host) -> List[str]:
    """What keeps another hand-over from beginning, and what the kernel complained about."""
    problems = []
    trouble = host.kernel_trouble()
    if trouble:
        problems.append(f"the kernel says: {trouble}")
    result = host.call("systemctl reset-failed 'gpu-guest*' 2>/dev/null; "
                       "systemctl start gpu-guest-check.service")
    if result.returncode != 0:
        problems.append("no new hand-over is possible: "
                        + host.journal("gpu-guest-check.service").rpartition("\n")[2])
    return problems
