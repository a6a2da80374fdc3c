/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/domain-plain.h"
#include "common/domain.h"
#include "test.h"

#define UUID "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
#define UUID_DIGITS "4dea22b31d52d8f32516782e98ab3fa0"

/* as libvirt gives it to a hook, shortened */
static const char windows[] =
        "<domain type='kvm' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
        "  <name>win10</name>\n"
        "  <uuid>" UUID "</uuid>\n"
        "  <title>A &lt;guest&gt; &amp; its <!-- \"address\" --> card</title>\n"
        "  <metadata>\n"
        "    <libosinfo:libosinfo xmlns:libosinfo='http://libosinfo.org/xmlns/libvirt/domain/1.0'>\n"
        "      <libosinfo:os id='http://microsoft.com/win/10'/>\n"
        "    </libosinfo:libosinfo>\n"
        "  </metadata>\n"
        "  <memory unit='KiB'>8388608</memory>\n"
        "  <vcpu placement='static'>4</vcpu>\n"
        "  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>\n"
        "  <devices>\n"
        "    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n"
        "    <controller type='pci' index='0' model='pci-root'/>\n"
        "    <interface type='hostdev' managed='yes'>\n"
        "      <mac address='52:54:00:6d:90:02'/>\n"
        "      <source>\n"
        "        <address type='pci' domain='0x0000' bus='0x03' slot='0x10' function='0x1'/>\n"
        "      </source>\n"
        "      <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>\n"
        "    </interface>\n"
        "    <hostdev mode='subsystem' type='pci' managed='no'>\n"
        "      <driver name='vfio'/>\n"
        "      <source>\n"
        "        <address domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>\n"
        "      </source>\n"
        "      <alias name='hostdev0'/>\n"
        "      <rom file='/usr/share/kvm/igd.rom'/>\n"
        "      <address type='pci' domain='0x0000' bus='0x00' slot='0x0a' function='0x0'/>\n"
        "    </hostdev>\n"
        "    <hostdev mode='subsystem' type='usb' managed='yes'>\n"
        "      <source>\n"
        "        <vendor id='0x046d'/>\n"
        "        <product id='0xc52b'/>\n"
        "        <address bus='1' device='4'/>\n"
        "      </source>\n"
        "    </hostdev>\n"
        "    <hostdev mode='subsystem' type='mdev' managed='no' model='vfio-pci'>\n"
        "      <source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source>\n"
        "    </hostdev>\n"
        "    <hostdev mode='subsystem' type='scsi' managed='no'>\n"
        "      <source><adapter name='scsi_host0'/>"
        "<address bus='0' target='0' unit='0'/></source>\n"
        "    </hostdev>\n"
        "    <hostdev mode='capabilities' type='misc'>\n"
        "      <source><char>/dev/input/event3</char></source>\n"
        "    </hostdev>\n"
        "    <hostdev mode='subsystem' type='pci' managed='yes'>\n"
        "      <source writeFiltering='no'>\n"
        "        <address domain='0x0000' bus='0x00' slot='0x1f' function='0x3'/>\n"
        "      </source>\n"
        "      <address type='unassigned'/>\n"
        "    </hostdev>\n"
        "    <memballoon model='none'/>\n"
        "  </devices>\n"
        "  <qemu:commandline><qemu:arg value='-d'/></qemu:commandline>\n"
        "</domain>\n";

static int make_file(const void *data, size_t size) {
        int fd = memfd_create("domain", MFD_CLOEXEC);

        assert_true(fd >= 0);
        for (size_t done = 0; done < size;) {
                ssize_t n = write(fd, (const char *)data + done, size - done);

                assert_true(n > 0);
                done += (size_t)n;
        }
        assert_int(lseek(fd, 0, SEEK_SET), 0);
        return fd;
}

static int parse_bytes(const void *data, size_t size, Domain *ret, char **ret_reason) {
        _cleanup_close_ int fd = make_file(data, size);

        return domain_parse_fd(fd, ret, ret_reason);
}

static void assert_same(const Domain *a, const Domain *b) {
        assert_str(a->uuid, b->uuid);
        assert_int(a->n_hostdevs, b->n_hostdevs);
        for (size_t i = 0; i < a->n_hostdevs; i++)
                assert_true(pci_address_equal(&a->hostdevs[i], &b->hostdevs[i]));
        assert_int(a->n_usb, b->n_usb);
        for (size_t i = 0; i < a->n_usb; i++)
                assert_true(memcmp(&a->usb[i], &b->usb[i], sizeof(UsbName)) == 0);
        assert_int(a->n_images, b->n_images);
        for (size_t i = 0; i < a->n_images; i++)
                assert_str(a->images[i], b->images[i]);
}

