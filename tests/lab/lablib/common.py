# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every part of the lab program needs: where things are, errors, deadlines."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator, Optional, TypeVar

SOURCE = Path(__file__).resolve().parent.parent

T = TypeVar("T")


class LabError(Exception):
    """Something a person can act on; its text is all they get to see."""


def state_dir() -> Path:
    """Where images and running labs live."""
    own = os.environ.get("GPU_GUEST_LAB_DIR")
    if own:
        return Path(own).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).absolute() / "gpu-guest" / "lab"


def say(text: str) -> None:
    """Progress, for people."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


def run(*args, **kwargs) -> subprocess.CompletedProcess:
    """Run a program that has to succeed; what it said is in the error if it does not."""
    args = [str(a) for a in args]
    try:
        return subprocess.run(args, check=True, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **kwargs)
    except FileNotFoundError as e:
        raise LabError(f"{args[0]} is not installed (tests/lab/packages lists what the lab needs)"
                       ) from e
    except subprocess.CalledProcessError as e:
        tail = "\n".join(e.stdout.splitlines()[-30:])
        raise LabError(f"{args[0]} failed with exit status {e.returncode}:\n{tail}") from e


def poll(check: Callable[[], Optional[T]], timeout: float, what: str, interval: float = 0.2) -> T:
    """Call check() until it returns something true; LabError after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise LabError(f"gave up after {timeout:.0f} s: {what}")
        time.sleep(interval)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; whoever comes second waits, and says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run's {path.name}")
            fcntl.flock(f, fcntl.LOCK_EX)
        yield
