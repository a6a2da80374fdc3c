# SPDX-License-Identifier: LGPL-2.1-or-later
"""gpu-guest, the command for people."""

import json
import re

import pytest

from lablib.host import GPU, SESSION

# libvirt's daemon ends when nobody has asked it for two minutes
WAKE_LIBVIRT = "virsh list"

# the driver is tried in four ways, twice, and the sound card waits a minute for it
SLOW = 600


def status(host):
    return json.loads(host.run("gpu-guest status --json"))


def points(result):
    """The answers of gpu-guest check --json by their ids; of several, the worst."""
    found = {}
    for point in json.loads(result.stdout):
        if found.get(point["id"], {}).get("answer") != "no":
            found[point["id"]] = point
    return found


def test_status(host):
    now = status(host)
    assert now["device"] == GPU
    assert now["driver"] == "i915"
    assert now["owner"] == "host"
    assert now["since"] is None
    assert now["leases"] == now["units"] == []
    assert not now["target"]
    text = host.run("gpu-guest status")
    assert "With: the host, driver i915" in text
    assert "Since:" not in text
    assert "\033" not in text

    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    now = status(host)
    assert now["owner"] == "guest"
    assert now["guest"] == "painter"
    assert now["pid"] == int(host.run("pidof qemu-system-x86_64"))
    assert [lease["domain"] for lease in now["leases"]] == ["painter"]
    assert abs(now["since"] / 1e6 - float(host.run("date +%s"))) < 120
    # who cannot look is told so
    assert "ask as root" in host.run("gpu-guest status", user="lab")


def test_follow(host):
    host.run("systemd-run --quiet --unit=follow --property=StandardOutput=file:/run/followed "
             "gpu-guest status --json --follow")
    host.wait("grep -q host /run/followed")
    host.run("systemctl start gpu-guest-check.service")
    host.run("systemctl start gpu-guest.target")
    host.wait("""grep -q '"owner":"ready"' /run/followed""")
    host.run("systemctl stop gpu-guest.target")
    host.wait("""tail -n 1 /run/followed | grep -q '"owner":"host".*"units":\\[]'""")
    host.run("systemctl stop follow")
    seen = [json.loads(line) for line in host.run("cat /run/followed").splitlines()]
    owners = [now["owner"] for now in seen]
    assert owners[0] == owners[-1] == "host"
    assert "ready" in owners
    assert any("gpu-guest-vfio.service" == unit["unit"] for now in seen for unit in now["units"])
    # nothing twice
    assert all(a != b for a, b in zip(seen, seen[1:]))
    host.assert_has_gpu()


def test_on_a_narrow_terminal(host):
    """Long reasons go on in the next line, and no word is broken; where nobody looks they are one line."""
    host.write("/etc/gpu-guest.conf", "GPU_GUEST_HOLDERS=refuse\n")
    host.run("systemd-run --quiet --unit=media sh -c 'exec 3</dev/dri/renderD128; exec sleep 1000'")
    host.wait("grep -qx sleep /proc/$(systemctl show -P MainPID media)/comm")
    host.call("systemctl start gpu-guest-check.service")
    for command in "gpu-guest status", "gpu-guest try 5":
        plain = host.call(command).stdout
        assert max(map(len, plain.splitlines())) > 80
        narrow = host.call(f"script -qc 'stty cols 80; NO_COLOR=1 {command}' /dev/null").stdout
        lines = [line.rpartition("\x1b[K")[2] for line in narrow.replace("\r", "").splitlines()]
        assert max(map(len, lines)) <= 80
        words = "has /dev/dri/renderD128 open. It would have to be ended, but GPU_GUEST_HOLDERS=refuse"
        assert words in " ".join(plain.split())
        assert words in " ".join(" ".join(lines).split())


# what the steps say when they are done
DONE = ("Taking audio controller", "is off the text consoles", "is ready for a guest")


