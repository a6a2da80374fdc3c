#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs libvirt's hook, and the program it asks, without libvirt, systemd and a GPU.

The hook is the template's text with directories of ours in it, so that its fixed PATH finds a
systemctl and a gpu-guest-lease that write down how they were called. The real gpu-guest-lease is
given XML of every kind, and a GPU by umockdev.

Usage: test-hook.py TEMPLATE GPU-GUEST-LEASE
"""

import contextlib
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TEMPLATE = pathlib.Path(sys.argv[1])
LEASE = pathlib.Path(sys.argv[2]).resolve()

# a build with sanitizers: its memory is far beyond any limit
SANITIZED = b"__asan_init" in LEASE.read_bytes()

UUID = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
UUID_UNIT = "gpu-guest@4dea22b3\\x2d1d52\\x2dd8f3\\x2d2516\\x2d782e98ab3fa0.service"

HOSTILE_NAMES = [
    "--help",
    "--",
    "-",
    "a b",
    "../../x",
    ";reboot",
    "$(reboot)",
    "`reboot`",
    "*",
    "a\nb",
    "a\\b",
    "a'b\"c",
    "café",
    b"\xff\xfe",
    "x" * 200,
    "",
]
OTHER_OPERATIONS = [
    "start",
    "started",
    "stopped",
    "reconnect",
    "restore",
    "migrate",
    "attach",
    "unknown",
    "PREPARE",
    "prepare ",
    "--help",
    "*",
    "",
]

# Writes down its call, the arguments separated by NUL bytes, and behaves as it is told.
FAKE = """#!/bin/sh
{{
        printf '%s\\0' "${{0##*/}}" "$@"
        printf '\\1'
}} >>"{dir}/calls"
cd "{dir}"
{behaviour}
"""

# the domain has the card
GOOD_LEASE = """
case $1 in
        --exec=*) exec "${1#--exec=}" "$3" lease begin gpu-guest@win10.service ;;
        --release) exec "${2#--exec=}" "$4" lease end gpu-guest@win10.service ;;
esac
"""
GOOD_SYSTEMCTL = ""

# systemctl of a machine where steps failed, and the lease's start with them
FAILING_SYSTEMCTL = """
failing=" {failing} " text={text}
for unit; do :; done
case "$*" in
        show*Result*) [ "${{failing#* $unit }}" = "$failing" ] && echo success || echo exit-code ;;
        show*) printf '%s\\n' "$text" ;;
        start*)
                [ "${{failing#* $unit }}" != "$failing" ] ||
                        [ "$unit" != "${{unit#gpu-guest@}}" ] || exit 0
                echo "A dependency job for $unit failed. See 'journalctl -xe' for details." >&2
                exit 1
                ;;
