/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A domain's part of gpu-guest check: its definition as libvirt formats it. Whether it takes part
 * at all, and what else it wants of the host, is gpu-guest-lease's answer, as it is when it starts.
 */

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "common/cleanup.h"
#include "common/domain.h"
#include "common/pci-address.h"
#include "common/pci.h"
#include "common/process.h"
#include "common/sysfs.h"
#include "common/text.h"

#define TIMEOUT_MS 15000
#define CLASS_USB "0x0c03"
#define LINE_MAX_SIZE 512

DEFINE_POINTER_CLEANUP(xmlDocPtr, xmlFreeDoc);
DEFINE_POINTER_CLEANUP(xmlXPathContextPtr, xmlXPathFreeContext);
DEFINE_POINTER_CLEANUP(xmlXPathObjectPtr, xmlXPathFreeObject);

/* The <hostdev> elements that domain_parse_fd() reads, in the same order. */
#define PCI_HOSTDEVS "/domain/devices/hostdev[@type='pci' and (not(@mode) or @mode='subsystem')]"

/* Where Intel's drivers look for the GPU, and who is there. */
#define GUEST_ADDRESS "address.type=pci,address.bus=0,address.slot=2,address.function=0"
#define AT_GUEST_SLOT \
        "(/domain/devices/*[address[@type='pci' and @bus='0x00' and @slot='0x02']])[1]"

/* What needs a SPICE display, and how virt-xml gets rid of it. */
static const struct {
        const char *path, *command;
} spice_devices[] = {
        {"/domain/devices/channel[@type='spicevmc']", "--remove-device --channel type=spicevmc"},
        {"/domain/devices/channel[@type='spiceport']", "--remove-device --channel type=spiceport"},
        {"/domain/devices/redirdev[@type='spicevmc']", "--remove-device --redirdev type=spicevmc"},
        {"/domain/devices/smartcard[@type='spicevmc']",
                "--remove-device --smartcard type=spicevmc"},
        {"/domain/devices/serial[@type='spiceport']", "--remove-device --serial type=spiceport"},
        {"/domain/devices/audio[@type='spice']", "--edit type=spice --audio type=none"},
};

typedef struct Definition {
        Check *check;
        const char *name;
        char *quoted_name; /* for the commands of advice */
        Domain domain;     /* as the hand-over reads it */
        xmlXPathContextPtr xpath;
} Definition;

/* How many nodes an XPath expression selects. */
static unsigned count(const Definition *d, const char *expression) {
        _cleanup_(xmlXPathFreeObjectp) xmlXPathObjectPtr result =
                xmlXPathEvalExpression((const xmlChar *)expression, d->xpath);

        return result && result->nodesetval ? (unsigned)result->nodesetval->nodeNr : 0;
}

/* The text of an expression's string() value, the caller's to free; NULL when memory is out. */
static char *__attribute__((format(printf, 2, 3)))
get_string(const Definition *d, const char *format, ...) {
        _cleanup_(xmlXPathFreeObjectp) xmlXPathObjectPtr result = NULL;
        _cleanup_free_ char *expression = NULL;
        xmlChar *text;
        char *copy;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&expression, format, ap);
        va_end(ap);
        if (r < 0) {
                expression = NULL;
                d->check->out_of_memory = true;
                return NULL;
        }
        result = xmlXPathEvalExpression((const xmlChar *)expression, d->xpath);
        text = result ? xmlXPathCastToString(result) : NULL;
        copy = text ? strdup((const char *)text) : NULL;
        xmlFree(text);
        return copy;
}

/* Runs a program, its standard output and error in a memfd each, from the beginning. */
static int run(const char *const *argv, int input, int *ret_output, int *ret_error) {
        int fds[3] = {
                input, memfd_create("output", MFD_CLOEXEC), memfd_create("error", MFD_CLOEXEC)};
        int r = fds[1] < 0 || fds[2] < 0 ? -errno : process_run(argv, fds, TIMEOUT_MS);

        for (int i = 1; i < 3; i++)
                if (fds[i] >= 0)
                        (void)lseek(fds[i], 0, SEEK_SET);
        *ret_output = fds[1];
        *ret_error = fds[2];
        return r;
}