/* Parses what must be good, and once more with a comment behind it: then it is not plain. */
static void parse_good(const char *xml, Domain *ret) {
        _cleanup_free_ char *reason = NULL, *not_plain = NULL;
        _cleanup_domain_ Domain other = {};
        int r = parse_bytes(xml, strlen(xml), ret, &reason);

        if (r < 0)
                test_fail("refused: %s\n%.300s", reason ?: "(null)", xml);
        if (strlen(xml) > DOMAIN_SIZE_MAX / 2)
                return;
        assert_true(asprintf(&not_plain, "%s<!---->", xml) > 0);
        r = parse_bytes(not_plain, strlen(not_plain), &other, &reason);
        if (r < 0)
                test_fail("refused by libxml2: %s\n%.300s", reason ?: "(null)", xml);
        assert_same(ret, &other);
}

/* Parses what must be refused, with these words in the reason: one line, without what ended it. */
static void parse_bad_bytes(const void *data, size_t size, int error, const char *words) {
        _cleanup_free_ char *reason = NULL;
        Domain d = {.n_hostdevs = 42};
        int r = parse_bytes(data, size, &d, &reason);

        if (r != error || !reason || !strstr(reason, words) || strpbrk(reason, "\r\n") ||
                (*reason && reason[strlen(reason) - 1] == '?'))
                test_fail("got %d \"%s\", expected %d and \"%s\", for:\n%.300s", r,
                        reason ?: "(null)", error, words, (const char *)data);
        assert_int(d.n_hostdevs, 42);
}

static void parse_bad(const char *xml, int error, const char *words) {
        parse_bad_bytes(xml, strlen(xml), error, words);
}

static void assert_hostdev(const Domain *d, size_t i, const char *expected) {
        char buffer[PCI_ADDRESS_MAX];

        assert_true(i < d->n_hostdevs);
        assert_str(pci_address_format(&d->hostdevs[i], buffer), expected);
}

static void test_libvirt(void) {
        _cleanup_domain_ Domain d = {};

        parse_good(windows, &d);
        assert_str(d.uuid, UUID);
        assert_int(d.n_hostdevs, 2);
        assert_hostdev(&d, 0, "0000:00:02.0");
        assert_hostdev(&d, 1, "0000:00:1f.3");
        assert_int(d.n_usb, 1);
}

/* The file in /etc/libvirt/qemu begins with a comment; virsh dumpxml's may get a declaration. */
static void test_prologue(void) {
        _cleanup_free_ char *xml = NULL;
        _cleanup_domain_ Domain d = {};

        assert_true(asprintf(&xml,
                            "<?xml version='1.0' encoding='UTF-8'?>\n<!--\nWARNING: THIS IS AN "
                            "AUTO-GENERATED FILE.\n  virsh edit win10\n-->\n\n%s\n<!-- end -->\n",
                            windows) > 0);
        parse_good(xml, &d);
        assert_int(d.n_hostdevs, 2);
}

static void test_nothing_of_ours(void) {
        static const char *const cases[] = {
                "<domain/>",
                "<domain type='kvm'><devices/></domain>",
                "<domain><name>caf\xc3\xa9</name></domain>",
                /* not where libvirt looks */
                "<domain><hostdev type='pci'><source><address slot='2'/></source></hostdev></domain>",
                "<domain><metadata><devices><hostdev type='pci'><source><address slot='2'/></source>"
                "</hostdev></devices></metadata></domain>",
                "<domain><devices><x><hostdev type='pci'><source><address slot='2'/></source></hostdev>"
                "</x></devices></domain>",
                /* not ours */
                "<domain><devices><hostdev><source><address slot='2'/></source></hostdev></devices>"
                "</domain>",
                "<domain><devices><hostdev type='PCI'><source><address slot='2'/></source></hostdev>"
                "</devices></domain>",
                "<domain><devices><hostdev mode='capabilities' type='pci'><source><address slot='2'/>"
                "</source></hostdev></devices></domain>",
                "<domain><devices><Hostdev type='pci'><source><address slot='2'/></source></Hostdev>"
                "</devices></domain>",
                /* other people's namespaces */
                "<domain xmlns:x='u'><devices><x:hostdev type='pci'><source><address slot='2'/></source>"
                "</x:hostdev></devices></domain>",
                "<domain><devices><x:hostdev type='pci'><source><address slot='2'/></source>"
                "</x:hostdev></devices></domain>",
                "<domain xmlns:x='u'><devices><hostdev x:type='pci'><source><address slot='2'/></source>"
                "</hostdev></devices></domain>",
                "<domain><devices xmlns='u'><hostdev type='pci'><source><address slot='2'/></source>"
                "</hostdev></devices></domain>",
                /* no elements at all */
                "<domain><devices><!--<hostdev type='pci'><source><address slot='2'/></source>"
                "</hostdev>--></devices></domain>",
                "<domain><devices><![CDATA[<hostdev type='pci'><source><address slot='2'/></source>"
                "</hostdev>]]></devices></domain>",
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                _cleanup_domain_ Domain d = {};

                parse_good(cases[i], &d);
                assert_int_in(cases[i], d.n_hostdevs, 0);
                assert_str_in(cases[i], d.uuid, NULL);
        }
}