esac
"""

CHECK = [b"systemctl", b"start", b"gpu-guest-check.service"]
RESET = [b"systemctl", b"reset-failed", b"gpu-guest-*.service"]
START = [b"systemctl", b"start", b"--", b"gpu-guest@win10.service"]
STOP = [b"systemctl", b"--no-block", b"stop", b"--", b"gpu-guest@win10.service"]


class Directory(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gpu-guest-test-"))
        self.addCleanup(shutil.rmtree, self.dir)


class Hook(Directory):
    """The hook, with everything it calls faked."""

    def setUp(self):
        super().setUp()
        text = TEMPLATE.read_text()
        for name in "sbindir", "bindir":
            self.assertIn(f"@{name}@", text)
            text = text.replace(f"@{name}@", str(self.dir))
        self.hook = self.dir / "hook"
        self.marks_dir = self.dir / "run"
        self.marks_dir.mkdir()
        self.assertIn(" /run/gpu-guest@", text)
        self.slice = self.dir / "cgroup" / "system.slice" / "system-gpu\\x2dguest.slice"
        self.assertIn("'/sys/fs/cgroup/", text)
        text = text.replace("'/sys/fs/cgroup/", f"'{self.dir}/cgroup/")
        self.write(self.hook, re.sub(r'(?<=[ ="])/run/', f"{self.marks_dir}/", text))
        self.behave("gpu-guest-lease", GOOD_LEASE)
        self.behave("systemctl", GOOD_SYSTEMCTL)

    def write(self, path, text):
        path.write_text(text)
        path.chmod(0o755)

    def behave(self, name, code):
        self.write(self.dir / name, FAKE.format(dir=self.dir, behaviour=code))

    def run_hook(self, *arguments, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            [self.hook, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=20,
            env={"LC_ALL": "C", "PATH": "/nonexistent"},
            cwd="/",
            **kwargs,
        )

    def calls(self):
        path = self.dir / "calls"
        data = path.read_bytes() if path.exists() else b""
        path.unlink(missing_ok=True)
        return [call.split(b"\0")[:-1] for call in data.split(b"\1")[:-1]]

    def asked(self, domain_name="win10", options=()):
        """What gpu-guest-lease is asked at the start of a domain."""
        exe = b"--exec=" + os.fsencode(self.hook)
        return [b"gpu-guest-lease", *options, exe, b"--", os.fsencode(domain_name)]

    def asked_at_end(self, domain_name="win10"):
        """And at its end."""
        return self.asked(domain_name, [b"--release"])

    def marks(self):
        return sorted(path.name for path in self.marks_dir.iterdir())

    def assert_silent(self, result):
        self.assertEqual((result.stdout, result.stderr), (b"", b""))

    def test_prepare(self):
        result = self.run_hook("win10", "prepare", "begin", "-")
        self.assertEqual(self.calls(), [self.asked(), CHECK, RESET, START])
        self.assertEqual(result.returncode, 0)
        self.assert_silent(result)
        self.assertEqual(self.marks(), ["gpu-guest@win10.service"])

    def test_prepare_waits_on_the_message_bus(self):
        """systemctl's own connection to systemd does not survive an upgrade of that."""
        self.behave("systemctl", 'echo "$1 ${SYSTEMCTL_FORCE_BUS-}" >>seen')
        self.run_hook("win10", "prepare", "begin", "-")
        seen = (self.dir / "seen").read_text().splitlines()
        self.assertEqual([line for line in seen if line.startswith("start")], ["start 1"] * 2)

    def test_prepare_relative(self):
        """As a person may run it."""
        for command in [f"./{self.hook.name}"], ["sh", self.hook.name]:
            with self.subTest(command=command):
                result = subprocess.run([*command, "win10", "prepare", "begin"], cwd=self.dir,
                                        stdin=subprocess.DEVNULL, capture_output=True)
                exe = b"--exec=" + os.fsencode(command[-1])
                self.assertEqual(
                    self.calls(), [[b"gpu-guest-lease", exe, b"--", b"win10"], CHECK, RESET, START]
                )
                self.assertEqual((result.returncode, result.stderr), (0, b""))

    def test_other_version(self):
        """What package managers leave in the directory runs as well, and must do nothing."""
        for ending in "dpkg-dist", "dpkg-new", "dpkg-old", "rpmnew", "rpmsave", "pacnew", "pacsave":
            other = self.hook.rename(self.dir / f"gpu-guest.{ending}")
            for operation in "prepare", "release":
                with self.subTest(ending=ending, operation=operation):
                    self.hook = other
                    result = self.run_hook("win10", operation, "begin", "-")
                    self.assertEqual(self.calls(), [])
                    self.assertEqual(result.returncode, 0)
                    self.assert_silent(result)

    def test_prepare_other_domain(self):
        self.behave("gpu-guest-lease", "")
        result = self.run_hook("other", "prepare", "begin", "-")
        self.assertEqual(self.calls(), [self.asked("other")])
        self.assertEqual(result.returncode, 0)
        self.assert_silent(result)
        self.assertEqual(self.marks(), [])

    def test_prepare_unreadable(self):
        self.behave("gpu-guest-lease", "echo 'gpu-guest-lease: that is why' >&2; exit 1")
        result = self.run_hook("win10", "prepare", "begin", "-")
        self.assertEqual(self.calls(), [self.asked()])
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(result.stderr, b"gpu-guest-lease: that is why\n")

    def test_prepare_xml_goes_through(self):
        self.behave("gpu-guest-lease", "cat >stdin")
        self.run_hook("win10", "prepare", "begin", "-", stdin=None, input=b"<domain/>")
        self.assertEqual((self.dir / "stdin").read_text(), "<domain/>")

    def failing(self, failing, text):
        code = FAILING_SYSTEMCTL.format(failing=" ".join(failing), text=shlex.quote(text))
        self.behave("systemctl", code)
        result = self.run_hook("win10", "prepare", "begin", "-")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, b"")
        lines = result.stderr.decode().splitlines()
        self.assertEqual(lines[0], "The graphics card cannot go to the guest.")
        self.assertEqual(lines[-1], "More about it: sudo journalctl -b -x -u 'gpu-guest*'")
        return lines[1:-1]

    def test_check_fails(self):
        lines = self.failing(["gpu-guest-check.service"], "There is no IOMMU.")
        self.assertEqual(lines, ["gpu-guest-check.service (exit-code): There is no IOMMU."])
        self.assertEqual(self.marks(), [])
        # the desktop was not touched, and only the check was asked
        self.assertEqual(
            self.calls()[1:],
            [
                CHECK,
                *(
                    [
                        b"systemctl",
                        b"show",
                        b"--value",
                        b"--property=" + wanted,
                        b"gpu-guest-check.service",
                    ]
                    for wanted in (b"Result", b"StatusText")
                ),
            ],
        )

    def test_step_fails(self):
        for step in "desktop", "seat", "audio", "vtcon", "vfio":
            with self.subTest(step=step):
                unit = f"gpu-guest-{step}.service"
                lines = self.failing([unit], "50% of $HOME\\n")
                self.assertEqual(lines, [f"{unit} (exit-code): 50% of $HOME\\n"])
                self.assertEqual(self.calls()[1:4], [CHECK, RESET, START])
                # its start may be going on all the same
                self.assertEqual(self.marks(), ["gpu-guest@win10.service"])

    def test_two_steps_fail(self):
        units = ["gpu-guest-seat.service", "gpu-guest-vfio.service"]
        lines = self.failing(units, "This.")
        self.assertEqual(lines, [f"{unit} (exit-code): This." for unit in units])

    def test_no_step_failed(self):
        """The lease itself did, or the transaction was refused."""
        lines = self.failing([], "")
        self.assertEqual(len(lines), 1)
        self.assertIn("dependency job for gpu-guest@win10.service", lines[0])

    def test_prepare_no_mark(self):
        """A lease that release would not know of is not taken."""
        self.marks_dir.rmdir()
        self.marks_dir.touch()
        result = self.run_hook("win10", "prepare", "begin", "-")
        self.assertEqual(self.calls(), [self.asked(), CHECK, RESET])
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"mkdir: ", result.stderr)

    def test_mark_comes_first(self):
        """Whoever is killed while the lease is still starting has left what release looks for."""
        self.behave("systemctl", f"case $* in 'start -- gpu'*) ls '{self.marks_dir}' >seen ;; esac")
        self.run_hook("win10", "prepare", "begin", "-")
        self.assertEqual((self.dir / "seen").read_text(), "gpu-guest@win10.service\n")

    def test_release(self):
        (self.marks_dir / "gpu-guest@win10.service").mkdir()
        result = self.run_hook("win10", "release", "end", "destroyed")
        self.assertEqual(self.calls(), [self.asked_at_end(), STOP])
        self.assertEqual(result.returncode, 0)
        self.assert_silent(result)
        self.assertEqual(self.marks(), [])

    def test_release_lease_by_hand(self):
        """Nobody has run prepare for it."""
        (self.slice / "gpu-guest@win10.service").mkdir(parents=True)
        result = self.run_hook("win10", "release", "end", "destroyed")
        self.assertEqual(self.calls(), [self.asked_at_end(), STOP])
        self.assertEqual(result.returncode, 0)
        self.assert_silent(result)

    def test_release_no_lease(self):
        """Nothing is run for other people's domains."""
        result = self.run_hook("win10", "release", "end", "destroyed")
        self.assertEqual(self.calls(), [])
        self.assertEqual(result.returncode, 0)
        self.assert_silent(result)

    def test_release_lease_of_another(self):
        """gpu-guest-lease knows which lease would be this domain's."""
        self.behave("gpu-guest-lease", "")
        (self.marks_dir / "gpu-guest@other.service").mkdir()
        result = self.run_hook("win10", "release", "end", "destroyed")
        self.assertEqual(self.calls(), [self.asked_at_end()])
        self.assertEqual(result.returncode, 0)
        self.assert_silent(result)
        self.assertEqual(self.marks(), ["gpu-guest@other.service"])

    def test_prepare_and_release(self):
        """Whatever the unit's name may have in it, release finds what prepare has left."""
        for instance in "a\\x20b", "win10", "x" * 237, "\\x2a", "\\x2e.-..-x", "a.service":
            with self.subTest(instance=instance):
                unit = f"gpu-guest@{instance}.service"
                self.behave("gpu-guest-lease",
                            GOOD_LEASE.replace("gpu-guest@win10.service", shlex.quote(unit)))
                self.assertEqual(self.run_hook("x", "prepare", "begin", "-").returncode, 0)
                self.assertEqual(self.calls()[-1], [*START[:-1], unit.encode()])
                self.assertEqual(self.run_hook("x", "release", "end", "-").returncode, 0)
                self.assertEqual(self.calls()[-1], [*STOP[:-1], unit.encode()])
                self.assertEqual(self.marks(), [])

    def test_release_never_fails(self):
        (self.marks_dir / "gpu-guest@win10.service").mkdir()
        self.behave("systemctl", "echo 'Unit gpu-guest@win10.service not loaded.' >&2; exit 5")
        result = self.run_hook("win10", "release", "end", "-")
        self.assertEqual(result.returncode, 0)
        self.assert_silent(result)
        self.calls()

        (self.marks_dir / "gpu-guest@win10.service").mkdir()
        self.behave("gpu-guest-lease", "echo 'gpu-guest-lease: cannot' >&2; exit 1")
        result = self.run_hook("win10", "release", "end", "-")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(self.calls(), [self.asked_at_end()])

        (self.dir / "systemctl").unlink()
        self.behave("gpu-guest-lease", "kill -9 $$")
        self.assertEqual(self.run_hook("win10", "release", "end", "-").returncode, 0)

    def test_other_operations(self):
        (self.dir / "unread").write_bytes(b"<domain/>")
        for operation in OTHER_OPERATIONS:
            with self.subTest(operation=operation), open(self.dir / "unread", "rb") as stdin:
                result = self.run_hook("win10", operation, "begin", "-", stdin=stdin)
                self.assertEqual(os.lseek(stdin.fileno(), 0, os.SEEK_CUR), 0, "stdin was read")
                self.assertEqual(result.returncode, 0)
                self.assert_silent(result)
                self.assertEqual(self.calls(), [])

    def test_missing_arguments(self):
        for arguments in [], ["win10"], [""]:
            with self.subTest(arguments=arguments):
                result = self.run_hook(*arguments)
                self.assertEqual(result.returncode, 0)
                self.assert_silent(result)
                self.assertEqual(self.calls(), [])

    def test_hostile_names(self):
        for name in HOSTILE_NAMES:
            with self.subTest(name=name):
                self.assertEqual(self.run_hook(name, "prepare", "begin", "-").returncode, 0)
                self.assertEqual(self.calls(), [self.asked(name), CHECK, RESET, START])
                self.assertEqual(self.run_hook(name, "release", "end", "-").returncode, 0)
                self.assertEqual(self.calls(), [self.asked_at_end(name), STOP])

    def test_bundle_removed(self):
        (self.dir / "gpu-guest-lease").unlink()
        for operation in "prepare", "release", "reconnect":
            with self.subTest(operation=operation):
                result = self.run_hook("win10", operation, "begin", "-")
                self.assertEqual(result.returncode, 0)
                self.assert_silent(result)
                self.assertEqual(self.calls(), [])

    def test_nothing_stays_behind(self):
        """What libvirt reads comes to its end with the hook: nobody else holds the pipe."""
        (self.marks_dir / "gpu-guest@win10.service").mkdir()
        for operation in "prepare", "release", "start":
            with self.subTest(operation=operation):
                read, write = os.pipe()
                with os.fdopen(read, "rb") as pipe:
                    hook = subprocess.Popen(
                        [self.hook, "win10", operation, "begin", "-"],
                        stdin=subprocess.DEVNULL,
                        stdout=write,
                        stderr=write,
                    )
                    os.close(write)
                    hook.wait(20)
                    os.set_blocking(read, False)
                    self.assertEqual(pipe.read(), b"")  # None if somebody could still write

    def test_names_of_units(self):
        """What the hook starts and asks is what the bundle installs."""
        units = TEMPLATE.parent.parent / "units"
        if not units.is_dir():
            self.skipTest("no units beside the hook")
        text = TEMPLATE.read_text()
        for step in "check", "desktop", "seat", "audio", "vtcon", "vfio":
            self.assertTrue((units / f"gpu-guest-{step}.service.in").exists(), step)
            self.assertIn(step, text)


