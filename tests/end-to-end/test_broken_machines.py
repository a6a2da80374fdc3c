# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines and guests that are broken in one way each: gpu-guest check names it, and nothing else."""

import json
import re

import pytest

from lablib.host import GPU, HOOK

# painter as a person's guest would be: a keyboard goes along
KEYBOARD = "<input type='evdev'><source dev='/dev/input/event0'/></input>"
RULES = "/usr/lib/udev/rules.d/72-gpu-guest.rules"
# held UNIT PROGRAM: until a unit has become the program that has the card open
HELD = """held() {
    for i in $(seq 100); do
        [ "$(cat /proc/$(systemctl show -P MainPID $1)/comm)" = $2 ] && return
        sleep 0.1
    done
    return 1
}
"""
RELOAD = "udevadm control --reload && udevadm trigger --settle --subsystem-match=pci"

# what is done to the machine, which point says no, and in what words (of its text or its advice)
MACHINES = {
    "no role": (f"rm {RULES} && {RELOAD}", "card", "udev does not know its role"),
    "no driver came back": (
        f"systemctl stop lightdm && echo {GPU} >/sys/bus/pci/devices/{GPU}/driver/unbind && "
        f"mkdir /run/gpu-guest && echo {GPU} i915 i915 >/run/gpu-guest/gpu",
        "driver", "No driver has the graphics card"),
    "vfio-pci is not there": ("mv $(modinfo -n vfio_pci) /root/ && depmod", "vfio-pci",
                              "This kernel does not have it"),
    "vfio-pci is forbidden": ("echo 'install vfio-pci /bin/false' >/etc/modprobe.d/no.conf",
                              "vfio-pci", "install vfio-pci"),
    "a guest has it": ("virsh start painter", "free", "painter|qemu-system"),
    "a virtual machine holds a render node": (
        "cp /bin/sleep /root/qemu-other && systemd-run --quiet --slice=machine --unit=other "
        "sh -c 'exec 3</dev/dri/renderD128; exec /root/qemu-other 1000' && "
        "held other qemu-other",
        "holder", "qemu-other"),
    "services are protected": (
        "echo GPU_GUEST_HOLDERS=refuse >/etc/gpu-guest.conf && systemd-run --quiet --unit=media "
        "sh -c 'exec 3</dev/dri/renderD128; exec sleep 1000' && held media sleep", "check", "media.service"),
    "the setting is nonsense": ("echo GPU_GUEST_HOLDERS=please >/etc/gpu-guest.conf", "check",
                                "neither"),
    "no units": ("rm /lib/systemd/system/gpu-guest-vfio.service && systemctl daemon-reload",
                 "units", "daemon-reload"),
    "no hook": (f"rm {HOOK}", "hook", "No such file"),
    "the hook is not executable": (f"chmod -x {HOOK}", "hook", "chmod 755"),
    "libvirtd could not be reloaded": (
        f"touch {HOOK} && mkdir -p /run/systemd/system/libvirtd.service.d && "
        "printf '[Service]\\nExecReload=\\nExecReload=/bin/false\\n' "
        ">/run/systemd/system/libvirtd.service.d/fault.conf && systemctl daemon-reload && "
        "! systemctl reload libvirtd", "hook", "try-reload-or-restart libvirtd"),
    "libvirtd has not been reloaded": (f"cp {HOOK} /root/ && rm {HOOK} && cp /root/gpu-guest {HOOK}",
                                       "hook", "try-reload-or-restart libvirtd"),
}

# how the domain's XML is changed. SPICE channels without a SPICE display, libvirt 9 does not even define
GUESTS = {
    "without the GPU": (r"<hostdev.*?</hostdev>", "", "gpu", "stays with the host"),
    "another device that is not there": (
        "</devices>", "<hostdev mode='subsystem' type='pci' managed='yes'><source><address "
        "domain='0' bus='0' slot='9' function='0'/></source></hostdev></devices>", "gpu",
        "0000:00:09.0"),
    "the GPU at another address": (r"(<address type='pci'[^>]*) slot='0x02'", r"\1 slot='0x0b'",
                                   "address", "address.slot=2"),
    "no option ROM": (r"(<hostdev.*?)</hostdev>", r"\1<rom file='/root/no.rom'/></hostdev>", "rom",
                      "/root/no.rom"),
    "an emulated video card": ("</devices>", "<video><model type='vga'/></video></devices>",
                               "video", "--remove-device --video all"),
    "a virtual display": ("</devices>", "<graphics type='vnc'/><video><model type='none'/></video>"
                          "</devices>", "display", "--remove-device --graphics all"),
    "no keyboard": (r"<input type='evdev'.*?</input>", "", "input", "None goes along"),
    "BIOS": (r"<kernel>.*?</cmdline>", "", "firmware", "UEFI"),
    "too little memory for locking": ("<vcpu", "<memtune><hard_limit unit='MiB'>128</hard_limit>"
                                      "</memtune><vcpu", "memory", "hard_limit"),
}


def define_healthy(host):
    """Define the guest that nothing is wrong with, and give its XML."""
    xml = host.run("virsh dumpxml --inactive painter").replace("</devices>", KEYBOARD + "</devices>")
    host.write("/root/painter.xml", xml)
    host.run("virsh define /root/painter.xml")
    return host.run("virsh dumpxml --inactive painter")


def ask(host):
    """The points that say no, and what each says."""
    result = host.call("gpu-guest check --json painter")
    no = {point["id"]: f"{point['text']} {point['advice']}" for point in json.loads(result.stdout)
          if point["answer"] == "no"}
    assert result.returncode == (1 if no else 0)
    return no


def test_healthy(host):
    define_healthy(host)
    assert ask(host) == {}


@pytest.mark.parametrize("machine", MACHINES)
def test_machine(host, machine):
    break_it, point, words = MACHINES[machine]
    define_healthy(host)
    host.run(HELD + break_it)
    no = ask(host)
    assert re.search(words, no[point])
    # what follows from it may say so as well: the hand-over's own check, and the domain's devices
    assert set(no) <= {point, "check", "gpu", "driver" if point == "card" else point}


def test_booted_with_nomodeset(host):
    """The screen has the firmware's framebuffer only, which no driver would follow. The lab's i915 does not
    heed nomodeset as the real one does. The lab's X has no driver for such a screen, and would be started
    again and again."""
    define_healthy(host)
    host.lab("reboot", "--append",
             "nomodeset module_blacklist=i915 systemd.unit=multi-user.target", timeout=900)
    no = ask(host)
    assert set(no) == {"driver", "check"}
    assert "Take nomodeset off" in no["driver"]
    result = host.call("virsh start painter")
    assert result.returncode != 0
    assert "The kernel was booted with nomodeset" in result.stderr
    assert host.state()["driver"] == "none"


@pytest.mark.parametrize("guest", GUESTS)
def test_guest(host, guest):
    pattern, replacement, point, words = GUESTS[guest]
    xml, n = re.subn(pattern, replacement, define_healthy(host), count=1, flags=re.DOTALL)
    assert n == 1
    host.write("/root/painter.xml", xml)
    host.run("virsh define /root/painter.xml")
    no = ask(host)
    assert set(no) == {point}
    assert re.search(words, no[point])