/* The first line of what a program has said, without its own name, the caller's to free. */
static char *first_line(int fd) {
        char text[LINE_MAX_SIZE], *begin = text;
        ssize_t n = read(fd, text, sizeof(text) - 1);

        if (n < 0)
                n = 0;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        if (text_begins_with(begin, "error: "))
                begin += strlen("error: ");
        else if (text_begins_with(begin, "gpu-guest-lease: "))
                begin += strlen("gpu-guest-lease: ");
        return strdup(begin);
}

/* Why virsh has not done it, the caller's to free; NULL when memory is out. */
static char *virsh_reason(int r, int error) {
        _cleanup_free_ char *line = r > 0 && error >= 0 ? first_line(error) : NULL;

        return strdup(r < 0 ? strerror(-r) : line && *line ? line : "virsh has failed");
}

/* The definition, in a memfd; negative if there is none, which has been said. */
static int read_definition(Check *c, const char *domain) {
        const char *const argv[] = {"virsh", "--quiet", "--readonly", "--connect=qemu:///system",
                "dumpxml", "--inactive", "--domain", domain, NULL};
        _cleanup_close_ int output = -1, error = -1;
        _cleanup_free_ char *reason = NULL;
        int r = run(argv, -1, &output, &error);

        if (r == 0) {
                r = output;
                output = -1;
                return r;
        }
        reason = virsh_reason(r, error);
        if (!reason)
                c->out_of_memory = true;
        else if (r == -ENOENT)
                check_add(c, "domain", "Domain", ANSWER_UNKNOWN, "virsh is not installed.");
        else
                check_add(c, "domain", "Domain",
                        r < 0 || text_begins_with(reason, "failed to connect") ? ANSWER_UNKNOWN
                                                                               : ANSWER_NO,
                        "%s", reason);
        return -EREMOTEIO;
}

/* virsh takes digits for the number of a domain that runs, if there is one. */
static bool is_another(const Definition *d) {
        _cleanup_free_ char *name = NULL;

        if (d->name[strspn(d->name, "0123456789")] != '\0')
                return false;
        name = get_string(d, "string(/domain/name)");
        if (!name || strcmp(name, d->name) == 0)
                return false;
        check_add(d->check, "domain", "Domain", ANSWER_UNKNOWN,
                "To virsh %s is the number of a domain that runs, %s.", d->name, name);
        check_advise(d->check, "Ask by its UUID, which \"virsh list --all --name --uuid\" shows.");
        return true;
}

/*
 * How the GPU, which the domain has or gets, comes to its place. On q35 libvirt puts PCIe root
 * ports there; those that devices need it makes anew and elsewhere, once the place is taken by
 * another in the very definition that they are left out of.
 */
static void advise_guest_address(Definition *d, bool has_gpu) {
        _cleanup_free_ char *taken = get_string(d, "name(" AT_GUEST_SLOT ")");
        _cleanup_free_ char *model = get_string(d, "string(" AT_GUEST_SLOT "/@model)");
        const char *verb = has_gpu ? "--edit " : "--add-device --hostdev ";
        const char *option = has_gpu ? " --hostdev " : ",";

        if (!taken || !model || !d->check->gpu)
                return;
        if (strcmp(model, "pcie-root-port") == 0)
                check_advise(d->check,
                        "virsh dumpxml --inactive --security-info %s | "
                        "virt-xml --remove-device --controller model=pcie-root-port | "
                        "virt-xml %s%s%s" GUEST_ADDRESS " | virsh define /dev/stdin",
                        d->quoted_name, verb, d->check->gpu, option);
        else if (*taken == '\0' || strcmp(taken, "video") == 0)
                check_advise(d->check, "virt-xml %s %s%s%s" GUEST_ADDRESS, d->quoted_name, verb,
                        d->check->gpu, option);
        else
                check_advise(d->check,
                        "A <%s> is there. virsh edit %s: take its <address> out, then virt-xml %s "
                        "%s%s%s" GUEST_ADDRESS,
                        taken, d->quoted_name, d->quoted_name, verb, d->check->gpu, option);
}