def hostdev(address, attributes="mode='subsystem' type='pci' managed='no'"):
    return (
        f"<hostdev {attributes}><source><address {address}/></source>"
        "<address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/></hostdev>"
    )


def usb_hostdev(name, address=None):
    vendor, product = name.split(":")
    return (
        f"<hostdev mode='subsystem' type='usb' managed='yes'><source><vendor id='0x{vendor}'/>"
        f"<product id='0x{product}'/>{f'<address {address}/>' if address else ''}</source></hostdev>"
    )


def disk(image):
    return f"<disk type='file' device='cdrom'><source file='{image}'/></disk>"


def domain(*devices, uuid=UUID):
    return (
        "<domain type='kvm' id='1'><name>win10</name>"
        + (f"<uuid>{uuid}</uuid>" if uuid else "")
        + f"<devices>{''.join(devices)}</devices></domain>\n"
    ).encode()


GPU = "domain='0x0000' bus='0x00' slot='0x02' function='0x0'"
AUDIO = "domain='0x0000' bus='0x00' slot='0x1f' function='0x3'"
WITH_GPU = domain(hostdev(AUDIO), hostdev(GPU))
ONLY_GPU = domain(hostdev(GPU))
WITHOUT_GPU = domain(hostdev(AUDIO))


class Lease(Directory):
    """The real gpu-guest-lease."""

    def setUp(self):
        super().setUp()
        self.qemu_dir = self.dir / "qemu"
        self.qemu_dir.mkdir()
        self.wrapper = []
        self.environment = {}

    def command(self, *arguments):
        return [*self.wrapper, str(LEASE), f"--qemu-dir={self.qemu_dir}", *arguments]

    def lease(self, *arguments, **kwargs):
        if "input" not in kwargs:
            kwargs.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
            env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], **self.environment},
            **kwargs,
        )

    def define(self, name, xml):
        (self.qemu_dir / f"{name}.xml").write_bytes(xml)

    def assert_prints(self, result, unit):
        self.assertEqual(result.stderr, b"")
        self.assertEqual(result.stdout.decode(), unit + "\n" if unit else "")
        self.assertEqual(result.returncode, 0)

    def assert_fails(self, result, words, status=1):
        self.assertEqual(result.returncode, status, result)
        self.assertEqual(result.stdout, b"")
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertTrue(lines[0].startswith(b"gpu-guest-lease: "), lines)
        self.assertIn(words, lines[0].decode(errors="replace"))


