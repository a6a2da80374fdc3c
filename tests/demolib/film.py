# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watches the hand-over and back: a picture for each change of the monitor, and who has what."""

import os
import shlex
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable, List, Optional

from lablib import screen
from lablib.common import LabError
from lablib.host import Host
from lablib.machine import Lab

from . import png
from .story import Act, Change, Shot, Story, read_journal, read_owners, shorten

OWNERS = Path(__file__).resolve().parent / "owners.sh"

# whose messages are shown: ours, the desktop's, and that of the guest's scope
UNITS = ("gpu-guest*", "display-manager.service", "lightdm.service", "machine-qemu*")

INTERVAL = 0.25
# how long a screen may take to be drawn: the picture that is kept is the one after that
SETTLE = 1.5
# how much of a dark screen is black: a cursor may blink on it, a line of text is more
DARK = 0.9995


def describe(picture: screen.Picture) -> str:
    """As the lab's screen.describe(), but for the cursor."""
    look = screen.describe(picture)
    dark = picture.pixels.count(0) > DARK * len(picture.pixels)
    return "black" if look == "text" and dark else look


class Film:
    """Decides which pictures are kept."""

    def __init__(self) -> None:
        self.frames: List[tuple[float, str, screen.Picture]] = []

    def add(self, at: float, picture: screen.Picture) -> Optional[str]:
        """A further look at the monitor; gives what it shows if that is new."""
        look = describe(picture)
        if self.frames and self.frames[-1][1] == look:
            since = self.frames[-1][0]
            if at - since < SETTLE:
                self.frames[-1] = (since, look, picture)
            return None
        self.frames.append((at, look, picture))
        return look

    def is_settled(self, look: str, now: float) -> bool:
        """Whether the monitor has shown this for a while: the picture that is kept is there."""
        if not self.frames:
            return False
        since, shown, _ = self.frames[-1]
        return shown == look and now - since > SETTLE + INTERVAL

    def shots(self, offset: float) -> List[Shot]:
        """The pictures, their time less an offset."""
        return [Shot(at - offset, look, png.encode(*picture)) for at, look, picture in self.frames]


class Watch:
    """A context in which a lab is watched."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.film = Film()
        self.changes: List[Change] = []
        # how far the lab's clock is behind ours and how long a line takes: the least there was
        self.offset = float("inf")
        self.error: Optional[BaseException] = None
        self.over = threading.Event()
        self.news = threading.Condition()

    def __enter__(self) -> "Watch":
        self.ssh = subprocess.Popen(
            ["ssh", *self.lab.ssh_options(), "root@lab", "--", "bash", "-c",
             shlex.quote(OWNERS.read_text(encoding="utf-8"))],
            cwd=self.lab.dir, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.threads = [threading.Thread(target=self.run, args=(work,), daemon=True)
                        for work in (self.look, self.read)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        assert self.ssh.stdin
        self.ssh.stdin.close()
        for thread in self.threads:
            thread.join(30)
        if self.ssh.poll() is None:
            self.ssh.kill()
        self.ssh.wait()

    def run(self, work: Callable[[], None]) -> None:
        """One of the threads; whoever waits for news is told of its failure."""
        try:
            work()
        except (LabError, OSError, ValueError, TypeError) as e:
            with self.news:
                self.error = e
                self.news.notify_all()

    def look(self) -> None:
        """The monitor."""
        path = self.lab.dir / f"film-{os.getpid()}.ppm"
        try:
            while not self.over.wait(INTERVAL):
                at = time.time()
                self.lab.screendump(path, "ppm")
                with self.news:
                    if self.film.add(at, screen.read_ppm(path.read_bytes())):
                        self.news.notify_all()
        finally:
            path.unlink(missing_ok=True)

    def read(self) -> None:
        """Who has what."""
        assert self.ssh.stdout
        for line in self.ssh.stdout:
            now = time.time()
            change = read_owners(line)
            with self.news:
                self.changes = shorten([*self.changes, change])
                self.offset = min(self.offset, now - change.at)
                self.news.notify_all()
        if not self.over.is_set():
            raise LabError("nobody tells any more who has what: ssh has ended")

    def wait(self, look: str, timeout: float) -> None:
        """Until the monitor shows this, and nothing else for as long as drawing it may take."""
        deadline = time.monotonic() + timeout
        with self.news:
            while not self.error and not (self.changes and self.film.is_settled(look, time.time())):
                if time.monotonic() > deadline:
                    shown = self.film.frames[-1][1] if self.film.frames else "nothing yet"
                    raise LabError(f"the monitor did not show {look} within {timeout:.0f} s, "
                                   f"it shows {shown}")
                self.news.wait(INTERVAL)
        if self.error:
            raise LabError(f"the lab cannot be watched: {self.error}") from self.error

    def now(self) -> float:
        """By the lab's clock."""
        return time.time() - self.offset


def perform(host: Host) -> Story:
    """A guest gets the GPU and is shut down again."""
    story = Story()
    with Watch(host.machine) as watch:
        watch.wait("desktop", 60)
        for command, look in (("virsh start painter", "guest"),
                              ("virsh shutdown painter", "desktop")):
            story.acts.append(Act(watch.now(), command))
            host.run(command)
            watch.wait(look, 180)
        # services that were stopped start after the desktop
        host.wait_jobs()
        watch.wait("desktop", 60)
        story.shots = watch.film.shots(watch.offset)
        story.changes = watch.changes
    units = " ".join(f"-u '{unit}'" for unit in UNITS)
    since = story.start() - 1
    story.lines = read_journal(host.run(f"journalctl -b -o json --since=@{since:.3f} {units}"))
    story.failed = host.run("systemctl list-units --failed --plain --no-legend")
    return story
