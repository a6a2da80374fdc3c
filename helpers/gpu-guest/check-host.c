/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine's part of gpu-guest check. It asks what vfio-claim and holders-clear ask, by the same
 * functions, and explains more.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "common/cleanup.h"
#include "common/gpu.h"
#include "common/holders.h"
#include "common/log.h"
#include "common/module.h"
#include "common/names.h"
#include "common/owner.h"
#include "common/pci.h"
#include "common/record.h"
#include "common/sysfs.h"
#include "common/vfio.h"
#include "monitor.h"

#define INTEL "0x8086"
#define CLASS_DISPLAY "0x03"

/* Is there an Intel display controller, whatever udev says? */
static bool has_intel_display(void) {
        _cleanup_(closedirp) DIR *dir = opendir(SYSFS_PCI_DEVICES);
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                _cleanup_free_ char *vendor = NULL, *class = NULL;
                _cleanup_close_ int fd = *entry->d_name == '.' ? -1 : pci_open(entry->d_name);

                if (fd >= 0 && sysfs_read(fd, "vendor", &vendor) >= 0 &&
                        sysfs_read(fd, "class", &class) >= 0 && strcmp(vendor, INTEL) == 0 &&
                        strncmp(class, CLASS_DISPLAY, strlen(CLASS_DISPLAY)) == 0)
                        return true;
        }
        return false;
}

static void check_card(Check *c, struct udev *udev) {
        int r = gpu_find(udev, &c->gpu);

        if (r >= 0) {
                check_add(c, "card", "Graphics card", ANSWER_YES, "%s", c->gpu);
                return;
        }
        c->gpu = NULL;
        if (r != -ENODEV) {
                check_add(c, "card", "Graphics card", ANSWER_UNKNOWN, "udev cannot be asked: %s",
                        strerror(-r));
        } else if (has_intel_display()) {
                check_add(c, "card", "Graphics card", ANSWER_NO,
                        "There is one of Intel's, and udev does not know its role.");
                check_advise(c, "udevadm control --reload; udevadm trigger --settle "
                                "--subsystem-match=pci");
        } else {
                check_add(c, "card", "Graphics card", ANSWER_NO,
                        "This machine has no graphics card of Intel's.");
        }
}

/* The card has no driver: could one take it back from a guest? */
static void check_way_back(Check *c, int fd) {
        _cleanup_free_ char *option = NULL;
        int r = gpu_can_come_back(fd, &option);

        if (r > 0)
                check_add(c, "driver", "Driver", ANSWER_YES,
                        "none, as after a boot with the driver on a blacklist");
        else if (r < 0)
                check_add(c, "driver", "Driver", ANSWER_UNKNOWN,
                        "None has the graphics card, and whether one could is not to be seen: %s",
                        strerror(-r));
        else {
                check_add(c, "driver", "Driver", ANSWER_NO,
                        "None has the graphics card, and none could take it back after a guest%s%s: "
                        "the screen would stay dark.",
                        option ? ", because of " : "", option ?: "");
                check_advise(c,
                        option ? "Take %s off the kernel's command line, see gpu-guest(7)."
                               : "Install a kernel that has a driver for it.",
                        option);
        }
}

static void check_driver(Check *c, int fd) {
        _cleanup_(binding_done) Binding now = {};
        int r = pci_get_binding(fd, c->gpu, &now);

        if (r < 0)
                check_add(c, "driver", "Driver", ANSWER_UNKNOWN, "It cannot be read: %s",
                        strerror(-r));
        else if (!now.driver && access(RUNTIME_DIR "/" RECORD_GPU, F_OK) >= 0) {
                check_add(c, "driver", "Driver", ANSWER_NO, "No driver has the graphics card.");
                check_advise(c, "gpu-guest return");
        } else if (!now.driver)
                check_way_back(c, fd);
        else if (pci_driver_is_vfio(now.driver))
                check_add(c, "driver", "Driver", ANSWER_YES, "%s has the graphics card already.",
                        now.driver);
        else if (strcmp(now.driver, "i915") == 0 || strcmp(now.driver, "xe") == 0)
                check_add(c, "driver", "Driver", ANSWER_YES, "%s%s", now.driver,
                        now.module ? "" : ", built into the kernel: it stays loaded");
        else {
                check_add(c, "driver", "Driver", ANSWER_UNKNOWN,
                        "%s, with which this was never tried.", now.driver);
        }
}

