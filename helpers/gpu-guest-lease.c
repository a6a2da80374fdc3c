/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells libvirt's hook which lease a domain needs: prints the name of the unit if the domain has
 * the GPU among its PCI host devices, nothing if it does not. The hook gives way to it (--exec),
 * and is run again for what remains: so other people's domains wait for no second process.
 *
 * 1. Read the domain's XML from standard input, where libvirt puts it.
 * 2. With nothing there (somebody tries the hook by hand), read the definition in libvirt's own
 *    directory. To ask libvirt is out of the question: it holds its lock on the domain while the
 *    hook runs, and would wait for us for ever.
 * 3. Without PCI host devices that is all: domains which do not concern us shall not notice us.
 * 4. Otherwise ask udev which device is the GPU, and compare.
 * 5. If the domain has the GPU, see that it can have the other devices that it wants, too, PCI, USB
 * and the images of its disks: libvirt and QEMU would find out only when the desktop has gone.
 *
 * The end of a lease (--release) does not depend on the XML: the device may have been detached from
 * the running guest.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/domain.h"
#include "common/gpu.h"
#include "common/lease.h"
#include "common/log.h"
#include "common/message-ids.h"
#include "common/names.h"
#include "common/options.h"
#include "common/pci-address.h"
#include "common/pci.h"
#include "common/text.h"
#include "common/usb.h"

/* At boot libvirt starts domains while udev may still be busy with the devices it has found. */
#define UDEV_TIMEOUT_MS 30000

/* Nor is all that is plugged in or mounted there at once, at boot or when it has just been done. */
#define APPEAR_TIMEOUT_MS 5000
#define APPEAR_ROUND_MS 250

/* Which operation the hook is run again with; libvirt has none of this name. */
#define HOOK_OPERATION "lease"

static bool arg_release = false;
static const char *arg_exec = NULL;
static const char *arg_qemu_dir = LIBVIRT_QEMU_DIR;
static const char *arg_domain = NULL;

/* Could there be XML on standard input? Not on a terminal or /dev/null, and not if it is closed. */
static bool stdin_is_usable(void) {
        struct stat st;

        return fstat(STDIN_FILENO, &st) >= 0 && !S_ISCHR(st.st_mode);
}

static int parse_domain(int fd, const char *source, Domain *ret) {
        _cleanup_free_ char *reason = NULL;
        int r = domain_parse_fd(fd, ret, &reason);

        if (r < 0 && r != -ENODATA)
                return log_error_errno(r, "Cannot read the domain's XML from %s: %s.", source,
                        reason ?: strerror(-r));
        return r;
}

static int open_definition(const char *path) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;

        r = fd;
        fd = -1;
        return r;
}

/* Reads what libvirt keeps of a domain that was defined to stay. */
static int read_definition(Domain *ret) {
        _cleanup_free_ char *name = text_printable(arg_domain), *path = NULL, *shown = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        if (!name)
                return log_oom();
        if (strchr(arg_domain, '/') || strcmp(arg_domain, ".") == 0 ||
                strcmp(arg_domain, "..") == 0)
                return log_error_errno(EINVAL, "No domain can have the name \"%s\".", name);
        if (asprintf(&path, "%s/%s.xml", arg_qemu_dir, arg_domain) < 0)
                return log_oom();
        shown = text_printable(path);
        if (!shown)
                return log_oom();

        fd = open_definition(path);
        if (fd == -ENOENT || fd == -ENAMETOOLONG)
                return log_error_errno(fd,
                        "There is no XML on standard input, and no domain of the name \"%s\" is "
                        "defined in %s. To try the hand-over without a guest: systemctl start "
                        "gpu-guest.target",
                        name, arg_qemu_dir);
        if (fd < 0)
                return log_error_errno(fd, "Cannot open %s: %m", shown);

        r = parse_domain(fd, shown, ret);
        if (r == -ENODATA)
                return log_error_errno(r, "%s is empty.", shown);
        return r;
}