static char *with_address(const char *attributes) {
        char *xml;

        assert_true(asprintf(&xml,
                            "<domain><devices><hostdev type='pci'>\n<source><address %s/></source>"
                            "</hostdev></devices></domain>",
                            attributes) > 0);
        return xml;
}

/* The notations that libvirt takes, with what it makes of them. */
static void test_numbers(void) {
        static const struct {
                const char *attributes, *address;
        } cases[] = {
                {"domain='0x0000' bus='0x00' slot='0x02' function='0x0'", "0000:00:02.0"},
                {"domain='0' bus='0' slot='2' function='0'", "0000:00:02.0"},
                {"slot='2'", "0000:00:02.0"},
                {"slot=\"2\" bus='16'", "0000:10:02.0"},
                {"slot='010'", "0000:00:08.0"},
                {"slot='037' bus='0377' function='07'", "0000:ff:1f.7"},
                {"slot='0X1F' bus='0XfF' function='0x7'", "0000:ff:1f.7"},
                {"slot='31' bus='255' function='7'", "0000:ff:1f.7"},
                {"slot='+2'", "0000:00:02.0"},
                {"slot=' 2'", "0000:00:02.0"},
                {"slot='0x0000000002'", "0000:00:02.0"},
                {"slot='&#x32;'", "0000:00:02.0"},
                {"domain='0xffffffff' slot='1'", "ffffffff:00:01.0"},
                {"domain='65536' bus='0xe1'", "10000:e1:00.0"},
                {"slot='2' multifunction='on' unknown='x'", "0000:00:02.0"},
                {"", "0000:00:00.0"},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                _cleanup_free_ char *xml = with_address(cases[i].attributes);
                _cleanup_domain_ Domain d = {};

                parse_good(xml, &d);
                assert_int_in(cases[i].attributes, d.n_hostdevs, 1);
                assert_hostdev(&d, 0, cases[i].address);
        }
}

static void test_bad_numbers(void) {
        static const struct {
                const char *attributes, *words;
        } cases[] = {
                {"slot='08'", "line 2: slot='08' "},
                {"slot=''", "slot=''"},
                {"slot='-1'", "slot='-1'"},
                {"slot='- 1'", "slot='- 1'"},
                {"slot='+-1'", "slot='+-1'"},
                {"slot='2 '", "slot='2 '"},
                {"slot='0x'", "slot='0x'"},
                {"slot='x2'", "slot='x2'"},
                {"slot='1f'", "slot='1f'"},
                {"slot='0b10'", "slot='0b10'"},
                {"slot='2.0'", "slot='2.0'"},
                {"slot='0x20'", "slot='0x20'"},
                {"slot='32'", "slot='32'"},
                {"bus='0x100'", "bus='0x100'"},
                {"bus='256'", "bus='256'"},
                {"function='8'", "function='8'"},
                {"function='0x10'", "function='0x10'"},
                {"domain='0x100000000'", "domain='0x100000000'"},
                {"domain='-1'", "domain='-1'"},
                {"domain='99999999999999999999999999999999999'", "domain='99999999999999999999"},
                {"domain='0xffffffffffffffff'", "domain='0xffffffffffffffff'"},
                {"slot='\xd9\xa2'", "slot='\xd9\xa2'"}, /* an Arabic two */
                {"slot='a&#10;b'", "slot='a"},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                _cleanup_free_ char *xml = with_address(cases[i].attributes);

                parse_bad(xml, -EBADMSG, cases[i].words);
        }
}

