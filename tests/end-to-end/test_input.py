# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input to the installed hook, on the real host: a clear error or the right answer, and never a
hand-over by mistake. The forms of XML are tests/hook's, on the spot; these are the ones that libvirt
or a person could really bring about."""

import pytest

from lablib.host import HOOK

NAMES = ["--help", "a b", "../../x", ";reboot", "$(reboot)", "%i", "-", "ä ö ü", "x" * 200, "ü" * 200]


def quote(name):
    return "'" + name.replace("'", "'\\''") + "'"


@pytest.mark.parametrize("name", NAMES, ids=[n if len(n) < 20 else f"{n[0]}*{len(n)}" for n in NAMES])
def test_name_without_a_domain(idle_host, name):
    """Nothing on standard input, no such domain: an error that says so."""
    result = idle_host.call(f"{HOOK} {quote(name)} prepare begin < /dev/null")
    assert result.returncode == 1
    assert result.stderr
    assert idle_host.call(f"{HOOK} {quote(name)} release end < /dev/null").returncode == 0
    assert idle_host.call(f"{HOOK} {quote(name)} reconnect begin < /dev/null").returncode == 0


@pytest.mark.parametrize("name", ["a b;$HOME", "--help", "ü" * 60])
def test_guest_of_that_name(host, name):
    """libvirt takes these names; so do we."""
    host.run("virsh dumpxml painter > /tmp/p.xml")
    host.run("sed -i -e /uuid/d "
             f"-e {quote('s|<name>painter|<name>' + name + '|')} /tmp/p.xml && "
             "virsh define /tmp/p.xml")
    host.run(f"virsh start --domain {quote(name)}")
    host.wait_look("guest")
    assert host.run("systemctl list-units --plain --no-legend --state=active 'gpu-guest@*'")
    assert name[:40] in host.run("systemd-inhibit --list --no-legend") or len(name) > 50
    host.run(f"virsh destroy --domain {quote(name)}")
    host.assert_has_gpu()


@pytest.mark.parametrize("xml", ["", "<domain", "<domain type='kvm'/>garbage", "<network/>",
                                 "<!DOCTYPE d [<!ENTITY a 'b'>]><domain>&a;</domain>"])
def test_bad_xml(idle_host, xml):
    idle_host.write("/tmp/bad.xml", xml)
    result = idle_host.call(f"{HOOK} nobody prepare begin < /tmp/bad.xml")
    assert result.returncode == 1
    assert 1 <= result.stderr.count("\n") <= 2


def test_huge_xml(idle_host):
    result = idle_host.call("(printf '<domain>'; yes '<description/>' | head -c 100000000; "
                       f"printf '</domain>') | {HOOK} nobody prepare begin")
    assert result.returncode == 1
    assert "16 MiB" in result.stderr


def test_guest_address_is_not_the_source(idle_host):
    """A network card at the guest's 00:02.0 is not the host's GPU."""
    idle_host.write("/tmp/other.xml", """
<domain type='qemu'><name>other</name><devices>
  <hostdev mode='subsystem' type='pci' managed='yes'>
    <source><address domain='0x0000' bus='0x00' slot='0x11' function='0x0'/></source>
    <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
  </hostdev>
</devices></domain>""")
    assert idle_host.call(f"{HOOK} other prepare begin < /tmp/other.xml").returncode == 0