static int read_domain(Domain *ret) {
        if (stdin_is_usable()) {
                int r = parse_domain(STDIN_FILENO, "standard input", ret);

                if (r != -ENODATA)
                        return r;
        }

        log_debug(
                "There is nothing on standard input, reading the definition in %s.", arg_qemu_dir);
        return read_definition(ret);
}

static int find_gpu(PciAddress *ret) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_free_ char *address = NULL;
        int r;

        if (!udev)
                return log_oom();
        r = gpu_wait_udev(udev, UDEV_TIMEOUT_MS);
        if (r < 0)
                log_debug_errno(r, "udev is still busy, going on with what it knows: %m");

        r = gpu_find(udev, &address);
        if (r == -ENODEV)
                return log_debug_errno(r, "This host has no graphics card to hand over.");
        if (r >= 0)
                r = pci_address_parse(address, ret);
        if (r < 0)
                return log_error_errno(r, "Cannot find the graphics card: %m");

        log_debug("The graphics card is %s.", address);
        return 0;
}

/* Returns 1 if the domain has the GPU, 0 if not. */
static int domain_has_gpu(const Domain *d, PciAddress *ret_gpu) {
        int r;

        if (d->n_hostdevs == 0)
                return 0;

        r = find_gpu(ret_gpu);
        if (r == -ENODEV)
                return 0;
        if (r < 0)
                return r;

        for (size_t i = 0; i < d->n_hostdevs; i++)
                if (pci_address_equal(&d->hostdevs[i], ret_gpu))
                        return 1;
        return 0;
}

/* The addresses of all the domain's PCI host devices; NULL when memory is out. */
static char **list_hostdevs(const Domain *d) {
        _cleanup_strv_free_ char **list = calloc(d->n_hostdevs + 1, sizeof(char *));
        char **all;

        for (size_t i = 0; list && i < d->n_hostdevs; i++) {
                char buffer[PCI_ADDRESS_MAX];

                list[i] = strdup(pci_address_format(&d->hostdevs[i], buffer));
                if (!list[i])
                        return NULL;
        }

        all = list;
        list = NULL;
        return all;
}

static int check_hostdev(const char *address, char *const *hostdevs, bool is_gpu) {
        _cleanup_(binding_done) Binding blocker = {};
        _cleanup_close_ int fd = pci_open(address);
        int r;

        log_set_device(address);
        if (fd == -ENODEV)
                return log_error_event(EVENT(MESSAGE_DEVICE_MISSING), fd,
                        "The domain wants PCI device %s as well, which this host does not have.",
                        address);
        if (fd < 0)
                return log_error_errno(fd, "Cannot open PCI device %s in sysfs: %m", address);
        if (is_gpu)
                return 0; /* vfio-claim --check looks closer */

        r = pci_find_group_blocker(fd, address, hostdevs, &blocker);
        if (r == -ENOENT)
                return log_error_event(EVENT(MESSAGE_NO_IOMMU), r,
                        "The domain wants PCI device %s as well, which is in no IOMMU group.",
                        address);
        if (r < 0)
                return log_error_errno(r, "Cannot read the IOMMU group of %s: %m", address);
        if (r > 0)
                return log_error_event(EVENT(MESSAGE_DEVICE_GROUP_SHARED), EBUSY,
                        "The domain wants PCI device %s as well, which shares its IOMMU group with "
                        "%s, and that the host uses (driver %s). A group goes to a guest as a "
                        "whole or not at all.",
                        address, blocker.address, blocker.driver);
        return 0;
}

static int check_hostdevs(const Domain *d, const PciAddress *gpu) {
        _cleanup_strv_free_ char **hostdevs = list_hostdevs(d);
        int r = 0;

        if (!hostdevs)
                return log_oom();
        for (size_t i = 0; i < d->n_hostdevs && r >= 0; i++)
                if (i == 0 || !pci_address_equal(&d->hostdevs[i], &d->hostdevs[i - 1]))
                        r = check_hostdev(
                                hostdevs[i], hostdevs, pci_address_equal(&d->hostdevs[i], gpu));
        return r;
}

