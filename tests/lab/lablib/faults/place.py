# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the fault table brings into a lab: inject.so and hold, the shell functions of the table, and
drop-ins for the units.

Everything that changes from fault to fault is in /run/lab-faults, which the units may write to.
"""

from pathlib import Path

from ..common import LabError
from ..host import Host
from .table import Write

SNAPSHOT = "faults"

LIB = "/usr/local/lib/lab-faults"
RUN = "/run/lab-faults"
LOG = f"{RUN}/log"
HAPPENED = f"{RUN}/happened"
FUNCTIONS = f"{LIB}/host.sh"
HERE = Path(__file__).resolve().parent

# for all services of ours, those that do not exist yet included; systemd reads the environment
# whenever it starts a program
UNITS = """[Service]
ReadWritePaths=-{run}
EnvironmentFile=-{run}/all.env
EnvironmentFile=-{run}/%n.env
Environment=GPU_GUEST_INJECT_UNIT=%n
"""

HOLD = """[Service]
Exec{when}Post={lib}/hold-here {phase}
Timeout{when}Sec=300
"""


# a guest that never comes is given up sooner than after the two minutes that a person gets
SETTINGS = "GPU_GUEST_UNUSED_SEC=60\n"


def install(host: Host, inject: Path) -> None:
    """Bring in everything that stays from fault to fault."""
    files = [inject, inject.with_name("hold"), HERE / "host.sh", HERE / "hold-here"]
    missing = [str(f) for f in files if not f.is_file()]
    if missing:
        raise LabError(f"not there: {' '.join(missing)}; build it with: meson compile -C DIR")
    host.run(f"mkdir -p {LIB} {RUN} && chmod 1777 {RUN}")
    host.copy(LIB, *files)
    for unit in "gpu-guest-.service", "gpu-guest@.service":
        host.write(f"/run/systemd/system/{unit}.d/lab.conf", UNITS.format(run=RUN))
    host.write("/etc/gpu-guest.conf", SETTINGS)
    host.run("systemctl daemon-reload")


def environment(**variables: str) -> str:
    """An environment file that loads inject.so into a helper."""
    variables = {"LD_PRELOAD": f"{LIB}/inject.so"} | variables
    return "".join(f'{key}="{value}"\n' for key, value in variables.items())


def watch(host: Host) -> None:
    """Have every call logged."""
    host.write(f"{RUN}/all.env", environment(GPU_GUEST_INJECT="log", GPU_GUEST_INJECT_LOG=LOG))


def inject(host: Host, write: Write, how: str) -> None:
    """Have a call go wrong, once."""
    host.write(f"{RUN}/{write.unit}.env", environment(
        GPU_GUEST_INJECT=f"{write.number}:{how}", GPU_GUEST_INJECT_FOR=write.helper,
        GPU_GUEST_INJECT_ONCE=HAPPENED))


def take_out(host: Host, write: Write) -> bool:
    """No call goes wrong any more. Returns whether one has."""
    return host.call(f"rm {RUN}/{write.unit}.env && rm {HAPPENED}").returncode == 0


def hold(host: Host, phase: str) -> None:
    """Have the hand-over, or the return, wait when this phase's step is done."""
    when = "Stop" if phase.startswith("return-") else "Start"
    unit = f"gpu-guest-{phase.removeprefix('return-')}.service"
    host.write(f"/run/systemd/system/{unit}.d/lab-hold.conf",
               HOLD.format(when=when, lib=LIB, phase=phase))
    host.run(f"touch {RUN}/hold.{phase} && systemctl daemon-reload")


def release(phase: str) -> str:
    """The command that lets it go on."""
    return f"rm -f {RUN}/hold.{phase}"


def is_held(host: Host, phase: str) -> bool:
    """Whether it waits now."""
    return host.call(f"test -e {RUN}/at.{phase}").returncode == 0
