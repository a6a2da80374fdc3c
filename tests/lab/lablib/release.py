# SPDX-License-Identifier: LGPL-2.1-or-later
"""Releases of Debian and Ubuntu as trees: where their packages come from, and how one works in them."""

import contextlib
import re
import tempfile
from pathlib import Path
from typing import Iterator, List

from .common import LabError, run, say

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# these have no updates beside them
ROLLING = "sid", "forky"
# Ubuntu's: from where mmdebstrap takes the first one, with the keyring of a package of Debian's
UBUNTU = "noble", "resolute", "stonking"
UBUNTU_KEYRING_RELEASE, UBUNTU_KEYRING_PACKAGE = "trixie", "ubuntu-archive-keyring"
UBUNTU_KEYRING = "usr/share/keyrings/ubuntu-archive-keyring.gpg"


def apt_sources(release: str, updates: bool = True) -> List[str]:
    """This machine's own Debian mirrors, as sources of the release, with its updates or without."""
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

    line = f"deb [signed-by={KEYRING}] {main[0]} {{}} main"
    if release in ROLLING or not updates:
        return [line.format(release)]
    lines = [line.format(suite) for suite in (release, f"{release}-updates")]
    lines += [f"deb [signed-by={KEYRING}] {uri} {release}-security main" for uri in security[:1]]
    if not security:
        say("no security mirror in this machine's apt sources, going without")
    return lines


@contextlib.contextmanager
def ubuntu_keyring() -> Iterator[Path]:
    """Ubuntu's keyring, for as long as it is needed."""
    with tempfile.TemporaryDirectory() as name:
        # apt reads it as another user
        Path(name).chmod(0o755)
        root = Path(name) / "root"
        run("mmdebstrap", "--variant=extract", "--mode=root", "--format=directory",
            f"--include={UBUNTU_KEYRING_PACKAGE}", UBUNTU_KEYRING_RELEASE, root,
            *apt_sources(UBUNTU_KEYRING_RELEASE))
        yield root / UBUNTU_KEYRING


def ubuntu_sources(release: str) -> List[str]:
    """As apt_sources(); mmdebstrap need not have heard of the release, but of the first one."""
    with tempfile.TemporaryDirectory() as name:
        found = Path(name) / "sources.list"
        run("mmdebstrap", "--variant=custom", "--mode=root", "--format=null", "--skip=update",
            "--components=main,universe", f'--setup-hook=cp "$1"/etc/apt/sources.list {found}', UBUNTU[0])
        return found.read_text(encoding="utf-8").replace(UBUNTU[0], release).splitlines()


def bootstrap(release: str, packages: List[str], out: Path, architecture: str = "amd64",
              updates: bool = True) -> None:
    """Install a release with these packages, and all that they need, into a tar archive."""
    part = out.with_suffix(".part.tar")
    with ubuntu_keyring() if release in UBUNTU else contextlib.nullcontext() as keyring:
        sources = ubuntu_sources(release) if keyring else apt_sources(release, updates)
        run("mmdebstrap", "--variant=minbase", "--mode=root", "--format=tar",
            f"--architecture={architecture}",
            "--aptopt=APT::Install-Recommends \"false\"", "--dpkgopt=force-unsafe-io",
            # a mirror may be some weeks behind
            "--aptopt=Acquire::Check-Valid-Until \"false\"",
            "--include=" + ",".join(packages), *([f"--keyring={keyring}"] if keyring else []),
            release, part, *sources)
    part.rename(out)


def unpack(base: Path, root: Path) -> None:
    """The first layer as a tree."""
    root.mkdir()
    run("tar", "-C", root, "-xf", base, "--numeric-owner", "--xattrs", "--xattrs-include=*")


def run_in(root: Path, *command: str) -> None:
    """Run a command in the tree, with the /proc that a kernel's build tools look into."""
    run("unshare", "--mount", "sh", "-c",
        'mount -t proc proc "$1/proc" && exec chroot "$@"', "sh", root, *command)