/* The hand-over's own answer. Returns whether the domain has the GPU. */
static bool check_lease(Definition *d, int xml) {
        const char *const argv[] = {LEASE_PATH, "--", d->name, NULL};
        _cleanup_close_ int output = -1, error = -1;
        _cleanup_free_ char *reason = NULL;
        Check *c = d->check;
        int r = run(argv, xml, &output, &error);
        bool has_gpu;

        (void)lseek(xml, 0, SEEK_SET);
        reason = error >= 0 ? first_line(error) : NULL;
        if (r < 0) {
                check_add(c, "gpu", "Its devices", ANSWER_UNKNOWN, "%s: %s", LEASE_PATH,
                        strerror(-r));
                return false;
        }
        if (r > 0) {
                check_add(c, "gpu", "Its devices", ANSWER_NO, "%s",
                        reason && *reason ? reason : "gpu-guest-lease has failed");
                check_advise(c,
                        "Put that right, or take the device out of the guest: virsh edit %s",
                        d->quoted_name);
                return true;
        }
        has_gpu = lseek(output, 0, SEEK_END) > 0;
        if (has_gpu)
                check_add(c, "gpu", "Its devices", ANSWER_YES, "The graphics card is among them.");
        else {
                check_add(c, "gpu", "Its devices", ANSWER_NO,
                        "The graphics card is not among them, so it stays with the host.");
                advise_guest_address(d, false);
        }
        return has_gpu;
}

/* Which of the PCI hostdevs is the GPU, from 1 on; 0: none. */
static size_t find_gpu(const Definition *d) {
        PciAddress gpu;

        if (!d->check->gpu || pci_address_parse(d->check->gpu, &gpu) < 0)
                return 0;
        for (size_t i = 0; i < d->domain.n_hostdevs; i++)
                if (pci_address_equal(&d->domain.hostdevs[i], &gpu))
                        return i + 1;
        return 0;
}

static void check_gpu_address(Definition *d, size_t gpu) {
        _cleanup_free_ char *address = get_string(d,
                "concat((" PCI_HOSTDEVS ")[%zu]/address/@bus, ' ', (" PCI_HOSTDEVS
                ")[%zu]/address/@slot, ' ', (" PCI_HOSTDEVS ")[%zu]/address/@function)",
                gpu, gpu, gpu);

        if (address && strcmp(address, "0x00 0x02 0x0") == 0) {
                check_add(d->check, "address", "Guest address", ANSWER_YES, "00:02.0");
                return;
        }
        check_add(d->check, "address", "Guest address", ANSWER_NO,
                "The graphics card is not at 00:02.0 in the guest, where Intel's drivers look for "
                "it (bus, slot and function are \"%s\").",
                address ?: "");
        advise_guest_address(d, true);
}

static void check_rom(Definition *d, size_t gpu) {
        _cleanup_free_ char *file = get_string(d, "string((" PCI_HOSTDEVS ")[%zu]/rom/@file)", gpu);

        if (!file || !*file)
                check_add(d->check, "rom", "Option ROM", ANSWER_YES,
                        "none: the monitor stays dark until the guest's own driver runs");
        else if (access(file, R_OK) < 0) {
                check_add(
                        d->check, "rom", "Option ROM", ANSWER_NO, "%s: %s", file, strerror(errno));
                check_advise(d->check, "Put it there, or take the <rom> out: virsh edit %s",
                        d->quoted_name);
        } else
                check_add(d->check, "rom", "Option ROM", ANSWER_YES, "%s", file);
}

/* They do not even define without a SPICE display, so that they have to go before it. */
static void check_spice(Definition *d) {
        unsigned n = count(d, "/domain/devices/*[@type='spicevmc' or @type='spiceport'] | "
                              "/domain/devices/audio[@type='spice']");
        _cleanup_free_ char *commands = NULL;
        size_t size;
        FILE *f;

        if (n == 0) {
                check_add(d->check, "spice", "SPICE devices", ANSWER_YES, "none");
                return;
        }
        check_add(d->check, "spice", "SPICE devices", ANSWER_NO,
                "There are %u, which do not start without a SPICE display.", n);
        f = open_memstream(&commands, &size);
        if (!f) {
                d->check->out_of_memory = true;
                return;
        }
        for (size_t i = 0; i < sizeof(spice_devices) / sizeof(*spice_devices); i++)
                if (count(d, spice_devices[i].path) > 0)
                        fprintf(f, "%svirt-xml %s %s", ftell(f) > 0 ? "; " : "", d->quoted_name,
                                spice_devices[i].command);
        if (fclose(f) != 0)
                d->check->out_of_memory = true;
        else if (size > 0)
                check_advise(d->check, "%s", commands);
}