static void test_number_of_addresses(void) {
        parse_bad("<domain><devices><hostdev type='pci'/></devices></domain>", -EBADMSG,
                "0 source addresses");
        parse_bad(
                "<domain><devices>\n<hostdev type='pci'>\n<address slot='2'/>\n</hostdev></devices>"
                "</domain>",
                -EBADMSG, "line 4 with 0 source addresses");
        parse_bad("<domain><devices><hostdev type='pci'><source><address slot='2'/>"
                  "<address slot='3'/></source></hostdev></devices></domain>",
                -EBADMSG, "2 source addresses");
        parse_bad("<domain><devices><hostdev type='pci'><source><address slot='2'/></source>"
                  "<source><address slot='3'/></source></hostdev></devices></domain>",
                -EBADMSG, "2 source addresses");
}

/* All that a domain says of USB devices, to compare it with one string. */
static char *describe_usb(const Domain *d) {
        char *text = strdup("");

        for (size_t i = 0; i < d->n_usb; i++) {
                char name[USB_NAME_MAX], *longer;

                assert_true(asprintf(&longer, "%s%s%s", text, i ? "; " : "",
                                    usb_name_format(&d->usb[i], name)) >= 0);
                free(text);
                text = longer;
        }
        return text;
}

static void test_usb(void) {
        static const struct {
                const char *hostdev, *expected;
        } cases[] = {
                {"<source><vendor id='0x046d'/><product id='0xc31c'/></source>", "046d:c31c"},
                {"<source><product id='49948'/><vendor id='1133'/></source>", "046d:c31c"},
                {"<source startupPolicy='mandatory'><vendor id='1'/><product id='0'/></source>",
                        "0001:0000"},
                {"<source startupPolicy='requisite' guestReset='off'><vendor id='1'/>"
                 "<product id='2'/></source>",
                        "0001:0002"},
                {"<source><address bus='1' device='4'/></source>", "on bus 1, device 4"},
                {"<source><vendor id='0x046d'/><product id='0xc31c'/>"
                 "<address bus='1' device='4'/></source><boot order='1'/>"
                 "<address type='usb' bus='0' port='1'/>",
                        "046d:c31c on bus 1, device 4"},
                /* the guest can do without it */
                {"<source startupPolicy='optional'><vendor id='1'/><product id='2'/></source>", ""},
                /* what we do not know libvirt may know, or refuse */
                {"", ""},
                {"<source/>", ""},
                {"<source><vendor id='1'/></source>", ""},
                {"<source><product id='1'/></source>", ""},
                {"<source><vendor id='0'/><product id='2'/></source>", ""},
                {"<source><vendor id='0x10000'/><product id='2'/></source>", ""},
                {"<source><vendor id='x'/><product id='2'/></source>", ""},
                {"<source><vendor/><product id='2'/></source>", ""},
                {"<source><vendor id='1'/><vendor id='1'/><product id='2'/></source>", ""},
                {"<source><vendor id='1'/><product id='2'/><address bus='1' port='1.2'/></source>",
                        ""},
                {"<source><vendor id='1'/><product id='2'/><address bus='0' device='4'/></source>",
                        ""},
                {"<source><vendor id='1'/><address bus='1' device='4'/></source>", ""},
                {"<source><address bus='1' device='4'/><address bus='1' device='4'/></source>", ""},
                {"<source><address bus='1' device='4'/></source><source/>", ""},
                {"<source><x><vendor id='1'/><product id='2'/></x></source>", ""},
                {"<vendor id='1'/><product id='2'/>", ""},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                _cleanup_free_ char *xml = NULL, *found = NULL;
                _cleanup_domain_ Domain d = {};

                assert_true(asprintf(&xml,
                                    "<domain><devices><hostdev mode='subsystem' type='usb'>%s"
                                    "</hostdev></devices></domain>",
                                    cases[i].hostdev) > 0);
                parse_good(xml, &d);
                found = describe_usb(&d);
                assert_str_in(cases[i].hostdev, found, cases[i].expected);
                assert_int_in(cases[i].hostdev, d.n_hostdevs, 0);
        }
}

