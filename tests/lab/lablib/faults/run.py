# SPDX-License-Identifier: LGPL-2.1-or-later
"""One fault: the hand-over, what goes wrong in it, its end, and the check."""

import re
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import List

from ..common import LabError
from ..host import Host
from . import check, place, power
from .table import Fault

# a hand-over waits for a desktop's stop, which has 90 s before systemd kills it
WAY_TIMEOUT = 300
REACH_TIMEOUT = 240

# what a refusal says: the hook, its own program, systemctl of what was asked for by hand, or libvirt
# where another domain was quicker
REASON = (r"cannot go to the guest|gpu-guest-lease: |[Jj]ob for gpu-guest\.target|"
          "is in use by driver QEMU, domain")

JOURNAL = ("journalctl --no-pager -o short-precise -u 'gpu-guest*' -u libvirtd -u display-manager "
           "-u lightdm -u systemd-logind -u 'lab-fault-*' -n 400; echo; dmesg | grep -v audit: | "
           "tail -n 60; systemctl list-jobs --no-pager; systemctl --failed --no-pager; loginctl "
           f"--no-pager; grep -sI . {place.RUN}/*; ls -lA /run/gpu-guest")


@dataclass
class Result:
    """How a fault went; without problems the host survived."""
    fault: Fault
    problems: List[str] = field(default_factory=list)
    seconds: float = 0
    log: str = ""

    @property
    def survived(self) -> bool:
        """Whether all was as it should be."""
        return not self.problems


