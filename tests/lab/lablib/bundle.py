# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's package of the tree, built with a release's own compiler and libraries.

In a chroot of the release, which is the first layer of its image (image.py). No test runs there: those
that need no host run where the tree is.
"""

import shutil
import tempfile
from pathlib import Path

from . import image, release
from .common import SOURCE, run, say, state_dir

TOP = SOURCE.parent.parent
# any will do: it is the one that most have
DESKTOP = "openbox"

BUILD = """set -e
cd /build/source
cp -r packaging/debian debian
export DEB_BUILD_OPTIONS=nocheck DEB_BUILD_PROFILES=nocheck LC_ALL=C.UTF-8
dpkg-buildpackage --no-check-builddeps -b -us -uc
dpkg-deb --extract ../gpu-guest_*.deb /build/out/root
mv ../gpu-guest_*.deb /build/out
"""


def copy_source(target: Path) -> None:
    """The files that git knows, as they are now."""
    listed = run("git", "-c", "safe.directory=*", "ls-files", "-z", cwd=TOP).stdout
    for name in filter(None, listed.split("\0")):
        if (TOP / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, target / name)


def build(name: str, out: Path) -> None:
    """Build it for the release of this name into the directory, whose content is replaced: the
    package, and beside it what is in it, as root."""
    with image.building():
        base = image.need_base(image.Kind(name, DESKTOP))
        work = Path(tempfile.mkdtemp(prefix="bundle-", dir=state_dir()))
        try:
            root = work / "root"
            release.unpack(base, root)
            copy_source(root / "build" / "source")
            (root / "build" / "out").mkdir()
            say(f"building for {name}")
            release.run_in(root, "sh", "-c", BUILD)
            shutil.rmtree(out, ignore_errors=True)
            out.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(root / "build" / "out", out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
