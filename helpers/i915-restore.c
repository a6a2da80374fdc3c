/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gives the GPU back to the driver that vfio-claim took it from, i915 or xe.
 *
 * 1. read the record: which device, which driver. Without one there is nothing of ours to undo
 * 2. wait until no guest uses the GPU, however long that takes: to unbind vfio-pci under a running
 *    QEMU would eject the card from its guest and then hang in the kernel
 * 3. unbind vfio-pci, lift the driver_override
 * 4. load the driver's module, whose probe takes the device; bind it by name if that was not so
 * 5. wait for the DRM card and for udev to have worked through it, so that a display manager that
 *    starts now finds it
 *
 * From any half-way state: each act looks first at what the kernel says.
 */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/drm.h"
#include "common/gpu.h"
#include "common/log.h"
#include "common/module.h"
#include "common/names.h"
#include "common/options.h"
#include "common/pci.h"
#include "common/sysfs.h"
#include "common/vfio.h"

#define CARD_TIMEOUT_MS 30000
#define HIDDEN_USER_PAUSE_MS 500 /* for a user of the group whom /proc does not show */

static const char help[] =
        "i915-restore [OPTIONS]\n\n"
        "Give the Intel GPU back to the driver that vfio-claim took it from (i915, xe), once no\n"
        "guest uses it any more.\n\n"
        "  -h --help       Show this help\n"
        "     --version    Show the version\n\n"
        "What to go back to is read from /run/gpu-guest/gpu; without it nothing is done.\n\n"
        "Exit status: 0 the driver has the GPU or there was nothing to do, 1 it has not, 2 usage.\n";

/* Reads what vfio-claim wrote. A record that cannot be read still says that the GPU was ours: the
 * device is then udev's to name, and the driver the kernel's to choose. */
static int recall(struct udev *udev, Binding *ret) {
        _cleanup_strv_free_ char **lines = NULL;
        int r = record_read(RECORD_GPU, &lines);

        if (r == -ENOENT)
                return 0;
        if (r == 1)
                r = binding_parse(lines[0], ret);
        else if (r >= 0)
                r = -EBADMSG;
        if (r >= 0)
                return 1;

        log_warning_errno(r,
                "Cannot read " RUNTIME_DIR "/" RECORD_GPU ", leaving the driver to the kernel: %m");
        r = gpu_find(udev, &ret->address);
        if (r < 0)
                return log_error_errno(r, "Cannot ask udev for the graphics card: %m");
        return 1;
}

/* Waits for one user of the group, if there is one. Returns 1 if it makes sense to look again. */
static int wait_user(const char *group) {
        _cleanup_free_ char *name = NULL;
        pid_t pid;
        int r = vfio_group_is_free(group);

        if (r < 0)
                return log_error_errno(r, "Cannot see whether a guest uses the graphics card: %m");
        if (r > 0)
                return 0;

        r = vfio_group_find_user(group, &pid, &name);
        if (r > 0) {
                log_progress("Waiting for the guest to let go of the graphics card: %s, PID %d.",
                        name, (int)pid);
                (void)process_wait_end(pid, -1);
        } else
                (void)poll(NULL, 0, HIDDEN_USER_PAUSE_MS);
        return 1;
}

static int leave_vfio(int fd, const char *gpu) {
        _cleanup_free_ char *group = NULL;
        int r = pci_get_iommu_group(fd, &group);

        if (r < 0)
                return log_error_errno(r, "Cannot read the graphics card's IOMMU group: %m");
        do {
                r = wait_user(group);
                if (r < 0)
                        return r;
        } while (r > 0);

        log_progress("Taking the graphics card back from vfio-pci.");
        r = pci_unbind(fd, gpu);
        if (r < 0)
                return log_error_errno(r, "Cannot take the graphics card from vfio-pci: %m");
        return 0;
}

/* Lets the card's own driver match again. An override that is not ours stays. */
static int lift_override(int fd) {
        _cleanup_free_ char *override = NULL;
        int r = sysfs_read(fd, PCI_ATTR_DRIVER_OVERRIDE, &override);

        if (r >= 0 && strcmp(override, DRIVER_VFIO_PCI) == 0)
                r = pci_set_driver_override(fd, NULL);
        if (r < 0)
                return log_error_errno(r, "Cannot free the graphics card for its driver: %m");
        return 0;
}

/* Loads what drives the device: the module on record, or whatever the device's alias stands for. */
static int load_driver(int fd, const Binding *was) {
        _cleanup_free_ char *modalias = NULL;
        const char *module = was->module;
        int r;

        if (!module && was->driver)
                return 0; /* built in */
        if (!module) {
                r = sysfs_read(fd, PCI_ATTR_MODALIAS, &modalias);
                if (r < 0)
                        return log_error_errno(r, "Cannot read the graphics card's alias: %m");
                module = modalias;
        }

        r = module_load(module);
        if (r < 0)
                return log_error_errno(r, "Cannot load the graphics driver (%s): %m", module);
        return 0;
}

static int bind_driver(int fd, const Binding *was) {
        _cleanup_free_ char *now = NULL;
        int r;

        r = was->driver ? pci_bind(fd, was->address, was->driver) : 0;
        if (r < 0)
                return log_error_errno(
                        r, "%s does not take the graphics card back: %m", was->driver);
        r = pci_get_driver(fd, &now);
        if (r < 0)
                return log_error_errno(r, "Cannot read the graphics card's driver: %m");
        if (now)
                return 0;
        r = pci_probe(fd, was->address);
        if (r < 0)
                return log_error_errno(r, "No driver takes the graphics card: %m");
        return 0;
}

static int restore(struct udev *udev, const Binding *was) {
        _cleanup_free_ char *now = NULL, *card = NULL;
        _cleanup_close_ int fd = pci_open(was->address);
        int r;

        if (fd < 0)
                return log_error_errno(fd, "Cannot open the graphics card in sysfs: %m");
        r = pci_get_driver(fd, &now);
        if (r < 0)
                return log_error_errno(r, "Cannot read the graphics card's driver: %m");
        if (now && strcmp(now, DRIVER_VFIO_PCI) == 0) {
                r = leave_vfio(fd, was->address);
                if (r < 0)
                        return r;
        }

        r = lift_override(fd);
        if (r < 0)
                return r;
        log_progress("Giving the graphics card back to %s.", was->driver ?: "its driver");
        r = load_driver(fd, was);
        if (r < 0)
                return r;
        r = bind_driver(fd, was);
        if (r < 0)
                return r;

        r = drm_wait_card(udev, was->address, CARD_TIMEOUT_MS, &card);
        if (r < 0)
                return log_error_errno(r,
                        "%s has the graphics card, but no display device appeared: %m",
                        was->driver ?: "The driver");
        log_progress("The graphics card is back (%s, %s).", was->driver ?: "its driver", card);
        return 0;
}

static int run(void) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_(binding_done) Binding was = {};
        int r;

        if (!udev)
                return log_oom();
        r = recall(udev, &was);
        if (r <= 0)
                return r;
        log_set_device(was.address);

        r = restore(udev, &was);
        if (r < 0)
                return r;
        r = record_remove(RECORD_GPU);
        if (r < 0)
                log_warning_errno(r, "Cannot remove " RUNTIME_DIR "/" RECORD_GPU ", ignoring: %m");
        return 0;
}

int main(int argc, char *argv[]) {
        int r = options_parse(argc, argv, help, NULL);

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        return run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