/* One after the other, and PCI devices between them: none takes over what another has said. */
static void test_usb_and_pci(void) {
        static const char pci[] =
                "<hostdev type='pci'><source><address slot='2'/></source></hostdev>";
        static const char usb[] = "<hostdev type='usb'><source><vendor id='%d'/>"
                                  "<product id='2'/></source></hostdev>";
        _cleanup_free_ char *xml = NULL, *one = NULL, *two = NULL, *found = NULL;
        _cleanup_domain_ Domain d = {};

        assert_true(asprintf(&one, usb, 1) > 0 && asprintf(&two, usb, 3) > 0);
        assert_true(asprintf(&xml,
                            "<domain><devices>%s%s%s<hostdev type='usb'><source/></hostdev>%s%s"
                            "<hostdev mode='capabilities' type='usb'><source><vendor id='5'/>"
                            "<product id='2'/></source></hostdev></devices></domain>",
                            one, pci, two, pci, one) > 0);
        parse_good(xml, &d);
        found = describe_usb(&d);
        assert_str(found, "0001:0002; 0003:0002; 0001:0002");
        assert_int(d.n_hostdevs, 2);
}

static void test_images(void) {
        static const struct {
                const char *disk, *image;
        } cases[] = {
                {"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                 "<source file='/var/lib/libvirt/images/win11.qcow2' index='1'/>"
                 "<backingStore type='file'><source file='/base'/></backingStore></disk>",
                        "/var/lib/libvirt/images/win11.qcow2"},
                {"<disk type='file' device='cdrom'><source file='/a b/c.iso'/></disk>",
                        "/a b/c.iso"},
                {"<disk type='file'><source startupPolicy='requisite' file='/a&apos;b'/></disk>",
                        "/a'b"},
                /* none, not needed, or not for us to know */
                {"<disk type='file' device='cdrom'/>", NULL},
                {"<disk type='file'><source/></disk>", NULL},
                {"<disk type='file'><source file='a'/></disk>", NULL},
                {"<disk type='file'><source file='/a&amp;b'/></disk>", NULL},
                {"<disk type='file'><source startupPolicy='optional' file='/a'/></disk>", NULL},
                {"<disk type='block'><source dev='/dev/sda' file='/a'/></disk>", NULL},
                {"<disk><source file='/a'/></disk>", NULL},
                {"<disk type='file'><mirror><source file='/a'/></mirror></disk>", NULL},
                {"<hostdev type='file'><source file='/a'/></hostdev>", NULL},
                {"<filesystem type='file'><source file='/a'/></filesystem>", NULL},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                _cleanup_free_ char *xml = NULL;
                _cleanup_domain_ Domain d = {};

                assert_true(asprintf(&xml, "<domain><devices>%s</devices></domain>",
                                    cases[i].disk) > 0);
                parse_good(xml, &d);
                assert_int_in(cases[i].disk, d.n_images, cases[i].image ? 1 : 0);
                if (cases[i].image)
                        assert_str(d.images[0], cases[i].image);
        }
}

static void test_uuid(void) {
        static const char *const good[] = {
                "<domain><uuid>" UUID "</uuid></domain>",
                "<domain><uuid>4DEA22B3-1D52-D8F3-2516-782E98AB3FA0</uuid></domain>",
                "<domain><uuid>" UUID_DIGITS "</uuid></domain>",
                "<domain><uuid>\n  " UUID "\n</uuid></domain>",
                "<domain><uuid>4dea22b3-<!-- c -->1d52-d8f3-2516-<![CDATA[782e98ab3fa0]]></uuid>"
                "</domain>",
                "<domain><uuid>" UUID "</uuid><uuid>second</uuid></domain>",
                "<domain><metadata><uuid>other</uuid></metadata><uuid>" UUID "</uuid></domain>",
        };
        static const char *const bad[] = {
                "<domain><uuid/></domain>",
                "<domain><uuid>  </uuid></domain>",
                "<domain><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa</uuid></domain>",
                "<domain><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa00</uuid></domain>",
                "<domain><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fag</uuid></domain>",
                "<domain><uuid>../../../../etc/passwd</uuid></domain>",
                "<domain><uuid>4dea22b3 1d52 d8f3 2516 782e98ab3fa0</uuid></domain>",
                "<domain><uuid>" UUID UUID UUID UUID "</uuid></domain>",
                "<domain><uuid>" UUID_DIGITS UUID_DIGITS "</uuid></domain>",
        };

        for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
                _cleanup_domain_ Domain d = {};

                parse_good(good[i], &d);
                assert_str_in(good[i], d.uuid, UUID);
        }
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                parse_bad(bad[i], -EBADMSG, "<uuid>");
}

