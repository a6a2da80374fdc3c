# SPDX-License-Identifier: LGPL-2.1-or-later
"""Releases as containers (systemd-nspawn), for what needs no kernel of its own. They need root."""

import hashlib
from pathlib import Path
from typing import List

from . import release
from .common import locked, state_dir


def need_base(purpose: str, name: str, architecture: str, packages: List[str],
              updates: bool = True) -> Path:
    """A release with these packages as an archive, made first if it is not in the cache."""
    key = hashlib.sha256("\0".join([name, architecture, *packages]).encode()).hexdigest()[:16]
    base = state_dir() / "containers" / f"{purpose}-{name}-{architecture}-{key}.tar"
    with locked(state_dir() / "containers.lock"):
        base.parent.mkdir(parents=True, exist_ok=True)
        for other in base.parent.glob(f"{purpose}-{name}-{architecture}-*"):
            if other != base:
                other.unlink()
        if not base.exists():
            release.bootstrap(name, packages, base, architecture, updates)
    return base


def command(root: Path, *options: str) -> List[str]:
    """What runs a program in the tree, which is to be appended, with further options of systemd-nspawn's."""
    # a mount on /etc/localtime would be in the way of tzdata's installation
    return ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--capability=all",
            "--timezone=off", f"--directory={root}", *options]
