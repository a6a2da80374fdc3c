# SPDX-License-Identifier: LGPL-2.1-or-later
"""A lab: one QEMU that looks like a PC with an Intel GPU, and its ssh.

All of it is in labs/NAME: the disk's overlay, what QEMU was started with
(state.json), its pid, its control socket (qmp), serial.log and ssh's masters.
"""

import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Iterator, List, Optional, Set

from . import image, payload, screen, variants
from .common import LabError, poll, run, say, state_dir
from .qmp import Qmp

QEMU = "qemu-system-x86_64"
MEMORY = 3072
UEFI_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
UEFI_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")

# The host has the IOMMU of a machine set up for this; nothing waits for a network
APPEND = ("root=/dev/vda rw console=tty0 console=ttyS0 intel_iommu=on mitigations=off "
          "fsck.mode=skip quiet systemd.show_status=yes "
          # QEMU's TSC does not go back with a snapshot, its HPET does
          "tsc=unstable "
          # on a busy machine the first interrupt may come too late for the kernel, which panics
          "no_timer_check")

BOOT_TIMEOUT = 400
STARTUP_TIMEOUT = 400
POWEROFF_TIMEOUT = 240
QUIT_TIMEOUT = 5


def have_kvm() -> bool:
    """Whether KVM really works: a /dev/kvm alone proves nothing."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    if not re.search(r"^flags\s*:.*\b(vmx|svm)\b", cpuinfo, re.M) or \
       not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    try:
        return subprocess.run(
            [QEMU, "-M", "q35,accel=kvm,kernel-irqchip=split", "-cpu", "host", "-m", "64",
             "-nodefaults", "-display", "none", "-monitor", "stdio"],
            input="quit\n", text=True, timeout=20, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_exit(pid: int, timeout: float) -> bool:
    """Wait for a process that is not our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], timeout)[0])
    finally:
        os.close(fd)


