# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole hand-over, and back, by helpers that were built with AddressSanitizer and
UndefinedBehaviorSanitizer. GPU_GUEST_SANITIZED names the tree."""

import os
import subprocess
from pathlib import Path

from lablib.host import LAB

# looking for leaks takes system calls that the units do not allow; the unit tests do it
DROP_IN = "[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1\n"


def test_hand_over_with_sanitizers(host):
    tree = os.environ.get("GPU_GUEST_SANITIZED")
    assert tree and Path(tree).is_dir(), "GPU_GUEST_SANITIZED is not set: tests/run does that"
    tar = subprocess.run(["tar", "-C", tree, "-c", "."], check=True, stdout=subprocess.PIPE)
    subprocess.run([LAB, "ssh", "--name", host.name, "--",
                    "tar -C / --no-overwrite-dir --keep-directory-symlink -xm"],
                   input=tar.stdout, check=True)
    for unit in "gpu-guest-.service", "gpu-guest@.service":
        host.write(f"/run/systemd/system/{unit}.d/sanitizers.conf", DROP_IN)
    host.run("systemctl daemon-reload")
    assert host.run("grep -L AddressSanitizer /usr/libexec/gpu-guest/* || :") == ""

    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    host.run("systemctl start graphical.target")
    host.assert_has_gpu()
    # what they find of the hook's own program, which libvirt hears, has refused the start
    journal = host.journal()
    assert "Sanitizer" not in journal and "runtime error" not in journal