/* A second, emulated screen is where the guest's firmware and desktop may draw. libvirt adds a
 * video card to a display, so that the display goes first. */
static void check_screens(Definition *d) {
        unsigned video = count(d, "/domain/devices/video[not(model/@type='none')]");
        unsigned graphics = count(d, "/domain/devices/graphics");

        if (graphics == 0)
                check_add(d->check, "display", "Virtual display", ANSWER_YES, "none");
        else {
                check_add(d->check, "display", "Virtual display", ANSWER_NO,
                        "There is a SPICE or VNC display, for which libvirt adds a video card.");
                check_advise(
                        d->check, "virt-xml %s --remove-device --graphics all", d->quoted_name);
        }
        if (video == 0)
                check_add(d->check, "video", "Emulated video", ANSWER_YES, "none");
        else {
                check_add(d->check, "video", "Emulated video", ANSWER_NO,
                        "There is an emulated video card, and the guest may draw on that one.");
                check_advise(d->check, "virt-xml %s --remove-device --video all", d->quoted_name);
        }
}

/* Is one of the PCI devices that the domain gets a USB controller? */
static bool has_usb_controller(const Domain *domain) {
        for (size_t i = 0; i < domain->n_hostdevs; i++) {
                _cleanup_free_ char *class = NULL;
                char address[PCI_ADDRESS_MAX];
                _cleanup_close_ int fd =
                        pci_open(pci_address_format(&domain->hostdevs[i], address));

                if (fd >= 0 && sysfs_read(fd, "class", &class) >= 0 &&
                        strncmp(class, CLASS_USB, strlen(CLASS_USB)) == 0)
                        return true;
        }
        return false;
}

static void check_input(Definition *d) {
        unsigned usb = count(d, "/domain/devices/hostdev[@type='usb']");
        unsigned evdev = count(d, "/domain/devices/input[@type='evdev' or @type='passthrough']");

        if (usb + evdev > 0)
                check_add(d->check, "input", "Keyboard, mouse", ANSWER_YES,
                        "%u USB and %u input devices go along", usb, evdev);
        else if (has_usb_controller(&d->domain))
                check_add(d->check, "input", "Keyboard, mouse", ANSWER_YES,
                        "a USB controller goes along");
        else {
                check_add(d->check, "input", "Keyboard, mouse", ANSWER_NO,
                        "None goes along, so nobody could use the guest.");
                check_advise(d->check,
                        "For each of those that lsusb shows: virt-xml %s --add-device "
                        "--hostdev 0x1234:0x5678",
                        d->quoted_name);
        }
}

static void check_firmware(Definition *d) {
        _cleanup_free_ char *machine = get_string(d, "string(/domain/os/type/@machine)");
        bool uefi = count(d, "/domain/os[@firmware='efi'] | /domain/os/loader[@type='pflash']");
        bool direct = count(d, "/domain/os/kernel");
        bool i440fx =
                machine && (strncmp(machine, "pc-i440fx", 9) == 0 || strcmp(machine, "pc") == 0);

        if (uefi || direct)
                check_add(d->check, "firmware", "Firmware", ANSWER_YES, "%s (%s)",
                        uefi ? "UEFI" : "none, libvirt boots a kernel", machine ?: "");
        else if (i440fx)
                check_add(d->check, "firmware", "Firmware", ANSWER_UNKNOWN,
                        "BIOS on %s: works with older cards only (\"legacy\" assignment).",
                        machine);
        else {
                check_add(d->check, "firmware", "Firmware", ANSWER_NO,
                        "BIOS on %s: it cannot start the graphics card there.",
                        machine ?: "this machine");
                check_advise(d->check, "Make a new guest with UEFI (virt-install --boot uefi): the "
                                       "system in this one would not boot any more with it.");
        }
}

static void check_memory(Definition *d) {
        if (count(d, "/domain/memtune/hard_limit[number(.) < number(/domain/memory) + 1048576]")) {
                check_add(d->check, "memory", "Memory limit", ANSWER_NO,
                        "All of the guest's memory is locked, and <hard_limit> leaves less than "
                        "1 GiB beside it.");
                check_advise(d->check, "Take the <memtune> out: virsh edit %s", d->quoted_name);
        }
}

