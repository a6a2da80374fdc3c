# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab's disk image, its kernel and its initramfs.

One for each release and desktop. Made in two layers, each cached under the hash of what goes in: the
packages (minutes), then our modules, guests and files in them (a minute).
"""

import contextlib
import hashlib
import itertools
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Iterable, List, NamedTuple, Set

from . import release
from .common import LabError, SOURCE, locked, run, say, state_dir

# Counts up when the way an image is made changes, rather than what goes in
VERSION = 1

DISK_SIZE = "8G"
KEEP_SECONDS = 24 * 3600


class Kind(NamedTuple):
    """What an image is made for."""
    release: str
    desktop: str

    def __str__(self) -> str:
        return f"{self.release}-{self.desktop}"


class Packages(NamedTuple):
    """Packages: what stays in the image and what only builds it."""
    stay: List[str]
    build: List[str]


class Image(NamedTuple):
    """A built image."""
    disk: Path
    kernel: Path
    initrd: Path


def releases() -> List[str]:
    """Releases that a lab can be made of."""
    return sorted(p.name for p in (SOURCE / "image/releases").iterdir())


def desktops() -> List[str]:
    """Desktops that it can have."""
    return sorted(p.name for p in (SOURCE / "image/desktops").iterdir())


def packages(kind: Kind) -> Packages:
    """Read what is listed for all, for the release and for the desktop."""
    if kind.release not in releases():
        raise LabError(f"no release '{kind.release}', there is: {' '.join(releases())}")
    if kind.desktop not in desktops():
        raise LabError(f"no desktop '{kind.desktop}', there is: {' '.join(desktops())}")

    found = Packages([], [])
    for path in "packages", f"releases/{kind.release}", f"desktops/{kind.desktop}/packages":
        for line in (SOURCE / "image" / path).read_text(encoding="utf-8").splitlines():
            words = line.partition("#")[0].split()
            if words:
                (found.build if "[build]" in words[1:] else found.stay).append(words[0])
    return found


def digest(*parts: str) -> str:
    """A short name for what goes in."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def overlays(kind: Kind) -> List[Path]:
    """The trees that are laid over it, in this order."""
    return [SOURCE / "image/files", SOURCE / "image/desktops" / kind.desktop / "files"]


def customize(kind: Kind) -> Path:
    """What is done for the desktop, if anything is."""
    return SOURCE / "image/desktops" / kind.desktop / "customize"


def sources(kind: Kind) -> Iterable[Path]:
    """Every file that the second layer is made of."""
    yield SOURCE / "image/customize"
    if customize(kind).exists():
        yield customize(kind)
    for tree in overlays(kind):
        yield from (path for path in sorted(tree.glob("**/*")) if path.is_file())
    for tree in "kernel", "guest":
        for path in sorted((SOURCE / tree).glob("*")):
            if path.suffix in (".c", ".ld", ".xml") or path.name in ("Kbuild", "Makefile"):
                yield path


def base_key(kind: Kind) -> str:
    """Key of the first layer."""
    lists = packages(kind)
    # what is always new is made anew each week
    week = [time.strftime("%G-%V")] if kind.release in release.ROLLING else []
    return digest(str(VERSION), kind.release, *sorted(lists.stay), "-", *sorted(lists.build), *week)


def image_key(kind: Kind) -> str:
    """Key of the image."""
    parts = [base_key(kind)]
    for path in sources(kind):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        parts.append(f"{path.relative_to(SOURCE)} {path.stat().st_mode & 0o111} {content}")
    return digest(*parts)


def building():
    """Only one image or bundle is built at a time."""
    return locked(state_dir() / "build.lock")


def make_base(kind: Kind, base: Path) -> None:
    """First layer: the release with the packages, as a tar archive."""
    lists = packages(kind)
    say(f"installing the packages of {kind}, which takes a few minutes")
    release.bootstrap(kind.release, lists.stay + lists.build, base)


def make_image(kind: Kind, base: Path, out: Path) -> None:
    """Second layer: our files in it, and the whole as a disk."""
    root = out / "root"
    release.unpack(base, root)
    for tree in overlays(kind):
        run("cp", "-r", "--no-preserve=ownership", "--preserve=mode", f"{tree}/.", root)
    build = root / "build"
    build.mkdir()
    for name in "kernel", "guest", "image/customize":
        run("cp", "-r", SOURCE / name, build)
    if (own := customize(kind)).exists():
        run("cp", own, build / "customize-desktop")
    (build / "packages").write_text("\n".join(packages(kind).build), encoding="ascii")

    say("building the modules and the guest")
    release.run_in(root, "/build/customize")
    for name in "vmlinuz", "initrd.img":
        found = sorted((root / "boot").glob(f"{name}-*"))
        if len(found) != 1:
            raise LabError(f"the image has {len(found)} files /boot/{name}-*, wanted one")
        shutil.copyfile(found[0], out / name.partition(".")[0])

    say("making the disk")
    run("mkfs.ext4", "-q", "-d", root, "-L", "lab", "-m", "0",
        "-E", "lazy_itable_init=0,lazy_journal_init=0", out / "disk", DISK_SIZE)
    shutil.rmtree(root)


def prune(keep: Set[Path]) -> None:
    """Remove images that are not of today and that no lab stands on."""
    for path in itertools.chain((state_dir() / "images").iterdir(),
                                (state_dir() / "bases").iterdir()):
        if path in keep or time.time() - path.stat().st_mtime < KEEP_SECONDS:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def is_there(image: Path) -> bool:
    """Whether an image is there. It is one of today then: the lab that is to stand on it is not yet
    known to prune()."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        os.utime(image)
    return image.exists()


def need_base(kind: Kind) -> Path:
    """The first layer, made first if it is not there. The caller has the lock."""
    if os.geteuid() != 0:
        raise LabError("an image can only be built by root")
    base = state_dir() / "bases" / f"{kind}-{base_key(kind)}.tar"
    base.parent.mkdir(parents=True, exist_ok=True)
    if not base.exists():
        make_base(kind, base)
    return base


def build(kind: Kind, in_use: Set[Path]) -> Image:
    """The image, made first if it is not there. Images in_use are kept."""
    images = state_dir() / "images"
    done = images / f"{kind}-{image_key(kind)}"
    image = Image(done / "disk", done / "vmlinuz", done / "initrd")

    # not behind others that are being made
    if is_there(done):
        return image
    with building():
        if is_there(done):
            return image
        base = need_base(kind)
        images.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".build-", dir=images))
        try:
            make_image(kind, base, work)
            if done.name != f"{kind}-{image_key(kind)}":
                raise LabError("the lab's sources changed while the image was being made")
            work.chmod(0o755)
            work.rename(done)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        prune({done, base, *in_use})
    return image