def test_try(host):
    out = host.run("gpu-guest try 5", timeout=120)
    there, away, back = out.partition("The graphics card is away from the host, for 5 s.")
    assert away
    assert out.splitlines()[-1] == "The graphics card is with the host, driver i915."
    places = [there.find(words) for words in DONE]
    assert -1 not in places and places == sorted(places)
    # a step that is undone still has the words of its start, which are not what goes on then
    assert not [words for words in DONE if words in back]
    host.assert_has_gpu()


def test_try_while_it_is_away(host):
    """It would not come back when the trial is over."""
    host.run("systemctl start gpu-guest.target")
    result = host.call("gpu-guest try 5")
    assert result.returncode == 1
    assert "is away already" in result.stderr
    assert "any guest (gpu-guest.target)" in host.run("gpu-guest status")
    host.run("systemctl start gpu-guest-trial@1000.service")
    assert status(host)["trial"] == "gpu-guest-trial@1000.service"
    host.run("gpu-guest return")
    host.assert_has_gpu()
    assert status(host)["trial"] is None


def test_try_that_would_not_work(host):
    host.run("modprobe -r vfio_pci; mv $(modinfo -n vfio_pci) /root/ && depmod")
    result = host.call("gpu-guest try 5")
    assert result.returncode == 1
    assert "This kernel has no vfio-pci driver" in result.stdout
    assert "nothing was touched" in result.stderr
    assert host.run(SESSION) == host.session


def test_try_that_fails(host):
    """The step fails, the desktop comes back, and both are said."""
    host.write("/run/systemd/system/gpu-guest-vfio.service.d/fault.conf",
               "[Service]\nNotifyAccess=all\nExecStartPost=/bin/sh -c "
               "'systemd-notify --status=\"no luck today\"; exit 1'\n")
    host.run("systemctl daemon-reload")
    result = host.call("gpu-guest try 5", timeout=120)
    assert result.returncode == 1
    assert "no luck today" in result.stdout
    assert "could not be handed over" in result.stderr
    assert result.stdout.splitlines()[-1] == "The graphics card is with the host, driver i915."
    host.run("systemctl reset-failed")
    host.assert_has_gpu()


@pytest.mark.parametrize("time", ["", "0", "soon", "30x", "86401", "25h", "1.5"])
def test_try_nonsense(idle_host, time):
    result = idle_host.call(f"gpu-guest try '{time}'")
    assert result.returncode == 2
    assert "is no time like" in result.stderr


def test_return(host):
    host.run("virsh start painter")
    host.assert_guest_has_gpu("painter")
    out = host.run("gpu-guest return", timeout=180)
    assert out.splitlines()[-1] == "The graphics card is with the host, driver i915."
    assert not [words for words in DONE if words in out]
    assert host.run("virsh domstate painter") == "shut off"
    host.assert_has_gpu()
    # nothing to do is done soon
    host.run("gpu-guest return")
    host.assert_has_gpu()


def test_return_once_it_works_again(host):
    """The driver has refused to take the card back, and then does not any more."""
    host.write("/etc/modprobe.d/fault.conf", "options i915 fail_probe=1000000\n")
    host.run("systemctl start gpu-guest.target && systemctl stop gpu-guest.target")
    host.wait("systemctl is-active gpu-guest-desktop.service | grep -qxE 'inactive|failed'", SLOW)
    assert status(host)["owner"] == "nobody"
    result = host.call("gpu-guest return", timeout=SLOW)
    assert result.returncode == 1
    assert "is not back with the host" in result.stderr
    host.run("rm /etc/modprobe.d/fault.conf; echo 0 >/sys/module/i915/parameters/fail_probe")
    host.run("gpu-guest return", timeout=SLOW)
    host.run("systemctl reset-failed")
    host.assert_has_gpu()


def test_return_without_rights(idle_host):
    result = idle_host.call("gpu-guest return", user="lab")
    assert result.returncode == 1
    assert "Cannot start gpu-guest-return.service" in result.stderr


