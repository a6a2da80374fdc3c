# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a boot gets beside the image: a tree to lay over its root, and the ssh key.

They travel as a tar archive in a second cpio archive behind the initramfs (the
kernel unpacks both); image/files' lab-payload script lays the tar over the root
before systemd starts.
"""

import io
import tarfile
from pathlib import Path
from typing import Optional

from .common import LabError, locked, run, state_dir

AUTHORIZED_KEYS = "etc/ssh/lab_authorized_keys"


def ssh_key() -> Path:
    """The private key of this cache's labs."""
    key = state_dir() / "key"
    # the first two labs of a cache may boot side by side
    with locked(state_dir() / "key.lock"):
        if not key.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "gpu-guest lab", "-f", key)
    return key


def own_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The tree belongs to whoever built it, the files to root."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def make_tar(root: Optional[Path]) -> bytes:
    """The payload proper."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        if root:
            if not root.is_dir():
                raise LabError(f"{root}: no such directory")
            for child in sorted(root.iterdir()):
                tar.add(child, child.name, filter=own_by_root)
        public = ssh_key().with_suffix(".pub").read_bytes()
        member = own_by_root(tarfile.TarInfo(AUTHORIZED_KEYS))
        member.size, member.mode = len(public), 0o644
        tar.addfile(member, io.BytesIO(public))
    return out.getvalue()


def make_cpio(name: str, data: bytes) -> bytes:
    """A cpio archive (newc) of one file."""
    def entry(name: str, mode: int, data: bytes, links: int = 1) -> bytes:
        fields = (0, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)

    return entry(name, 0o100600, data) + entry("TRAILER!!!", 0, b"")


def write_initrd(initrd: Path, root: Optional[Path], out: Path) -> None:
    """Write the image's initramfs with the payload behind it."""
    data = initrd.read_bytes()
    payload = make_cpio("lab-payload.tar", make_tar(root))
    out.write_bytes(data + bytes(-len(data) % 4) + payload)