/* Is it one of the lines that a program has printed? */
static bool has_line(FILE *f, const char *line) {
        _cleanup_free_ char *text = NULL;
        bool found = false;
        size_t size = 0;

        rewind(f);
        while (!found && getline(&text, &size, f) >= 0) {
                text[strcspn(text, "\n")] = '\0';
                found = strcmp(text, line) == 0;
        }
        return found;
}

static void check_network(Definition *d, FILE *active, const char *network) {
        _cleanup_free_ char *quoted = text_quote(network);

        if (!quoted) {
                d->check->out_of_memory = true;
        } else if (has_line(active, network)) {
                check_add(
                        d->check, "network", "Network", ANSWER_YES, "%s, which is active", network);
        } else {
                check_add(d->check, "network", "Network", ANSWER_NO,
                        "%s is not active, and libvirt does not start the guest without it.",
                        network);
                check_advise(
                        d->check, "virsh net-start %s; virsh net-autostart %s", quoted, quoted);
        }
}

/* libvirt finds out when the desktop has gone, and its hook must not ask it before. */
static void check_networks(Definition *d) {
        static const char *const argv[] = {"virsh", "--quiet", "--readonly",
                "--connect=qemu:///system", "net-list", "--name", NULL};
        _cleanup_(xmlXPathFreeObjectp) xmlXPathObjectPtr networks = xmlXPathEvalExpression(
                (const xmlChar *)"/domain/devices/interface[@type='network']/source/@network[not(. "
                                 "= ../../preceding-sibling::interface/source/@network)]",
                d->xpath);
        _cleanup_close_ int output = -1, error = -1;
        _cleanup_(fclosep) FILE *active = NULL;
        int r;

        if (!networks || !networks->nodesetval || networks->nodesetval->nodeNr == 0)
                return;
        r = run(argv, -1, &output, &error);
        active = r == 0 ? fdopen(output, "r") : NULL;
        if (!active) {
                _cleanup_free_ char *reason = virsh_reason(r == 0 ? -errno : r, error);

                if (reason)
                        check_add(d->check, "network", "Network", ANSWER_UNKNOWN, "%s", reason);
                else
                        d->check->out_of_memory = true;
                return;
        }
        output = -1; /* it is closed with the stream */
        for (int i = 0; i < networks->nodesetval->nodeNr; i++) {
                xmlChar *name = xmlNodeGetContent(networks->nodesetval->nodeTab[i]);

                if (name)
                        check_network(d, active, (const char *)name);
                else
                        d->check->out_of_memory = true;
                xmlFree(name);
        }
}

/* In an order in which the commands of the advice can be run. */
static void check_definition(Definition *d, int xml) {
        size_t gpu = find_gpu(d);

        check_spice(d);
        check_screens(d);
        if (check_lease(d, xml) && gpu > 0) {
                check_gpu_address(d, gpu);
                check_rom(d, gpu);
        }
        check_input(d);
        check_firmware(d);
        check_networks(d);
        check_memory(d);
}

void check_domain(Check *c, const char *domain) {
        _cleanup_close_ int xml = read_definition(c, domain);
        _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
        _cleanup_(xmlXPathFreeContextp) xmlXPathContextPtr xpath = NULL;
        _cleanup_free_ char *reason = NULL, *quoted_name = NULL;
        Definition definition = {.check = c, .name = domain};

        if (xml < 0)
                return;
        if (domain_parse_fd(xml, &definition.domain, &reason) < 0) {
                check_add(c, "domain", "Domain", ANSWER_UNKNOWN,
                        "What virsh has printed cannot be read: %s.", reason ?: "out of memory");
                return;
        }
        (void)lseek(xml, 0, SEEK_SET);
        doc = xmlReadFd(xml, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
        definition.xpath = xpath = doc ? xmlXPathNewContext(doc) : NULL;
        (void)lseek(xml, 0, SEEK_SET);
        definition.quoted_name = quoted_name = text_quote(domain);
        if (!xpath || !quoted_name)
                c->out_of_memory = true; /* it was well-formed a moment ago */
        else if (!is_another(&definition))
                check_definition(&definition, xml);
        domain_done(&definition.domain);
}