/* Why is the kernel's IOMMU off? */
static void explain_no_iommu(Check *c) {
        _cleanup_free_ char *options = NULL;

        if (access("/sys/firmware/acpi/tables/DMAR", F_OK) < 0) {
                check_add(c, "iommu", "IOMMU", ANSWER_NO,
                        "The firmware offers none: VT-d is off, or the processor has none.");
                check_advise(c, "Turn on VT-d (\"Intel Virtualization Technology for Directed "
                                "I/O\") in the firmware's setup.");
                return;
        }
        if (sysfs_read(AT_FDCWD, "/proc/cmdline", &options) < 0)
                options = NULL;
        check_add(c, "iommu", "IOMMU", ANSWER_NO,
                "The firmware offers one, and the kernel does not use it for the graphics card.");
        if (options && (strstr(options, "iommu=off") || strstr(options, "igfx_off")))
                check_advise(c, "Take iommu=off, intel_iommu=off or intel_iommu=igfx_off off the "
                                "kernel's command line.");
        else
                check_advise(c, "Add intel_iommu=on to the kernel's command line, see "
                                "gpu-guest(7).");
}

/* Returns the IOMMU group, NULL if there is none. */
static char *check_iommu(Check *c, int fd) {
        char *group = NULL;
        int r = pci_get_iommu_group(fd, &group);

        if (r >= 0) {
                check_add(c, "iommu", "IOMMU", ANSWER_YES, "on (VT-d)");
                return group;
        }
        if (r == -ENOENT)
                explain_no_iommu(c);
        else
                check_add(
                        c, "iommu", "IOMMU", ANSWER_UNKNOWN, "It cannot be read: %s", strerror(-r));
        return NULL;
}

static void check_audio(Check *c, char *const *audio) {
        for (char *const *a = audio; a && *a; a++) {
                _cleanup_free_ char *driver = NULL;
                _cleanup_close_ int fd = pci_open(*a);

                if (fd < 0 || pci_get_driver(fd, &driver) < 0)
                        driver = NULL;
                check_add(c, "audio", "Sound", ANSWER_YES,
                        "%s (%s) depends on the graphics card: it is silent while a guest "
                        "has the card.",
                        *a, driver ?: "no driver");
        }
        if (!audio || !*audio)
                check_add(c, "audio", "Sound", ANSWER_YES,
                        "No sound card depends on the graphics card.");
}

static void check_group(Check *c, int fd, const char *group, char *const *audio) {
        _cleanup_(binding_done) Binding blocker = {};
        int r = pci_find_group_blocker(fd, c->gpu, audio, &blocker);

        if (r < 0)
                check_add(c, "group", "IOMMU group", ANSWER_UNKNOWN, "Group %s cannot be read: %s",
                        group, strerror(-r));
        else if (r == 0)
                check_add(c, "group", "IOMMU group", ANSWER_YES,
                        "%s, which no other device of the host keeps busy", group);
        else {
                check_add(c, "group", "IOMMU group", ANSWER_NO,
                        "Group %s has %s in it as well, which the host uses (driver %s). A group "
                        "goes to a guest as a whole or not at all.",
                        group, blocker.address, blocker.driver);
                check_advise(c, "If the host can do without that device: take it from its driver "
                                "before the guest starts. Otherwise another slot, or a firmware "
                                "update.");
        }
}

static void check_vfio_pci(Check *c) {
        _cleanup_free_ char *command = NULL;
        int r = module_exists(DRIVER_VFIO_PCI);

        if (r == 0) {
                check_add(c, "vfio-pci", "vfio-pci", ANSWER_NO, "This kernel does not have it.");
                check_advise(c, "If the kernel was updated: reboot. Otherwise install its modules "
                                "(linux-modules-extra on Ubuntu), or a kernel with "
                                "CONFIG_VFIO_PCI.");
                return;
        }
        if (r > 0)
                r = module_find_install(DRIVER_VFIO_PCI, &command);
        if (r < 0)
                check_add(c, "vfio-pci", "vfio-pci", ANSWER_UNKNOWN, "Cannot look for it: %s",
                        strerror(-r));
        else if (r > 0) {
                check_add(c, "vfio-pci", "vfio-pci", ANSWER_NO,
                        "modprobe runs \"%s\" instead of loading it.", command);
                check_advise(c, "Take the line \"install vfio-pci\" out of /etc/modprobe.d.");
        } else
                check_add(c, "vfio-pci", "vfio-pci", ANSWER_YES, "available");
}