def test_report(idle_host):
    """What is needed is in it, and names are not: the user's is the host's as well."""
    out = idle_host.run("gpu-guest report painter")
    for section in "software", "machine", "gpu-guest check", "gpu-guest status", "journal":
        assert f"\n== {section}\n" in out
    assert "The graphics card is among them." in out
    assert re.search("^group 1: 0000:00:02.0 0x8086:0x1912 .* driver i915$", out, re.MULTILINE)
    assert "wireplumber.service of user [name]" in " ".join(out.split())
    assert not re.search(r"(?<![\w-])lab(?![\w-])", out)


def test_check(idle_host):
    host = idle_host
    host.run(WAKE_LIBVIRT)
    result = host.call("gpu-guest check --json")
    found = points(result)
    assert {id for id in found if found[id]["answer"] != "yes"} == set()
    assert result.returncode == 0
    assert {"card", "driver", "iommu", "group", "vfio-pci", "audio", "free", "holder", "check",
            "units", "hook", "confinement"} <= set(found)
    text = host.run("gpu-guest check")
    assert "It will work" in text
    assert max(map(len, text.splitlines())) <= 80
    # who cannot look does not say yes
    result = host.call("gpu-guest check --json", user="lab")
    assert result.returncode == 3
    assert points(result)["holder"]["answer"] == "unknown"


def test_check_where_only_root_may_look(idle_host):
    host = idle_host
    mode = host.run("stat -c %a /etc/libvirt")
    host.run("chmod 700 /etc/libvirt")
    result = host.call("gpu-guest check --json", user="lab")
    host.run(f"chmod {mode} /etc/libvirt")
    hook = points(result)["hook"]
    assert hook["answer"] == "unknown"
    assert "Only root may look" in hook["text"]


def test_check_without_driver(host):
    """As after a boot with the driver on a blacklist, which is no obstacle."""
    host.run(f"systemctl stop lightdm && echo {GPU} >/sys/bus/pci/devices/{GPU}/driver/unbind")
    host.run(WAKE_LIBVIRT)
    found = points(host.call("gpu-guest check --json"))
    assert {id for id in found if found[id]["answer"] == "no"} == set()
    assert "none, as after a boot" in found["driver"]["text"]
    host.run("virsh start painter")
    host.wait_look("guest")
    # nothing depends on a card without a driver: neither sound nor a module is touched
    assert host.state_of(("driver", "audio_driver")) == {
        "driver": "vfio-pci", "audio_driver": "snd_hda_intel"}
    host.run("virsh destroy painter")
    host.assert_has_gpu()


def test_check_without_libvirt_reloaded(idle_host):
    host = idle_host
    host.run(WAKE_LIBVIRT)
    host.run("touch /etc/libvirt/hooks/qemu.d/gpu-guest")
    result = host.call("gpu-guest check --json")
    assert result.returncode == 1
    assert points(result)["hook"]["advice"] == "systemctl try-reload-or-restart libvirtd"
    host.run("systemctl try-reload-or-restart libvirtd")
    host.run("gpu-guest check")


def test_check_hook_that_is_not_executable(idle_host):
    host = idle_host
    host.run(WAKE_LIBVIRT)
    host.run("chmod -x /etc/libvirt/hooks/qemu.d/gpu-guest")
    assert "not executable" in points(host.call("gpu-guest check --json"))["hook"]["text"]
    host.run("chmod 755 /etc/libvirt/hooks/qemu.d/gpu-guest")
    # it was none when libvirtd looked
    assert "has not seen it" in points(host.call("gpu-guest check --json"))["hook"]["text"]
    host.run("systemctl try-reload-or-restart libvirtd")


