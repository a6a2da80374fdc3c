# SPDX-License-Identifier: LGPL-2.1-or-later
"""The labs on which faults are tried: booted once, with all that is needed, and kept as a snapshot."""

import contextlib
from pathlib import Path
from typing import Iterator

from ..host import Host
from . import place


@contextlib.contextmanager
def booted(name: str, bundle: Path, inject: Path, device: str = "") -> Iterator[Host]:
    """A lab at its desktop, saved; gone in the end."""
    host = Host(name, str(bundle))
    host.lab("down", check=False)
    try:
        host.up("--root", str(bundle), *(["--device", device] if device else []))
        host.wait_look("desktop")
        place.install(host, inject)
        # a first guest costs libvirt more than the ones after it
        host.start_and_stop_plain()
        host.lab("save", place.SNAPSHOT)
        yield host
    finally:
        host.lab("down", check=False)