/* Returns false when there is no time left. */
static bool wait_a_moment(uint64_t deadline) {
        if (clock_remaining(deadline) == 0)
                return false;
        (void)poll(NULL, 0, APPEAR_ROUND_MS);
        return true;
}

/* libvirt takes one that is named by what it is only if there is no second of its kind
 * (virHostdevFindUSBDevice() in src/hypervisor/virhostdev.c). */
static int check_usb(struct udev *udev, const UsbName *name, uint64_t deadline) {
        char shown[USB_NAME_MAX];
        int r;

        log_set_device(usb_name_format(name, shown));
        do
                r = usb_count(udev, name);
        while (r == 0 && wait_a_moment(deadline));
        if (r < 0)
                return log_error_errno(r, "Cannot look for USB device %s: %m", shown);
        if (r == 0)
                return log_error_event(EVENT(MESSAGE_USB_MISSING), ENODEV,
                        "The domain wants USB device %s as well, which is not plugged in.", shown);
        if (r > 1)
                return log_error_event(EVENT(MESSAGE_USB_AMBIGUOUS), ENOTUNIQ,
                        "The domain wants USB device %s as well, of which %d are plugged in, and "
                        "does not say which one.",
                        shown, r);
        return 0;
}

static int check_all_usb(const Domain *d, uint64_t deadline) {
        _cleanup_(udev_unrefp) struct udev *udev = NULL;
        int r = 0;

        if (d->n_usb == 0)
                return 0;
        udev = udev_new();
        if (!udev)
                return log_oom();
        for (size_t i = 0; i < d->n_usb && r >= 0; i++)
                r = check_usb(udev, &d->usb[i], deadline);
        return r;
}

/* Is the file certainly not there? One that root may not look at can be QEMU's all the same. */
static bool is_missing(const char *path) {
        return access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

static int check_image(const char *path, uint64_t deadline) {
        _cleanup_free_ char *shown = NULL;

        while (is_missing(path))
                if (!wait_a_moment(deadline)) {
                        shown = text_printable(path);
                        return log_error_event(EVENT(MESSAGE_IMAGE_MISSING), ENOENT,
                                "The domain has a disk in %s, and there is no such file.",
                                shown ?: "?");
                }
        return 0;
}

static int check_images(const Domain *d, uint64_t deadline) {
        int r = 0;

        log_set_device(NULL);
        for (size_t i = 0; i < d->n_images && r >= 0; i++)
                r = check_image(d->images[i], deadline);
        return r;
}

/* What the domain cannot start without. */
static int check_devices(const Domain *d, const PciAddress *gpu) {
        int r = check_hostdevs(d, gpu);
        uint64_t deadline = clock_deadline(APPEAR_TIMEOUT_MS);

        if (r >= 0)
                r = check_all_usb(d, deadline);
        return r < 0 ? r : check_images(d, deadline);
}

static int name_lease(const char *uuid, char **ret_unit) {
        int r = lease_unit_name(arg_domain, uuid, ret_unit);

        if (r == -ENAMETOOLONG)
                return log_error_errno(r,
                        "The domain's name is too long for a unit of systemd, and its XML has no "
                        "UUID to take instead.");
        if (r < 0)
                return log_error_errno(r, "Cannot name the lease: %m");
        return 0;
}

static int execute_hook(const char *unit) {
        _cleanup_free_ char *shown = text_printable(arg_exec);

        execl(arg_exec, arg_exec, arg_domain, HOOK_OPERATION, arg_release ? "end" : "begin", unit,
                NULL);
        return log_error_errno(errno, "Cannot execute %s: %m", shown ?: "the hook");
}

static int print_lease(const char *unit) {
        if (arg_exec)
                return execute_hook(unit);
        if (puts(unit) < 0 || fflush(stdout) != 0)
                return log_error_errno(errno, "Cannot write to standard output: %m");
        return 0;
}

static bool has(const char *directory, const char *name) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s", directory, name) < 0)
                return true;
        return access(path, F_OK) >= 0 || errno != ENOENT;
}