class LeaseWithoutUdev(Lease):
    def test_usage(self):
        for arguments in [], ["a", "b"], [""], ["--unknown", "a"], ["--release"], ["--qemu-dir"]:
            with self.subTest(arguments=arguments):
                result = self.lease(*arguments, input=WITHOUT_GPU)
                self.assertEqual((result.returncode, result.stdout), (2, b""))
                self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_help(self):
        result = self.lease("--help")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        for word in b"--release", b"--exec", b"--qemu-dir", b"--version", b"Exit status", b"DOMAIN":
            self.assertIn(word, result.stdout)
        result = self.lease("--version")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertRegex(result.stdout.decode(), r"^gpu-guest-lease [0-9][^\n]*\n$")

    def test_no_pci_hostdev(self):
        self.assert_prints(self.lease("win10", input=domain()), None)
        usb = "<hostdev type='usb'><source><address bus='1' device='2'/></source></hostdev>"
        self.assert_prints(self.lease("win10", input=domain(usb)), None)

    def test_exec(self):
        self.assert_prints(self.lease("--exec=/bin/false", "win10", input=domain()), None)
        self.assert_fails(self.lease("--exec=/bin/true", "win10", input=b"<domain>"), "line 1")

    def test_what_is_loaded(self):
        """What libvirt writes is read without libxml2, and without saying anything."""
        if SANITIZED:  # loads libraries of its own
            return
        if not shutil.which("strace"):
            self.skipTest("strace is not installed")
        log = self.dir / "strace"
        self.wrapper = ["strace", "-f", "-o", str(log), "-e", "trace=file"]
        cases = {
            "none": (domain(), set()),
            "other": (WITHOUT_GPU, {"udev"}),
            "file": (b"<!-- -->\n" + domain(), set()),
            "comment": (domain() + b"<!-- -->", {"xml2"}),
            "refused": (b"<domain>", {"xml2"}),
        }
        for name, (xml, expected) in cases.items():
            with self.subTest(name=name):
                self.lease("win10", input=xml)
                loaded = re.findall(r"/lib(udev|xml2|systemd)\.so\.\d+\", .* = \d", log.read_text())
                self.assertEqual(set(loaded), expected)

    def test_without_libraries(self):
        """They are loaded on demand: whoever has not got them is told so, and not refused what can be
        done without."""
        empty = self.dir / "empty"
        empty.touch()
        cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
        paths = {os.path.realpath(x) for x in re.findall(r"libxml2\.so\.\d+ .* => (\S+)", cache)}
        self.assertTrue(paths)
        script = "".join(f"mount --bind {empty} {path} && " for path in paths) + 'exec "$@"'
        self.wrapper = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
        if not shutil.which("unshare") or self.lease("--version").returncode != 0:
            self.skipTest("no namespaces for users here")
        self.assert_prints(self.lease("win10", input=domain()), None)
        self.assert_fails(self.lease("win10", input=b"<domain>"), "libxml2.so.")

    def test_udev_is_not_asked(self):
        """Other people's domains cost nothing: no file of udev's or sysfs' is opened."""
        if not shutil.which("strace"):
            self.skipTest("strace is not installed")
        log = self.dir / "strace"
        self.wrapper = ["strace", "-f", "-o", str(log), "-e", "trace=file"]
        self.environment = {"ASAN_OPTIONS": "detect_leaks=0"}  # does not work under strace
        opened = {}
        for key, xml in ("without", domain()), ("with", WITHOUT_GPU):
            if self.lease("win10", input=xml).returncode != 0:
                self.skipTest("strace does not work here")
            opened[key] = [x for x in log.read_text().splitlines() if "/run/udev" in x]
        self.assertEqual(opened["without"], [])
        self.assertNotEqual(opened["with"], [])

    def test_release(self):
        for xml in WITH_GPU, WITHOUT_GPU, b"", b"nonsense":
            self.assert_prints(
                self.lease("--release", "--", "win10", input=xml), "gpu-guest@win10.service"
            )
        self.assert_prints(self.lease("--release", "x"), "gpu-guest@x.service")

    def test_release_does_not_wait(self):
        read, write = os.pipe()
        begin = time.monotonic()
        self.assert_prints(self.lease("--release", "x", stdin=read), "gpu-guest@x.service")
        self.assertLess(time.monotonic() - begin, 3)
        os.close(read)
        os.close(write)

    def test_release_hostile_names(self):
        escaped = {
            "--help": "\\x2d\\x2dhelp",
            "--": "\\x2d\\x2d",
            "-": "\\x2d",
            "a b": "a\\x20b",
            "../../x": "\\x2e.-..-x",
            ";reboot": "\\x3breboot",
            "a\nb": "a\\x0ab",
            "café": "caf\\xc3\\xa9",
            b"\xff\xfe": "\\xff\\xfe",
            "x" * 200: "x" * 200,
        }
        for name, instance in escaped.items():
            with self.subTest(name=name):
                self.assert_prints(
                    self.lease("--release", "--", name), f"gpu-guest@{instance}.service"
                )

    def test_release_long_name(self):
        name = "é" * 50
        self.assert_prints(self.lease("--release", name, input=WITHOUT_GPU), UUID_UNIT)
        self.assert_fails(self.lease("--release", name, input=domain(uuid=None)), "too long")
        self.assert_fails(self.lease("--release", name, input=b"<x/>"), "<x>")
        self.define(name, WITHOUT_GPU)
        self.assert_prints(self.lease("--release", name), UUID_UNIT)

    def test_hostile_xml(self):
        cases = {
            "one tag": (b"<domain>", "line 1"),
            "cut": (WITH_GPU[:-12], "line "),
            "no XML": (b"hello\n", "line 1"),
            "blank": (b"\n", "line "),
            "other root": (b"<network/>", "<network>"),
            "too large": (b"<domain>" + b"<a/>" * 26000000 + b"</domain>", "16 MiB"),
            "deep": (b"<domain>" + b"<a>" * 1000000, ""),
            "two declarations": (b"<?xml version='1.0'?>" * 2 + b"<domain/>", "XML declaration"),
            "NUL": (b"<domain/>\0<domain>", "NUL"),
            "no UTF-8": (b"<domain>\xff\xfe</domain>", "line 1"),
            "no EUC-JP": (b"<?xml version='1.0' encoding='EUC-JP'?><domain>\xff\xff", "line 1"),
            "no UTF-7": (b"<?xml version='1.0' encoding='UTF-7'?><domain>+//8\xff", "line 1"),
            "UTF-16": ("<domain/>".encode("utf-16"), "NUL"),
            "octal": (domain(hostdev("slot='08'")), "slot='08'"),
            "range": (domain(hostdev("bus='0x100'")), "bus='0x100'"),
            "no address": (domain("<hostdev type='pci'/>"), "source address"),
            "newline in value": (domain(hostdev("slot='1&#10;2'")), "slot='1"),
            "doctype": (b"<!DOCTYPE domain SYSTEM '/etc/passwd'><domain/>", "DOCTYPE"),
            "entities": (
                b"<!DOCTYPE d [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]><domain>&b;</domain>",
                "DOCTYPE",
            ),
            "unknown entity": (b"<domain>&a;</domain>", "line 1"),
        }
        for name, (xml, words) in cases.items():
            file = self.dir / "xml"
            file.write_bytes(xml)
            with self.subTest(name=name), open(file, "rb") as stdin:
                self.assert_fails(self.lease("win10", stdin=stdin), words)

    def test_memory(self):
        """A large input is refused without being held: it does not fit into this limit."""
        if SANITIZED:
            return
        xml = self.dir / "xml"
        with open(xml, "wb") as f:
            f.write(b"<domain>")
            for _ in range(100):
                f.write(b"<a/>" * 250000)
        script = 'ulimit -v 60000 && exec "$@"'
        self.wrapper = ["sh", "-c", script, "sh"]
        with open(xml, "rb") as stdin:
            self.assert_fails(self.lease("win10", stdin=stdin), "16 MiB")

    def test_directory_on_stdin(self):
        fd = os.open("/", os.O_RDONLY)
        self.assert_fails(self.lease("win10", stdin=fd), "Is a directory")
        os.close(fd)

    def test_nothing_defined(self):
        for name in "win10", "x" * 200, "a b", "é" * 120:
            with self.subTest(name=name):
                self.assert_fails(self.lease(name), "systemctl start gpu-guest.target")
        self.assert_fails(self.lease("a\nb"), 'name "a?b"')
        for name in ".", "..", "a/b", "../qemu/win10", "/":
            with self.subTest(name=name):
                self.define("win10", WITHOUT_GPU)
                self.assert_fails(self.lease(name), "No domain can have the name")

    def test_unreadable_definition(self):
        self.define("empty", b"")
        self.assert_fails(self.lease("empty"), "is empty")
        self.define("broken", b"<domain>")
        self.assert_fails(self.lease("broken"), "broken.xml: line ")
        (self.qemu_dir / "dir.xml").mkdir()
        self.assert_fails(self.lease("dir"), f"Cannot open {self.qemu_dir}/dir.xml")
        os.mkfifo(self.qemu_dir / "fifo.xml")
        self.assert_fails(self.lease("fifo"), f"Cannot open {self.qemu_dir}/fifo.xml")
        os.symlink("/nonexistent", self.qemu_dir / "link.xml")
        self.assert_fails(self.lease("link"), "gpu-guest.target")

    def test_definition_is_read(self):
        """Whatever way there is nothing on standard input."""
        self.define("win10", WITHOUT_GPU)
        empty = self.dir / "empty"
        empty.touch()
        cases = {}
        pipe, write = os.pipe()
        os.close(write)
        cases["closed pipe"] = pipe
        for path in "/dev/null", "/dev/zero", empty:
            cases[str(path)] = os.open(path, os.O_RDONLY)
        master, cases["terminal"] = os.openpty()
        for name, fd in cases.items():
            with self.subTest(name=name):
                self.assert_prints(self.lease("win10", stdin=fd), None)
                self.assert_fails(self.lease("nobody", stdin=fd), "no domain of the name")
            os.close(fd)
        os.close(master)

        result = subprocess.run(
            ["sh", "-c", 'exec "$@" <&-', "sh", *self.command("win10")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=20,
        )
        self.assert_prints(result, None)

    def test_silent_pipe(self):
        """A pipe or socket that stays open and says nothing, as with "ssh HOST HOOK ..."."""
        self.define("win10", WITHOUT_GPU)
        ours, theirs = socket.socketpair()
        pipe, write = os.pipe()
        begin = time.monotonic()
        children = [
            subprocess.Popen(
                self.command("win10"),
                stdin=fd,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for fd in (theirs, pipe)
        ]
        for child in children:
            self.assertEqual(child.communicate(timeout=20), (b"", b""))
            self.assertEqual(child.returncode, 0)
        self.assertGreater(time.monotonic() - begin, 4)
        self.assertLess(time.monotonic() - begin, 15)
        for fd in pipe, write:
            os.close(fd)
        ours.close()
        theirs.close()

    def test_full_output(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run(
                self.command("--release", "win10"),
                stdin=subprocess.DEVNULL,
                stdout=full,
                stderr=subprocess.PIPE,
            )
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"standard output", result.stderr)


# Runs a program while the first USB device is not there for a second.
LATE = """
link=$UMOCKDEV_DIR/sys/bus/usb/devices/1-2
mv "$link" "$UMOCKDEV_DIR/"
(sleep 1; mv "$UMOCKDEV_DIR/1-2" "$link") >/dev/null 2>&1 &
exec "$@"
"""


class LeaseWithUdev(Lease):
    """With devices by umockdev, which fakes /sys but not udev's index of tags in /run: that is made
    in a namespace of our own."""

    DEVICE = """P: /devices/pci0000:00/{address}
E: SUBSYSTEM=pci
E: PCI_SLOT_NAME={address}
E: TAGS=:gpu-guest:
E: CURRENT_TAGS=:gpu-guest:
{properties}A: class=0x030000\\n

"""

    USB_DEVICE = """P: /devices/pci0000:00/0000:00:14.0/usb1/1-{number}
N: bus/usb/001/00{number}
E: SUBSYSTEM=usb
E: DEVTYPE=usb_device
A: idVendor={vendor}\\n
A: idProduct={product}\\n
A: busnum=1\\n
A: devnum={number}\\n

"""

    def mock(self, *devices, usb=()):
        records = self.dir / "devices.umockdev"
        records.write_text(
            "".join(
                self.DEVICE.format(
                    address=address,
                    properties="".join(f"E: {k}={v}\n" for k, v in properties.items()),
                )
                for address, properties in devices
            )
            + "".join(
                self.USB_DEVICE.format(number=number, vendor=name[:4], product=name[5:])
                for number, name in usb
            )
        )
        tags = " ".join(f"/run/udev/tags/gpu-guest/+pci:{address}" for address, _ in devices)
        script = self.dir / "namespace"
        script.write_text(
            "mount -t tmpfs tmpfs /run\n"
            "mkdir -p /run/udev/tags/gpu-guest /run/systemd/journal\n"
            "touch /run/systemd/journal/socket\n"
            f"mount --bind {self.dir}/journal /run/systemd/journal/socket\n"
            f": {tags and '&& touch ' + tags}\n"
            'exec "$@"\n'
        )
        self.wrapper = ["unshare", "--user", "--map-root-user", "--mount"]
        self.wrapper += ["sh", "-e", str(script)]
        if devices:
            self.wrapper += ["umockdev-run", f"--device={records}", "--"]

    def setUp(self):
        super().setUp()
        for program in "unshare", "umockdev-run":
            if not shutil.which(program):
                self.skipTest(f"{program} is not installed")
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.addCleanup(self.journal.close)
        self.journal.bind(str(self.dir / "journal"))
        self.mock(("0000:00:02.0", {"GPU_GUEST_ROLE": "gpu"}))
        result = self.lease("--version")
        if result.returncode != 0:
            # no namespaces for users here, or a sanitizer that umockdev's preloading does not suit
            self.skipTest(f"cannot run with devices by umockdev: {result.stderr.decode()}")

    def entries(self):
        """What went to the journal since the last call."""
        entries = []
        with contextlib.suppress(BlockingIOError):
            while True:
                lines = self.journal.recv(8192).decode().splitlines()
                entries.append(dict(line.split("=", 1) for line in lines))
        return entries

    def test_gpu(self):
        for xml in ONLY_GPU, domain(hostdev("slot='2'")), domain(hostdev("slot='002'")):
            self.assert_prints(self.lease("win10", input=xml), "gpu-guest@win10.service")

    def hook(self):
        hook = self.dir / "hook"
        hook.write_text("#!/bin/sh\nprintf '%s|' \"$@\"\nexit 3\n")
        hook.chmod(0o755)
        return f"--exec={hook}"

    def test_exec(self):
        result = self.lease(self.hook(), "--", "a b", input=ONLY_GPU)
        self.assertEqual(result.stdout, b"a b|lease|begin|gpu-guest@a\\x20b.service|")
        self.assertEqual((result.returncode, result.stderr), (3, b""))
        self.assert_prints(self.lease(self.hook(), "win10", input=WITHOUT_GPU), None)
        self.assert_fails(self.lease(self.hook(), "win10", input=WITH_GPU), "does not have")
        result = self.lease("--exec=/nonexistent/a\nb", "win10", input=ONLY_GPU)
        self.assert_fails(result, "/nonexistent/a?b")

    def test_exec_release(self):
        """Only if there is the lease, or may come to be."""
        self.mock()  # umockdev has a /sys of its own
        command = self.hook(), "--release", "--", "a b"
        self.assert_prints(self.lease(*command), None)
        inside = self.dir / "namespace"
        script = inside.read_text()
        cgroup = "/sys/fs/cgroup/system.slice/system-gpu\\x2dguest.slice"
        for mark, expected in {
            "/run/gpu-guest@a\\x20b.service": True,
            "/run/gpu-guest@a b.service": False,
            "/run/gpu-guest@a.service": False,
            "/run/gpu-guest@a\\x20b": False,
            f"{cgroup}/gpu-guest@a\\x20b.service": True,
            f"{cgroup}/gpu-guest@a.service": False,
        }.items():
            with self.subTest(mark=mark):
                inside.write_text(script.replace(
                    "mkdir -p ", f"mount -t tmpfs tmpfs /sys/fs/cgroup\nmkdir -p {shlex.quote(mark)} ",
                    1))
                result = self.lease(*command)
                self.assertEqual(result.stdout,
                                 b"a b|lease|end|gpu-guest@a\\x20b.service|" if expected else b"")
                self.assertEqual((result.returncode, result.stderr), (3 if expected else 0, b""))

    def test_definition(self):
        self.define("win10", ONLY_GPU)
        self.assert_prints(self.lease("win10"), "gpu-guest@win10.service")

    def test_not_the_gpu(self):
        others = [
            WITHOUT_GPU,
            domain(),
            # the guest's address is that of the GPU, the host's is not
            domain(
                f"<hostdev type='pci'><source><address {AUDIO}/></source>"
                f"<address type='pci' {GPU}/></hostdev>"
            ),
            domain(hostdev(GPU, "mode='subsystem' type='mdev' model='vfio-pci'")),
            domain(
                "<interface type='hostdev'>"
                f"<source><address type='pci' {GPU}/></source></interface>"
            ),
            domain(hostdev("domain='1' bus='0' slot='2' function='0'")),
            domain(hostdev("bus='1' slot='2'")),
            domain(hostdev("slot='2' function='1'")),
        ]
        for xml in others:
            with self.subTest(xml=xml):
                self.assert_prints(self.lease("win10", input=xml), None)

    def test_long_name(self):
        name = "a" + "-" * 100
        self.assert_prints(self.lease(name, input=ONLY_GPU), UUID_UNIT)
        xml = domain(hostdev(GPU), uuid=None)
        self.assert_fails(self.lease(name, input=xml), "too long")

    def test_no_gpu(self):
        for devices in [], [("0000:00:02.0", {})], [("0000:00:02.0", {"GPU_GUEST_ROLE": "audio"})]:
            with self.subTest(devices=devices):
                self.mock(*devices)
                self.assert_prints(self.lease("win10", input=WITH_GPU), None)

    def test_large_domain_number(self):
        self.mock(("10000:e1:00.0", {"GPU_GUEST_ROLE": "gpu"}))
        xml = domain(hostdev("domain='0x10000' bus='0xe1' slot='0x00' function='0x0'"))
        self.assert_prints(self.lease("win10", input=xml), "gpu-guest@win10.service")
        self.assert_prints(self.lease("win10", input=WITH_GPU), None)

    def test_many(self):
        xml = domain(*[hostdev(GPU)] * 20000)
        self.assert_prints(self.lease("win10", input=xml), "gpu-guest@win10.service")

    def test_other_devices(self):
        """The domain cannot have all that it wants: better known before the desktop has gone."""
        self.assert_fails(self.lease("win10", input=WITH_GPU), "which this host does not have")
        self.assert_kept("win10", "gpu-guest@win10.service", "which this host does not have")
        self.mock(
            ("0000:00:02.0", {"GPU_GUEST_ROLE": "gpu"}),
            ("0000:00:1f.3", {"GPU_GUEST_ROLE": "audio"}),
        )
        self.assert_fails(self.lease("a b", input=WITH_GPU), "in no IOMMU group")
        self.assert_kept("a b", "gpu-guest@a\\x20b.service", "in no IOMMU group")

    def plug(self, *usb):
        self.mock(("0000:00:02.0", {"GPU_GUEST_ROLE": "gpu"}), usb=usb)

    def test_usb_devices(self):
        """The same of USB devices, which come and go."""
        by_id = domain(hostdev(GPU), usb_hostdev("046d:c31c"))
        by_both = domain(hostdev(GPU), usb_hostdev("046d:c31c", "bus='1' device='3'"))
        unit = "gpu-guest@win10.service"
        begin = time.monotonic()
        self.assert_fails(self.lease("win10", input=by_id), "046d:c31c as well, which is not plugged in")
        self.assertGreater(time.monotonic() - begin, 4.5)
        self.assert_kept("win10", unit, "which is not plugged in", device="046d:c31c")

        self.plug((2, "046d:c31c"), (4, "046d:c077"))
        self.assert_prints(self.lease("win10", input=by_id), unit)
        self.assert_fails(
            self.lease("win10", input=by_both), "046d:c31c on bus 1, device 3 as well, which is not"
        )
        self.assert_kept("win10", unit, "not plugged in", device="046d:c31c on bus 1, device 3")

        self.plug((2, "046d:c31c"), (3, "046d:c31c"))
        self.assert_fails(self.lease("win10", input=by_id), "of which 2 are plugged in")
        self.assert_kept("win10", unit, "of which 2", device="046d:c31c")
        self.assert_prints(self.lease("win10", input=by_both), unit)

    def test_images(self):
        image = self.dir / "a\nb.iso"
        xml = domain(hostdev(GPU), disk(str(image).replace("\n", "&#10;")))
        unit = "gpu-guest@win10.service"
        self.assert_fails(self.lease("win10", input=xml), "a?b.iso, and there is no such file")
        self.assert_kept("win10", unit, "there is no such file", device=None)
        image.touch()
        self.assert_prints(self.lease("win10", input=xml), unit)
        # a directory that is a file
        xml = domain(hostdev(GPU), disk(f"{self.dir}/namespace/x"))
        self.assert_fails(self.lease("win10", input=xml), "there is no such file")
        # what cannot be told is libvirt's to tell
        xml = domain(hostdev(GPU), disk("/" + 256 * "x"))
        self.assert_prints(self.lease("win10", input=xml), unit)

    def test_devices_of_others(self):
        """Who has not got the GPU is not kept waiting, and none of our business."""
        others = usb_hostdev("046d:c31c"), disk("/nowhere")
        begin = time.monotonic()
        self.assert_prints(self.lease("win10", input=domain(*others)), None)
        self.assert_prints(self.lease("win10", input=domain(hostdev(AUDIO), *others)), None)
        self.assertLess(time.monotonic() - begin, 4)

    def test_usb_device_comes_late(self):
        """What has just been plugged in is waited for."""
        self.plug((2, "046d:c31c"))
        self.wrapper += ["sh", "-e", "-c", LATE, "late"]
        xml = domain(hostdev(GPU), usb_hostdev("046d:c31c"))
        self.assert_prints(self.lease("win10", input=xml), "gpu-guest@win10.service")

    def assert_kept(self, domain_name, unit, words, device="0000:00:1f.3"):
        """libvirt shows a refusal to whoever starts the domain, and nobody else would ever see it."""
        entry, *more = self.entries()
        self.assertEqual(more, [])
        self.assertRegex(entry["MESSAGE_ID"], r"\A[0-9a-f]{32}\Z")
        self.assertIn(words, entry["MESSAGE"])
        self.assertEqual(entry.get("GPU_GUEST_DEVICE"), device)
        self.assertEqual(entry["GPU_GUEST_DOMAIN"], domain_name)
        # journalctl -u, and so all that asks for the units of gpu-guest
        self.assertEqual(entry["OBJECT_SYSTEMD_UNIT"], unit)

    def test_nothing_else_is_kept(self):
        self.lease("win10", input=b"nonsense")
        self.lease("win10", input=WITHOUT_GPU)
        self.lease("win10", input=ONLY_GPU)
        self.lease("a" + "-" * 100, input=domain(hostdev(GPU), uuid=None))
        self.assertEqual(self.entries(), [])


if __name__ == "__main__":
    program = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2)
    if not program.result.wasSuccessful():
        sys.exit(1)
    if program.result.skipped:
        for test, reason in program.result.skipped:
            print(f"SKIPPED: {test}: {reason}", file=sys.stderr)
        sys.exit(77)
