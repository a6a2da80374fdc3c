# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab's disk image, its kernel and its initramfs.

Made in two layers, each cached under the hash of what goes in: the release's
packages (minutes), then our modules, guests and files in them (a minute).
"""

import hashlib
import itertools
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Iterable, List, NamedTuple, Set

from .common import LabError, SOURCE, locked, run, say, state_dir

# Counts up when the way an image is made changes, rather than what goes in
VERSION = 1

DISK_SIZE = "8G"
KEEP_SECONDS = 24 * 3600
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Packages(NamedTuple):
    """A release's package list: what stays in the image and what only builds it."""
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


def packages(release: str) -> Packages:
    """Read image/releases/RELEASE."""
    if release not in releases():
        raise LabError(f"no release '{release}', there is: {' '.join(releases())}")

    found = Packages([], [])
    text = (SOURCE / "image/releases" / release).read_text(encoding="utf-8")
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words:
            (found.build if "[build]" in words[1:] else found.stay).append(words[0])
    return found


def digest(*parts: str) -> str:
    """A short name for what goes in."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def sources() -> Iterable[Path]:
    """Every file that the second layer is made of."""
    yield SOURCE / "image/customize"
    for tree, pattern in ("image/files", "**/*"), ("kernel", "*"), ("guest", "*"):
        for path in sorted((SOURCE / tree).glob(pattern)):
            if path.is_file() and (tree == "image/files" or
                                   path.suffix in (".c", ".ld", ".xml") or
                                   path.name in ("Kbuild", "Makefile")):
                yield path


def base_key(release: str) -> str:
    """Key of the first layer."""
    lists = packages(release)
    return digest(str(VERSION), release, *sorted(lists.stay), "-", *sorted(lists.build))


def image_key(release: str) -> str:
    """Key of the image."""
    parts = [base_key(release)]
    for path in sources():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        parts.append(f"{path.relative_to(SOURCE)} {path.stat().st_mode & 0o111} {content}")
    return digest(*parts)


def apt_sources(release: str) -> List[str]:
    """This machine's own Debian mirrors, as sources of the release."""
    targets = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)",
                  "Created-By: Packages").stdout
    entries = [line.split() for line in targets.splitlines() if len(line.split()) == 2]
    suites = {suite for _, suite in entries}

    # Only Debian itself has a suite beside its -updates
    main = [uri for uri, suite in entries if f"{suite}-updates" in suites]
    security = [uri for uri, suite in entries if re.fullmatch(r"\w+(-security|/updates)", suite)]
    if not main:
        main = [uri for uri, suite in entries if suite == release]
    if not main:
        raise LabError("found no Debian mirror in this machine's apt sources")

    lines = [f"deb [signed-by={KEYRING}] {main[0]} {suite} main"
             for suite in (release, f"{release}-updates")]
    lines += [f"deb [signed-by={KEYRING}] {uri} {release}-security main" for uri in security[:1]]
    if not security:
        say("no security mirror in this machine's apt sources, going without")
    return lines


def make_base(release: str, base: Path) -> None:
    """First layer: the release with its packages, as a tar archive."""
    lists = packages(release)
    part = base.with_suffix(".part.tar")
    say(f"installing {release}'s packages, which takes a few minutes")
    run("mmdebstrap", "--variant=minbase", "--mode=root", "--format=tar",
        "--aptopt=APT::Install-Recommends \"false\"", "--dpkgopt=force-unsafe-io",
        "--include=" + ",".join(lists.stay + lists.build),
        release, part, *apt_sources(release))
    part.rename(base)


def make_image(release: str, base: Path, out: Path) -> None:
    """Second layer: our files in it, and the whole as a disk."""
    root = out / "root"
    root.mkdir()
    run("tar", "-C", root, "-xf", base, "--numeric-owner", "--xattrs", "--xattrs-include=*")
    run("cp", "-r", "--no-preserve=ownership", "--preserve=mode",
        f"{SOURCE}/image/files/.", root)
    build = root / "build"
    build.mkdir()
    for name in "kernel", "guest", "image/customize":
        run("cp", "-r", SOURCE / name, build)
    (build / "packages").write_text("\n".join(packages(release).build), encoding="ascii")

    say("building the modules and the guest")
    run("chroot", root, "/build/customize")
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


def build(release: str, in_use: Set[Path]) -> Image:
    """The release's image, made first if it is not there. Images in_use are kept."""
    images, bases = state_dir() / "images", state_dir() / "bases"
    done = images / f"{release}-{image_key(release)}"
    image = Image(done / "disk", done / "vmlinuz", done / "initrd")

    with locked(state_dir() / "build.lock"):
        if done.exists():
            return image
        if os.geteuid() != 0:
            raise LabError("an image can only be built by root")
        images.mkdir(parents=True, exist_ok=True)
        bases.mkdir(parents=True, exist_ok=True)
        base = bases / f"{release}-{base_key(release)}.tar"
        if not base.exists():
            make_base(release, base)
        work = Path(tempfile.mkdtemp(prefix=".build-", dir=images))
        try:
            make_image(release, base, work)
            if done.name != f"{release}-{image_key(release)}":
                raise LabError("the lab's sources changed while the image was being made")
            work.chmod(0o755)
            work.rename(done)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        prune({done, base, *in_use})
    return image