class Run:
    """A fault on a host, from the snapshot to the check."""

    def __init__(self, host: Host, fault: Fault, pool: ThreadPoolExecutor):
        self.host = host
        self.fault = fault
        self.pool = pool
        self.problems: List[str] = []
        self.said = ""  # by the commands that start and end the hand-over
        self.is_down = False  # the machine has restarted in it: there is no guest to end any more

    def shell(self, command: str) -> str:
        """A command of the table, with what it may use."""
        return f"value='{self.fault.value}'; . {place.FUNCTIONS}; {command}"

    def background(self, command: str) -> Future:
        """Run a command of the table on the host, beside what happens next."""
        return self.pool.submit(self.host.call, self.shell(command), WAY_TIMEOUT)

    def must(self, command: str, what: str, user: str = "root") -> None:
        """A command of the table that has to succeed, or there is no fault."""
        if not command:
            return
        result = self.host.call(self.shell(command), WAY_TIMEOUT, user=user)
        if result.returncode != 0:
            raise LabError(f"{what}: exit status {result.returncode}: "
                           f"{(result.stdout + result.stderr).strip()}")

    def ended(self, way: Future) -> bool:
        """Whether a command in the background has succeeded."""
        try:
            result = way.result()
        except subprocess.TimeoutExpired:
            if not self.is_down:
                raise
            return False
        self.said += result.stdout + result.stderr
        return result.returncode == 0

    # the stages

    def prepare(self) -> None:
        """The booted desktop, with the fault laid out in it. A call that fails changes nothing else of
        the host: the next such fault finds it as the last one left it, if that was survived."""
        if self.host.touched or not self.fault.write:
            self.host.lab("load", place.SNAPSHOT)
        self.host.touched = True
        if self.fault.write:
            place.inject(self.host, self.fault.write, self.fault.how)
        if self.fault.is_held:
            place.hold(self.host, self.fault.phase)
        self.must(self.fault.prepare_user, "prepare-user", user="lab")
        self.must(self.fault.prepare, "prepare")

    def happen(self) -> None:
        """The fault itself; whatever was held for it goes on."""
        release = place.release(self.fault.phase) if self.fault.is_held else ":"
        if self.fault.fault not in power.VERBS:
            self.must(f"( {self.fault.fault or ':'}\n); r=$?; {release}; exit $r", "the fault")
            return
        self.is_down = self.fault.phase != "before" and self.fault.fault in power.GOES_DOWN
        self.problems += power.VERBS[self.fault.fault](self.host, release)

    def reach(self, way: Future) -> None:
        """Wait until the step is done where the hand-over is held, and let the fault happen; not if the
        way there has ended."""
        deadline = time.monotonic() + REACH_TIMEOUT
        while not place.is_held(self.host, self.fault.phase):
            if (way.done() and not self.fault.is_return) or time.monotonic() > deadline:
                self.problems.append(f"{self.fault.phase} was never reached")
                self.host.run(place.release(self.fault.phase))
                return
            time.sleep(0.2)
        self.happen()

    def go(self) -> bool:
        """Hand the GPU over. Returns whether it was."""
        way = self.background(self.fault.way.start)
        if self.fault.is_held and not self.fault.is_return:
            self.reach(way)
        started = self.ended(way)
        if not self.is_down:
            self.compare(started)
        return started

    def compare(self, started: bool) -> None:
        """Hold what became of the hand-over against the table."""
        wanted = self.fault.expect
        if wanted != "either" and started != (wanted == "started"):
            self.problems.append(f"the hand-over was {'started' if started else 'refused'}, "
                                 f"not {wanted}: {self.said.strip()}")
        reason = f"{REASON}|{self.fault.says}" if self.fault.says else REASON
        if not started and not re.search(reason, self.said):
            self.problems.append(f"it was refused without a reason: {self.said.strip()}")
        if not started and (self.fault.is_return or self.fault.phase == "guest"):
            self.problems.append(f"{self.fault.phase} was never reached")
        if started and wanted == "started":
            self.host.wait_look(self.fault.way.look)

    def come_back(self, started: bool) -> None:
        """End the guest, in the table's way."""
        if self.fault.is_return and not started:
            self.host.run(place.release(self.fault.phase))
        way = self.background(self.fault.end or self.fault.way.end)
        if self.fault.is_return and started:
            self.reach(way)
        self.ended(way)

    def verify(self) -> None:
        """The check, which is the same for all."""
        self.problems += check.until_back(self.host, self.fault.failed)
        if self.fault.phase == "after" and not self.problems:
            self.happen()
            self.problems += check.until_back(self.host, self.fault.failed)
        if self.fault.check:
            self.must(self.fault.check, "check")
        self.problems += check.again(self.host)
        if self.fault.says and self.fault.expect != "either":
            journal = "journalctl --no-pager -o cat -u 'gpu-guest*' -u libvirtd"
            said = self.said + self.host.run(journal)
            if not re.search(self.fault.says, said):
                self.problems.append(f"nobody said: {self.fault.says}")
        if self.fault.write:
            if not place.take_out(self.host, self.fault.write):
                self.problems.append("the call was never made, so the fault did not happen")
            self.host.touched = bool(self.problems)

    def all(self) -> None:
        """From the beginning to the end."""
        self.prepare()
        if self.fault.phase == "before":
            self.happen()
        started = self.go()
        if self.fault.phase == "guest" and started:
            self.happen()
        if not self.is_down:
            self.come_back(started)
        self.must(self.fault.then, "then")
        self.verify()


def write_log(run: Run) -> str:
    """What there is to know about a fault that was not survived."""
    try:
        journal = run.host.call(JOURNAL).stdout
    except subprocess.TimeoutExpired as e:
        journal = f"no journal: {e}"
    console = run.host.lab("log", check=False).stdout[-4000:]
    return "\n".join([run.fault.name, *run.problems, "", "== start and end said", run.said,
                      "== journal", journal, "== console", console])


def run_fault(host: Host, fault: Fault) -> Result:
    """Try a fault."""
    begin = time.monotonic()
    with ThreadPoolExecutor() as pool:
        run = Run(host, fault, pool)
        try:
            run.all()
        except (AssertionError, LabError, subprocess.SubprocessError, OSError) as e:
            run.problems.append(str(e))
        seconds = time.monotonic() - begin
        log = write_log(run) if run.problems else ""
    return Result(fault, run.problems, seconds, log)