class Lab:
    """The lab of a name, whether it is up or not."""

    def __init__(self, name: str):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise LabError(f"'{name}' is no name for a lab")
        self.name = name
        self.dir = state_dir() / "labs" / name
        self.disk = self.dir / "disk.qcow2"
        self.serial = self.dir / "serial.log"
        self.state_file = self.dir / "state.json"

    @classmethod
    def all(cls) -> List["Lab"]:
        """Every lab that has a directory."""
        labs = state_dir() / "labs"
        return [cls(p.name) for p in sorted(labs.iterdir())] if labs.is_dir() else []

    @classmethod
    def images_in_use(cls) -> Set[Path]:
        """The images that labs stand on."""
        return {Path(lab.state["image"]) for lab in cls.all() if lab.state_file.exists()}

    # state

    @property
    def state(self) -> dict:
        """What its QEMU was last started with, and with what arguments for the kernel it was saved."""
        try:
            return json.loads(self.state_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise LabError(f"there is no lab '{self.name}', start it with: lab up") from None

    def write_state(self, state: dict) -> None:
        """Keep it for the next command."""
        self.state_file.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")

    def pid(self) -> Optional[int]:
        """The pid of its QEMU, if that runs."""
        try:
            pid = int((self.dir / "pid").read_text(encoding="ascii"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        return pid if os.fsencode(self.dir / "pid") in command else None

    def need_up(self) -> int:
        """The pid of its QEMU, which has to run."""
        state = self.state
        pid = self.pid()
        if not pid:
            raise LabError(f"lab '{self.name}' ({state['release']}, {state['variant']}) is not running: "
                           "it powered off or died, see: lab log")
        return pid

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Only one of up, reboot, load and down at a time; the others are refused."""
        self.dir.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise LabError(f"lab '{self.name}' is being started or stopped already") from None
        finally:
            os.close(fd)

    def qmp(self) -> Qmp:
        """A connection to its QEMU."""
        self.need_up()
        return Qmp(self.dir / "qmp")

    # power

    def create(self, release: str, variant: str, append: str, root: Optional[Path],
               devices: List[str]) -> None:
        """A new disk on top of the image, and the first boot from it; append and devices are what
        the machine has beside the variant's."""
        if self.pid():
            raise LabError(f"lab '{self.name}' is up already (lab reboot, or lab down first)")
        kind = variants.get(variant)
        if kind.reason_not(release):
            raise LabError(f"{release} has no {variant}: {kind.why_not}")
        for path in self.dir.iterdir():
            path.unlink()
        built = image.build(image.Kind(release, kind.desktop), Lab.images_in_use())
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", built.disk, self.disk)
        if kind.firmware == "uefi":
            # what can be written has to be of a format that knows snapshots
            run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", UEFI_VARIABLES,
                self.dir / "uefi-variables.qcow2")
        self.boot({"release": release, "variant": variant, "image": str(built.disk.parent),
                   "append": append, "devices": devices}, root)

    def boot(self, state: dict, root: Optional[Path]) -> None:
        """Boot the disk with a payload."""
        payload.write_initrd(Path(state["image"], "initrd"), root, self.dir / "initrd")
        self.start_qemu(state)

    def start_qemu(self, state: dict, snapshot: Optional[str] = None) -> None:
        """Start QEMU in a session of its own."""
        self.write_state(state)
        for _ in range(5):
            state["port"] = free_port()
            try:
                run(*self.qemu_command(state, snapshot), cwd=self.dir)
                break
            except LabError as e:
                if "host forwarding rule" not in str(e):
                    raise
        else:
            raise LabError("found no free port for ssh")
        self.write_state(state)

    def qemu_command(self, state: dict, snapshot: Optional[str]) -> List[str]:
        """A PC whose VGA and sound controller are where Intel has them (see README.md)."""
        cpu = (["-accel", "kvm", "-cpu", "host"] if have_kvm() else
               # More than one CPU, and QEMU's emulation trips over code that patches itself
               ["-accel", "tcg,tb-size=512", "-cpu", "qemu64,+rdrand,+rdseed"])
        variant = variants.get(state["variant"])
        devices = [*variant.devices, *state["devices"]]
        # for a second function beside it; a function of its own is all that a PC's VGA has
        vga = "VGA,bus=pcie.0,addr=02.0" + (",multifunction=on" if devices else "")
        command = [
            QEMU, "-name", f"lab-{self.name}", "-nodefaults", "-no-user-config",
            "-M", "q35,kernel-irqchip=split", *cpu, "-smp", "1", "-m", str(MEMORY),
            "-rtc", "base=utc", "-display", "none",
            "-device", "intel-iommu,intremap=on,caching-mode=on",
            "-vga", "none", "-device", vga,
            "-audiodev", "none,id=audio", "-device", "ich9-intel-hda,addr=1b.0",
            "-device", "hda-duplex,audiodev=audio",
            "-blockdev", "driver=qcow2,node-name=disk,cache.no-flush=on,discard=unmap,"
                         "file.driver=file,file.filename=disk.qcow2,file.discard=unmap",
            "-device", "virtio-blk-pci,drive=disk,addr=10.0",
            "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{state['port']}-:22",
            "-device", "virtio-net-pci,netdev=net,romfile=,addr=11.0",
            "-chardev", "file,id=serial,path=serial.log,append=on", "-serial", "chardev:serial",
            "-qmp", "unix:qmp,server=on,wait=off",
            "-kernel", str(Path(state["image"], "vmlinuz")), "-initrd", "initrd",
            "-append", " ".join(filter(None, [APPEND, variant.append, state["append"]])),
            "-daemonize", "-pidfile", str(self.dir / "pid"),
        ]
        for device in devices:
            command += ["-device", device]
        if variant.firmware == "uefi":
            command += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={UEFI_CODE}",
                        "-drive", "if=pflash,unit=1,format=qcow2,file=uefi-variables.qcow2"]
        return command + (["-loadvm", snapshot] if snapshot else [])

    def power_off(self) -> None:
        """Shut its system down; LabError if that does not end."""
        pid = self.need_up()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.ssh_output("systemctl --no-block poweroff", timeout=60)
        self.ssh_drop()
        if not wait_exit(pid, POWEROFF_TIMEOUT):
            raise LabError(f"lab '{self.name}' did not power off within {POWEROFF_TIMEOUT} s; "
                           "it still runs, see: lab log; lab screen; lab down")

    def end_qemu(self) -> None:
        """As if by a power cut."""
        pid = self.pid()
        if not pid:
            return
        self.ssh_drop()
        with contextlib.suppress(LabError), Qmp(self.dir / "qmp", timeout=QUIT_TIMEOUT) as qmp:
            qmp.command("quit")
        if not wait_exit(pid, QUIT_TIMEOUT):
            os.kill(pid, signal.SIGKILL)
            wait_exit(pid, QUIT_TIMEOUT)

    def destroy(self) -> None:
        """End its QEMU and forget its disk."""
        self.end_qemu()
        shutil.rmtree(self.dir, ignore_errors=True)

    # snapshots

    def tags(self) -> List[str]:
        """The tags of what was saved."""
        info = run("qemu-img", "info", "--force-share", "--output=json", self.disk).stdout
        return [snapshot["name"] for snapshot in json.loads(info).get("snapshots", [])]

    def save(self, tag: str) -> None:
        """Keep the running machine, memory and disk, under a tag."""
        # A machine that begins with nobody logged in
        self.ssh_drop()
        with self.qmp() as qmp:
            poll(lambda: "HOSTFWD_ESTABLISHED" not in qmp.monitor("info usernet") and
                 "ESTABLISHED" not in qmp.monitor("info usernet"), 15, "ssh to hang up")
            said = qmp.monitor(f"savevm {tag}").strip()
        if tag not in self.tags():
            raise LabError(f"lab '{self.name}' was not saved as '{tag}': {said or 'QEMU does not say why'}")
        state = self.state
        state.setdefault("saved", {})[tag] = state["append"]
        self.write_state(state)

    def load(self, tag: str) -> None:
        """Go back to a saved machine."""
        state = self.state
        # QEMU would stop the machine before it looks for the tag
        if tag not in self.tags():
            raise LabError(f"lab '{self.name}' has nothing saved as '{tag}', only: "
                           f"{' '.join(self.tags())}")
        self.ssh_drop()
        append = state["saved"][tag]
        if self.pid() and state["append"] == append:
            with self.qmp() as qmp:
                qmp.monitor(f"loadvm {tag}")
                qmp.command("cont")
        else:
            # a kernel that restarts gets from QEMU the arguments that this was started with
            self.end_qemu()
            self.start_qemu({**state, "append": append}, tag)
        self.wait_ssh()
        self.ssh_output("true", timeout=60)  # so that the next one takes no time to connect
        self.ssh_output(f"date --set=@{time.time():.2f}", timeout=60)

    # ssh

    def ssh_options(self) -> List[str]:
        """Options for ssh and scp, which have to run in the lab's directory: socket paths are
        short."""
        options = {
            "HostName": "127.0.0.1", "Port": self.state["port"], "IdentityFile": payload.ssh_key(),
            "IdentitiesOnly": "yes", "BatchMode": "yes", "LogLevel": "ERROR",
            "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null",
            "ControlMaster": "auto", "ControlPath": "ssh-%r", "ControlPersist": "yes",
            "ConnectTimeout": 60, "ServerAliveInterval": 15, "ServerAliveCountMax": 8,
        }
        return ["-F", "/dev/null"] + [f"-o{key}={value}" for key, value in options.items()]

    def ssh_output(self, command: str, timeout: float) -> str:
        """What a command says, run by root; its exit status does not matter."""
        return subprocess.run(
            ["ssh", *self.ssh_options(), "root@lab", command], cwd=self.dir, timeout=timeout,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, check=False).stdout.strip()

    def ssh_drop(self) -> None:
        """End the shared connections."""
        for path in self.dir.glob("ssh-*"):
            user = path.name.partition("-")[2]
            subprocess.run(["ssh", *self.ssh_options(), "-O", "exit", f"{user}@lab"],
                           cwd=self.dir, check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            path.unlink(missing_ok=True)

    def ssh_answers(self) -> bool:
        """Whether an ssh server greets us."""
        if not self.pid():
            raise LabError(f"lab '{self.name}' powered off or died while booting, see: lab log")
        with contextlib.suppress(OSError), \
             socket.create_connection(("127.0.0.1", self.state["port"]), timeout=10) as s:
            return s.recv(4) == b"SSH-"
        return False

    def wait_ssh(self) -> None:
        """Until ssh answers."""
        poll(self.ssh_answers, BOOT_TIMEOUT, "ssh to answer (see: lab log; lab screen)", 0.5)

    def wait_ready(self) -> None:
        """Until the boot is over, and the desktop there if it is to come."""
        self.wait_ssh()
        try:
            how = self.ssh_output("systemctl is-system-running --wait", timeout=STARTUP_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise LabError(f"the boot was not over after {STARTUP_TIMEOUT} s, "
                           "see: lab ssh systemctl list-jobs") from None
        if how != "running":
            failed = self.ssh_output("systemctl --failed --plain --no-legend", timeout=60)
            say(f"the system is {how or 'silent'}: {failed or 'no failed units'}")
        desktop = variants.desktop(variants.get(self.state["variant"]).desktop)
        # a guest that libvirt starts by itself may still take the desktop away
        poll(lambda: self.look() == "desktop" or not self.has_desktop(), 2 * desktop.patience,
             "the desktop to appear (see: lab screen)", interval=0.5)

    def has_desktop(self) -> bool:
        """Whether a desktop is up, or on its way."""
        state = self.ssh_output("systemctl is-active display-manager.service", timeout=60)
        return state in ("active", "activating")

    # monitor

    def screendump(self, path: Path, kind: str) -> None:
        """Write a picture of the monitor: png or ppm."""
        with self.qmp() as qmp:
            qmp.command("screendump", filename=str(path.absolute()), format=kind)

    def look(self) -> str:
        """Whose picture is on the monitor."""
        path = self.dir / f"look-{os.getpid()}.ppm"
        try:
            self.screendump(path, "ppm")
            return screen.describe(screen.read_ppm(path.read_bytes()))
        finally:
            path.unlink(missing_ok=True)