static void test_not_well_formed(void) {
        static const struct {
                const char *xml, *words;
        } cases[] = {
                {" ", ""},
                {"hello", "line 1: "},
                {"<domain>", "line 1: "},
                {"<domain><devices></domain>", "mismatch"},
                {"<domain/><domain/>", "line 1: "},
                {"<domain/>x", "line 1: "},
                {"<domain a='1' a='2'/>", "redefined"},
                {"<domain>&nonsense;</domain>", "nonsense"},
                {"<domain>\xff\xfe</domain>", "line 1: "},
                {"<domain>\xc3</domain>", "line 1: "},
                {"<domain>\xed\xa0\x80</domain>", "line 1: "}, /* half of a surrogate pair */
                {"<domain>\x01</domain>", "line 1: "},
                {"<domain>&#0;</domain>", "line 1: "},
                {"<?xml version='1.0'?><?xml version='1.0'?><domain/>", "XML declaration"},
                {"\n<?xml version='1.0'?><domain/>", "XML declaration"},
                {"<domain/><?xml version='1.0'?>", "XML declaration"},
                {"<?xml version='1.0' encoding='no-such'?><domain/>", "ncoding"},
                {"<network/>", "<network>"},
                {"<Domain/>", "<Domain>"},
                {"<x:domain xmlns:x='u'/>", "root element"},
                {"<domain xmlns='u'/>", "root element"},
                {"<domstatus><domain/></domstatus>", "<domstatus>"},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
                parse_bad(cases[i].xml, -EBADMSG, cases[i].words);

        parse_bad_bytes("<domain/>\0<domain>", 18, -EBADMSG, "NUL");
        parse_bad_bytes("<dom\0ain/>", 10, -EBADMSG, "NUL");
        parse_bad_bytes("\0", 1, -EBADMSG, "NUL");
        parse_bad_bytes("\xff\xfe<\0d\0/\0>\0", 10, -EBADMSG, "NUL");
}

/* Wherever a domain's XML is cut, it is refused; a cut after the last tag leaves it whole. */
static void test_truncated(void) {
        size_t end = strlen(windows) - 1; /* without the newline */

        for (size_t n = 1; n < end; n++)
                parse_bad_bytes(windows, n, -EBADMSG, "");
        parse_bad_bytes(windows, 0, -ENODATA, "nothing");
}

static void test_doctype(void) {
        static const char *const cases[] = {
                "<!DOCTYPE domain><domain/>",
                "<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain/>",
                "<!DOCTYPE domain PUBLIC '-//X' 'http://192.0.2.1/x.dtd'><domain/>",
                "<?xml version='1.0'?><!DOCTYPE domain [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
                "<domain><uuid>&a;</uuid></domain>",
                "<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
                "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>"
                "<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;&d;'><!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;'>"
                "]><domain x='&f;'>&f;</domain>",
                "<!DOCTYPE d [<!ENTITY % p SYSTEM 'file:///etc/passwd'>%p;]><domain/>",
                "<!DOCTYPE d [<!ATTLIST hostdev type CDATA 'pci'>]><domain/>",
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
                parse_bad(cases[i], -EBADMSG, "DOCTYPE");
}

static char *repeat(const char *begin, const char *unit, size_t n, const char *end) {
        size_t length = strlen(unit);
        char *s = malloc(strlen(begin) + n * length + strlen(end) + 1), *t;

        assert_true(s);
        t = stpcpy(s, begin);
        for (size_t i = 0; i < n; i++)
                t = mempcpy(t, unit, length);
        strcpy(t, end);
        return s;
}

static void test_deep(void) {
        _cleanup_free_ char *deep = repeat("<domain>", "<a>", 100000, "");

        parse_bad(deep, -EBADMSG, "");
}

static void test_many(void) {
        enum { N = 20000 };
        _cleanup_free_ char *xml = repeat("<domain><devices>",
                "<hostdev mode='subsystem' type='pci'><source><address domain='0x0000' bus='0x00' "
                "slot='0x02' function='0x0'/></source></hostdev>\n",
                N, "</devices></domain>");
        _cleanup_domain_ Domain d = {};

        parse_good(xml, &d);
        assert_int(d.n_hostdevs, N);
        assert_hostdev(&d, N - 1, "0000:00:02.0");
}

/* Up to our limit what counts is what it says; libxml2 has limits of its own for a single name,
 * text or attribute, and they are kept. */
static void test_large(void) {
        static const char empty[] = "<domain></domain>", element[] = "<a>text</a>";
        size_t n = (DOMAIN_SIZE_MAX - strlen(empty)) / strlen(element);
        _cleanup_free_ char *largest = repeat("<domain>", element, n, "</domain>");
        _cleanup_free_ char *too_large = repeat("<domain>", element, n + 2, "</domain>");
        _cleanup_free_ char *behind = repeat(empty, "<!---->", DOMAIN_SIZE_MAX / 7, "");
        _cleanup_free_ char *attribute = repeat("<domain a='", "x", 15000000, "'/>");
        _cleanup_free_ char *name = repeat("<", "x", 60000, "/>");
        _cleanup_free_ char *many = repeat("<domain ", "x='y' ", 10000, "/>");
        _cleanup_domain_ Domain d = {};

        parse_good(largest, &d);
        parse_bad(too_large, -EFBIG, "16 MiB");
        parse_bad(behind, -EFBIG, "16 MiB");
        parse_bad(attribute, -EBADMSG, "");
        parse_bad(name, -EBADMSG, "");
        parse_bad(many, -EBADMSG, "");
}

/* From a pipe: in pieces, endless, and from a writer that stops half-way without going away. */
static void test_pipe(void) {
        static const struct {
                const char *xml;
                int repeat; /* the last byte, -1: for ever */
                int error;
        } cases[] = {
                {"<domain><uuid>" UUID "</uuid></domain>", 0, 0},
                {"<domain> ", -1, -EFBIG},
                {"", 0, -ENODATA},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                _cleanup_free_ char *reason = NULL;
                _cleanup_domain_ Domain d = {};
                int fds[2], r;
                pid_t pid;

                assert_int(pipe(fds), 0);
                pid = fork();
                assert_true(pid >= 0);
                if (pid == 0) {
                        char blanks[4096];

                        close(fds[0]);
                        for (const char *s = cases[i].xml; *s; s++)
                                assert_int(write(fds[1], s, 1), 1);
                        memset(blanks, ' ', sizeof(blanks));
                        while (cases[i].repeat < 0)
                                if (write(fds[1], blanks, sizeof(blanks)) < 0) /* or SIGPIPE */
                                        break;
                        _exit(EXIT_SUCCESS);
                }
                close(fds[1]);
                r = domain_parse_fd(fds[0], &d, &reason);
                assert_int_in(cases[i].xml, r, cases[i].error);
                if (r >= 0)
                        assert_str(d.uuid, UUID);
                close(fds[0]);
                assert_int(waitpid(pid, NULL, 0), pid);
        }
}

static void test_stalled(void) {
        _cleanup_free_ char *reason = NULL;
        Domain d;
        int fds[2];

        assert_int(pipe(fds), 0);
        assert_int(write(fds[1], "<domain>", 8), 8);
        assert_int(domain_parse_fd(fds[0], &d, &reason), -ETIMEDOUT);
        assert_true(strstr(reason, "in time"));
        close(fds[0]);
        close(fds[1]);
}

static void test_unreadable(void) {
        _cleanup_close_ int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *reason = NULL, *other = NULL;
        Domain d;

        assert_int(domain_parse_fd(fd, &d, &reason), -EISDIR);
        assert_str(reason, strerror(EISDIR));
        assert_int(domain_parse_fd(1000000, &d, &other), -EBADF);
}

static void on_start(void *userdata, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
        int n_namespaces, const xmlChar **namespaces, int n_attributes, int n_defaulted,
        const xmlChar **attributes) {
        ++*(int *)userdata;
}

static void on_end(void *userdata, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri) {
        --*(int *)userdata;
}

static void on_characters(void *userdata, const xmlChar *text, int size) {
        assert_true(size > 0);
}

static bool is_plain(const char *xml) {
        static const xmlSAXHandler sax = {
                .startElementNs = on_start, .endElementNs = on_end, .characters = on_characters};
        int depth = 0;
        bool plain = domain_plain_parse(xml, strlen(xml), &sax, &depth);

        if (plain)
                assert_int_in(xml, depth, 0);
        return plain;
}

/* What libvirt writes is, and what may mean something else is not. */
static void test_plain(void) {
        static const char *const plain[] = {
                "<a/>",
                "<a></a>\n",
                "<a b='c' d=\"e\">\n\t<f:g h:i=\"j'k\" xmlns:h='l'/> m ]] n\n</a> \t\n",
                "<a.b-c_D9 e='>'></a.b-c_D9>",
                "<a ></a>",
                "<!----><a/>",
                "<!--\nWARNING: <a> & - \"b\" ->\n-->\n\n<!--> --><a/>",
        };
        static const char *const in_doubt[] = {
                "",
                "a",
                "<",
                "<a",
                "<a>",
                "<a/",
                "</a>",
                "<a></b>",
                "<a></ab>",
                "<ab></a>",
                "<x:a></y:a>",
                "<a/><a/>",
                "<a/>b",
                " <a/>",
                "<a></a >",
                "<a/ >",
                "< a/>",
                "<9/>",
                "<-a/>",
                "<:a/>",
                "<a:/>",
                "<a:b:c/>",
                "<a b/>",
                "<a b=c/>",
                "<a b = 'c'/>",
                "<a b='c'd='e'/>",
                "<a b='c' b='d'/>",
                "<a x:b='c' x:b='d'/>",
                "<a b='&lt;'/>",
                "<a b='<'/>",
                "<a b='c\td'/>",
                "<a b='c",
                "<a>&lt;</a>",
                "<a>]]></a>",
                "<a>\r</a>",
                "<a>\x7f</a>",
                "<a>\xc3\xa9</a>",
                "<a b='\xc3\xa9'/>",
                "<\xc3\xa9/>",
                "\xef\xbb\xbf<a/>",
                "\xff\xfe<a/>",
                "<?xml version='1.0'?><a/>",
                "<!DOCTYPE a><a/>",
                "<a><!-- --></a>",
                "<a><![CDATA[]]></a>",
                "<a><?b?></a>",
                "<a/><!-- -->",
                "<!-- -->",
                "<!-- --",
                "<!-- -",
                "<!-",
                "<!-- ---><a/>",
                "<!-- -- --><a/>",
                "<!-- \r--><a/>",
                "<!-- \xc3\xa9--><a/>",
                " <!-- --><a/>",
                "<a xmlns='u'/>",
                "<a><b xmlns=''/></a>",
                "<a xml:space='no'/>",
        };
        _cleanup_free_ char *deep = repeat("", "<a>", 100, ""), *name = repeat("<", "a", 64, "/>");
        _cleanup_free_ char *prefix = repeat("<", "a", 64, ":b/>");
        char many[512] = "<a", *end = many + 2;

        assert_true(is_plain(windows) == false); /* it has an entity and a comment */
        for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
                if (!is_plain(plain[i]))
                        test_fail("in doubt: %s", plain[i]);
        for (size_t i = 0; i < sizeof(in_doubt) / sizeof(*in_doubt); i++)
                if (is_plain(in_doubt[i]))
                        test_fail("plain: %s", in_doubt[i]);

        assert_true(!is_plain(deep) && !is_plain(name) && !is_plain(prefix));
        for (int i = 0; i < 20; i++)
                end += sprintf(end, " b%d=''", i);
        strcpy(end, "/>");
        assert_true(!is_plain(many));
}

/* A byte of what libvirt writes is changed into another one, and the two ways have to agree; cut at
 * any length it is never plain. */
static void test_plain_changed(void) {
        static const char xml[] =
                "<!--\n> - -->\n<domain type='kvm' id='3'>\n  <uuid>" UUID "</uuid>\n"
                "  <m><x:y xmlns:x=\"u\" a='b'/></m>\n  <devices>\n"
                "    <hostdev mode='subsystem' type='pci' managed='yes'>\n      <source>\n"
                "        <address domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>\n"
                "      </source>\n      <address type='pci' bus='0x00'/>\n    </hostdev>\n"
                "  </devices>\n</domain>\n";
        static const char bytes[] = "<>&'\"/!?=:x9 -\n\t\r]\x7f\xc3";
        size_t end = strlen(xml) - 1; /* without the newline */

        assert_true(is_plain(xml));
        for (size_t i = 0; i < end; i++) {
                _cleanup_free_ char *changed = strndup(xml, i);

                assert_true(!is_plain(changed));
                for (const char *b = bytes; *b; b++) {
                        _cleanup_free_ char *one = strdup(xml), *two = NULL, *reason = NULL,
                                            *other_reason = NULL;
                        _cleanup_domain_ Domain d = {}, other = {};
                        int r;

                        one[i] = *b;
                        assert_true(asprintf(&two, "%s<!---->", one) > 0);
                        r = parse_bytes(one, strlen(one), &d, &reason);
                        assert_int_in(one, r, parse_bytes(two, strlen(two), &other, &other_reason));
                        assert_same(&d, &other);
                }
        }
}

int main(void) {
        test_libvirt();
        test_prologue();
        test_nothing_of_ours();
        test_numbers();
        test_bad_numbers();
        test_number_of_addresses();
        test_usb();
        test_usb_and_pci();
        test_images();
        test_uuid();
        test_not_well_formed();
        test_truncated();
        test_doctype();
        test_deep();
        test_many();
        test_large();
        test_pipe();
        test_stalled();
        test_unreadable();
        test_plain();
        test_plain_changed();
        return EXIT_SUCCESS;
}