def test_check_older_scripts(idle_host):
    """What somebody had before is named, other hooks are not."""
    host = idle_host
    hooks = "/etc/libvirt/hooks"
    begin = f"{hooks}/qemu.d/win11/prepare/begin"
    host.write(f"{hooks}/qemu", "#!/bin/sh\n[ $2 != prepare ] || systemctl stop display-manager\n")
    host.write(f"{hooks}/qemu.d/network", "#!/bin/sh\niptables-save\n")
    host.run(f"mkdir -p {begin}")
    host.write(f"{begin}/start.sh", "#!/bin/sh\nmodprobe -r i915\n")
    host.run(f"chmod 755 {hooks}/qemu {hooks}/qemu.d/network")
    result = host.call("gpu-guest check --json")
    named = [point for point in json.loads(result.stdout) if point["id"] == "script"]
    assert [f"{hooks}/qemu may" in point["text"] for point in named] == [True]
    assert named[0]["answer"] == "unknown" and "chmod -x" in named[0]["advice"]
    assert result.returncode == 3
    host.run(f"chmod 755 {begin}/start.sh")
    text = " ".join(host.call("gpu-guest check").stdout.split())
    host.run(f"rm -r {hooks}/qemu {hooks}/qemu.d/network {hooks}/qemu.d/win11")
    assert f"{begin}/start.sh may hand the graphics card over" in text


def test_check_number(host):
    """To virsh it is that of a domain that runs, whatever another is called."""
    host.run("virsh start plain")
    number = host.run("virsh domid plain")
    result = host.call(f"gpu-guest check --json {number}")
    assert f"{number} is the number of a domain that runs, plain" in points(result)["domain"]["text"]


def test_check_vfio_pci(idle_host):
    host = idle_host
    host.write("/etc/modprobe.d/fault.conf", "install vfio-pci /bin/false\n")
    assert points(host.call("gpu-guest check --json"))["vfio-pci"]["answer"] == "no"
    host.run("rm /etc/modprobe.d/fault.conf")


def test_check_holder(idle_host):
    host = idle_host
    host.run("systemd-run --quiet --unit=media sh -c 'exec 9<>/dev/dri/renderD128; sleep 1000'")
    host.wait("ls -l /proc/$(systemctl show -P MainPID media)/fd | grep -q renderD128")
    text = host.run("gpu-guest check")
    host.run("systemctl stop media")
    flat = " ".join(text.split())
    assert "media.service" in flat
    assert "will be stopped, and started again later" in flat


def test_check_domain(idle_host):
    host = idle_host
    host.run("virsh dumpxml --inactive painter >/root/painter.xml")
    result = host.call("gpu-guest check --json painter")
    found = points(result)
    assert {id for id in found if found[id]["answer"] == "no"} <= {"address", "input"}
    broken = {
        "<devices>": "<devices><video><model type='virtio'/></video>",
        "</devices>": "<graphics type='vnc'/><disk type='file' device='cdrom'>"
                      "<source file='/root/deleted.iso'/><target dev='sda'/></disk></devices>",
    }
    xml = host.run("cat /root/painter.xml")
    for old, new in broken.items():
        xml = xml.replace(old, new)
    host.write("/root/broken.xml", xml)
    host.run("virsh define /root/broken.xml")
    found = points(host.call("gpu-guest check --json painter"))
    host.run("virsh define /root/painter.xml")
    assert found["video"]["answer"] == found["display"]["answer"] == found["gpu"]["answer"] == "no"
    assert "/root/deleted.iso, and there is no such file" in found["gpu"]["text"]

    assert "failed to get domain" in points(host.call("gpu-guest check --json nobody"))["domain"]["text"]


def test_check_network(idle_host):
    """libvirt starts no guest without its network, as after a reboot where that does not start by itself."""
    host = idle_host
    host.write("/root/lan.xml", "<network><name>lan</name><forward mode='bridge'/>"
                                "<bridge name='lan0'/></network>")
    host.run("virsh net-define /root/lan.xml && virsh dumpxml --inactive painter >/root/painter.xml")
    host.run("sed \"s|</devices>|<interface type='network'><source network='lan'/></interface>&|\" "
             "/root/painter.xml >/root/networked.xml && virsh define /root/networked.xml")
    inactive = points(host.call("gpu-guest check --json painter"))["network"]
    host.run(inactive["advice"])
    active = points(host.call("gpu-guest check --json painter"))["network"]
    host.run("virsh net-destroy lan; virsh net-undefine lan; virsh define /root/painter.xml")
    assert inactive["answer"] == "no" and "lan is not active" in inactive["text"]
    assert active["answer"] == "yes"
    assert "network" not in points(host.call("gpu-guest check --json painter"))