/* Might there be a lease to end? The hook has asked for it, or somebody has started it by hand. */
static bool is_leased(const char *unit) {
        return has(RUN_DIR, unit) || has(LEASE_SLICE_DIR, unit);
}

static int release(void) {
        _cleanup_domain_ Domain domain = {};
        _cleanup_free_ char *unit = NULL;
        int r = lease_unit_name(arg_domain, NULL, &unit);

        /* the XML is needed for the UUID, and that only if the name does not do */
        if (r == -ENAMETOOLONG) {
                r = read_domain(&domain);
                if (r < 0)
                        return r;
        }
        if (!unit) {
                r = name_lease(domain.uuid, &unit);
                if (r < 0)
                        return r;
        }
        /* other people's domains end as well */
        if (arg_exec && !is_leased(unit))
                return 0;
        return print_lease(unit);
}

static int prepare(void) {
        _cleanup_domain_ Domain domain = {};
        _cleanup_free_ char *unit = NULL;
        PciAddress gpu;
        int r;

        r = read_domain(&domain);
        if (r < 0)
                return r;

        r = domain_has_gpu(&domain, &gpu);
        if (r <= 0)
                return r;
        r = name_lease(domain.uuid, &unit);
        if (r < 0)
                return r;
        log_set_unit(unit);
        r = check_devices(&domain, &gpu);
        if (r < 0)
                return r;
        return print_lease(unit);
}

static void help(void) {
        puts("gpu-guest-lease [OPTIONS] [--] DOMAIN < XML\n\n"
             "Print the unit that is the lease of the graphics card for a libvirt domain, or "
             "nothing\n"
             "if the domain's XML does not have the card as a PCI host device.\n\n"
             "  -h --help            Show this help\n"
             "     --version         Show the version\n"
             "     --release         Print the unit whatever the XML says: a lease can be ended\n"
             "                       after the device was taken from the domain\n"
             "     --exec=HOOK       Execute HOOK DOMAIN lease begin UNIT instead of printing the "
             "unit;\n"
             "                       with --release, and only if there is that lease, \"end\"\n"
             "     --qemu-dir=DIR    Where libvirt keeps the definitions of domains\n"
             "                       [" LIBVIRT_QEMU_DIR "]\n\n"
             "A domain whose other PCI host devices cannot go to a guest, or whose USB host\n"
             "devices or disk images are not there, is refused.\n"
             "With nothing on standard input, the domain's definition DIR/DOMAIN.xml is read.\n\n"
             "Exit status: 0 done, whether a unit was printed or not, 1 failed, 2 usage.");
}

static int parse_argv(int argc, char *argv[]) {
        enum { ARG_VERSION = 0x100, ARG_RELEASE, ARG_EXEC, ARG_QEMU_DIR };
        static const struct option options[] = {
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, ARG_VERSION},
                {"release", no_argument, NULL, ARG_RELEASE},
                {"exec", required_argument, NULL, ARG_EXEC},
                {"qemu-dir", required_argument, NULL, ARG_QEMU_DIR},
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
                switch (c) {
                case 'h':
                        help();
                        return 0;
                case ARG_VERSION:
                        printf("%s %s\n", program_invocation_short_name, PROJECT_VERSION);
                        return 0;
                case ARG_RELEASE:
                        arg_release = true;
                        break;
                case ARG_EXEC:
                        arg_exec = optarg;
                        break;
                case ARG_QEMU_DIR:
                        arg_qemu_dir = optarg;
                        break;
                default:
                        return -EINVAL; /* getopt has said why */
                }
        }

        if (argc - optind != 1 || *argv[optind] == '\0')
                return log_error_errno(EINVAL, "One domain's name is expected.");
        arg_domain = argv[optind];
        return 1;
}

int main(int argc, char *argv[]) {
        int r = parse_argv(argc, argv);

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_set_domain(arg_domain);
        r = arg_release ? release() : prepare();
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
