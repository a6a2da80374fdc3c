# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many hand-overs in a row, after which nothing has grown."""

import time
from typing import Dict, List

from ..common import LabError
from ..host import Host
from . import check, place
from .run import Result, JOURNAL
from .table import Fault

# what a first hand-over leaves behind may stay; what each one leaves behind may not
WARM = 3
LAST = 3
# how much more a quantity may be at the end than at the beginning: once, not each time
SPREAD = {"rss": 1.1, "units": 1.02, "fds": 1.0}
SLACK = {"rss": 512, "units": 2, "fds": 2}

MEASURE = """
for name in systemd systemd-logind systemd-udevd libvirtd; do
	case $name in
	systemd) pid=1 ;;
	libvirtd) pid=$(cat /run/libvirtd.pid) ;;
	*) pid=$(systemctl show -P MainPID "$name") ;;
	esac
	echo "fds-$name=$(ls "/proc/$pid/fd" | wc -l)"
done
echo "units=$(systemctl list-units --all --plain --no-legend | wc -l)"
echo "rss=$(awk '/VmRSS/ { print $2 }' /proc/1/status)"
"""


def measure(host: Host) -> Dict[str, int]:
    """How much of it all there is."""
    lines = host.run(MEASURE).splitlines()
    return {key: int(value) for key, value in (line.split("=") for line in lines)}


def growth(samples: List[Dict[str, int]]) -> List[str]:
    """What has grown from the first rounds to the last."""
    problems = []
    for key in samples[0]:
        kind = key.partition("-")[0]
        early = max(sample[key] for sample in samples[WARM - 1:2 * WARM])
        late = min(sample[key] for sample in samples[-LAST:])
        if late > early * SPREAD[kind] + SLACK[kind]:
            problems.append(f"{key} has grown from {early} to {late}")
    return problems


def one_round(host: Host) -> List[str]:
    """There and back."""
    host.run("virsh start painter", timeout=300)
    host.wait_look("guest")
    host.run("virsh destroy painter")
    return check.until_back(host)


def run_rounds(host: Host, number: int) -> Result:
    """That many hand-overs, as one fault."""
    begin = time.monotonic()
    samples: List[Dict[str, int]] = []
    host.lab("load", place.SNAPSHOT)
    problems: List[str] = []
    while len(samples) < number and not problems:
        try:
            problems = [f"round {len(samples) + 1}: {p}" for p in one_round(host)]
            samples.append(measure(host))
        except (AssertionError, LabError) as e:
            problems.append(f"round {len(samples) + 1}: {e}")
    if not problems:
        problems = growth(samples) + check.again(host)
    log = "\n".join([*problems, *map(str, samples), host.call(JOURNAL).stdout]) if problems else ""
    print("        " + " ".join(f"{key}: {samples[0][key]} to {samples[-1][key]};"
                                for key in (samples or [{}])[0]), flush=True)
    return Result(Fault(f"rounds-{number}"), problems, time.monotonic() - begin, log)