static void check_user(Check *c, const char *group) {
        _cleanup_free_ char *name = NULL;
        pid_t pid;
        int r = vfio_find_user(c->gpu, group, &pid, &name);

        if (r > 0) {
                check_add(c, "free", "Free", ANSWER_NO, "A guest has it now: %s, PID %d.", name,
                        (int)pid);
                check_advise(c, "Shut that guest down first.");
                return;
        }
        if (r == 0)
                r = vfio_find_part_user(c->gpu, &pid, &name);
        if (r > 0) {
                check_add(c, "free", "Free", ANSWER_NO, "A guest has a part of it now: %s, PID %d.",
                        name, (int)pid);
                check_advise(c, "Shut that guest down first.");
        } else if (r == 0 && geteuid() == 0)
                check_add(c, "free", "Free", ANSWER_YES, "No guest has it now.");
        else
                check_add(c, "free", "Free", ANSWER_UNKNOWN, "Only root can see who has it.");
}

/* What will happen to one who has it open. */
static const char *fate(Check *c, const Holder *h) {
        if (h->kind != HOLDER_FOREIGN && owner_goes_with_desktop(c->bus, h))
                return "goes with the desktop";
        switch (h->kind) {
        case HOLDER_SERVICE:
        case HOLDER_USER_SERVICE:
                return "will be stopped, and started again later";
        case HOLDER_PROCESS:
                return "will be ended";
        default:
                return "is not for gpu-guest to end";
        }
}

static void check_holder(Check *c, const Holder *h) {
        _cleanup_free_ char *description = holder_describe(h);
        bool blocks = h->kind == HOLDER_FOREIGN;

        if (h->kind == HOLDER_KEEPER)
                return;
        check_add(c, "holder", "In use by", blocks ? ANSWER_NO : ANSWER_YES, "%s: %s.",
                description ?: h->name, fate(c, h));
        if (blocks)
                check_advise(c, "Stop it before the guest starts.");
}

static void check_holders(Check *c, struct udev *udev, char *const *audio) {
        _cleanup_(holders_done) Holders holders = {};
        _cleanup_(nodes_done) Nodes nodes = {};
        int r = nodes_add_pci(&nodes, udev, c->gpu, NULL);

        for (char *const *a = audio; r >= 0 && a && *a; a++)
                r = nodes_add_pci(&nodes, udev, *a, SUBSYSTEM_SOUND);
        if (r >= 0)
                r = holders_find(&nodes, &holders);
        if (r < 0 || geteuid() != 0) {
                check_add(c, "holder", "In use by", ANSWER_UNKNOWN, "%s",
                        r < 0 ? strerror(-r) : "Only root can see who has it open.");
                return;
        }
        for (size_t i = 0; i < holders.n; i++)
                check_holder(c, holders.list + i);
        if (holders.n == 0)
                check_add(c, "holder", "In use by", ANSWER_YES, "nobody");
}

/* Who is root can have the hand-over's own check run; it knows what the administrator has set. */
static void check_unit(Check *c) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (geteuid() != 0)
                return;
        r = monitor_run(c->bus, UNIT_CHECK, &text);
        if (r > 0)
                check_add(c, "check", "Hand-over", ANSWER_YES, "would begin");
        else if (r == 0) {
                check_add(c, "check", "Hand-over", ANSWER_NO, "would be refused: %s",
                        text && *text ? text : "see the journal");
                check_advise(c, "journalctl -b -x -u " UNIT_CHECK);
        } else
                check_add(c, "check", "Hand-over", ANSWER_UNKNOWN, "%s cannot be asked: %s",
                        UNIT_CHECK, text ?: strerror(-r));
}

static void check_device(Check *c, struct udev *udev) {
        _cleanup_strv_free_ char **audio = NULL;
        _cleanup_free_ char *group = NULL;
        _cleanup_close_ int fd = pci_open(c->gpu);

        if (fd < 0) {
                check_add(c, "driver", "Driver", ANSWER_UNKNOWN, "%s cannot be opened: %s", c->gpu,
                        strerror(-fd));
                return;
        }
        if (gpu_find_audio(udev, c->gpu, &audio) < 0)
                audio = NULL;
        check_driver(c, fd);
        group = check_iommu(c, fd);
        if (group)
                check_group(c, fd, group, audio);
        check_audio(c, audio);
        if (group)
                check_user(c, group);
        check_holders(c, udev, audio);
}

void check_host(Check *c) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();

        if (!udev) {
                c->out_of_memory = true;
                return;
        }
        check_card(c, udev);
        if (c->gpu)
                check_device(c, udev);
        check_vfio_pci(c);
        check_unit(c);
}
