/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes the GPU from i915 or xe and gives it to vfio-pci. The inverse is i915-restore.
 *
 * 1. find the GPU (udev) and see that it can be given away at all: an IOMMU group in which no
 *    other device is bound to a driver of the host, and a vfio-pci to give it to
 * 2. have vfio-pci loaded, and write down which driver had the GPU
 * 3. see that nobody has the GPU open any more, which the steps before this one are for, and unbind
 *    that driver: one that is in use is never forced
 * 4. unload the driver's module; a refusal changes nothing for the guest
 * 5. bind vfio-pci by driver_override, which also takes the firmware's framebuffer off the GPU
 *    (vfio_pci_vga_init() in drivers/vfio/pci/vfio_pci_core.c)
 *
 * Killed or failing half-way it leaves the record; the unit's ExecStopPost= runs i915-restore.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/gpu.h"
#include "common/holders.h"
#include "common/log.h"
#include "common/message-ids.h"
#include "common/module.h"
#include "common/names.h"
#include "common/options.h"
#include "common/pci.h"
#include "common/record.h"
#include "common/vfio.h"

#define UDEV_TIMEOUT_MS 30000
#define LOCK_TIMEOUT_MS 10000
#define LET_GO_TIMEOUT_MS 3000

static bool arg_check = false;

static const char help[] =
        "vfio-claim [OPTIONS]\n\n"
        "Take the Intel GPU from its driver (i915, xe) and give it to vfio-pci.\n\n"
        "  -h --help       Show this help\n"
        "     --version    Show the version\n"
        "     --check      Only see whether it could be done now; change nothing\n\n"
        "The GPU is the PCI device that udev's rules give the role GPU_GUEST_ROLE=gpu.\n"
        "What is needed to undo it is kept in /run/gpu-guest/gpu: see i915-restore.\n\n"
        "Exit status: 0 the GPU is (or could be) with vfio-pci, 1 it is not, 2 usage.\n";

/* Tells a missing IOMMU from everything else, since people can mend that one. */
static int check_iommu(int fd, char **ret_group) {
        int r = pci_get_iommu_group(fd, ret_group);

        if (r == -ENOENT)
                return log_error_event(EVENT(MESSAGE_NO_IOMMU), r,
                        "The graphics card is in no IOMMU group. Turn on VT-d in the firmware's "
                        "setup, and if that is not enough, boot with intel_iommu=on.");
        if (r < 0)
                return log_error_errno(r, "Cannot read the graphics card's IOMMU group: %m");
        return 0;
}

static int check_group(int fd, const char *gpu, const char *group, char *const *except) {
        _cleanup_(binding_done) Binding blocker = {};
        int r = pci_find_group_blocker(fd, gpu, except, &blocker);

        if (r < 0)
                return log_error_errno(r, "Cannot read IOMMU group %s: %m", group);
        if (r > 0)
                return log_error_event(EVENT(MESSAGE_GROUP_SHARED), EBUSY,
                        "The graphics card shares IOMMU group %s with %s, which the host uses "
                        "(driver %s). A group goes to a guest as a whole or not at all.",
                        group, blocker.address, blocker.driver);
        return 0;
}

static int check_vfio_pci(void) {
        int r = module_exists(DRIVER_VFIO_PCI);

        if (r < 0)
                return log_error_errno(r, "Cannot look for the vfio-pci driver: %m");
        if (r == 0)
                return log_error_event(EVENT(MESSAGE_NO_VFIO_PCI), ENOENT,
                        "This kernel has no vfio-pci driver (CONFIG_VFIO_PCI).");
        return 0;
}

static int check_unused(const char *gpu, const char *group) {
        _cleanup_free_ char *name = NULL;
        pid_t pid;
        int r = vfio_find_user(gpu, group, &pid, &name);

        if (r < 0)
                return log_error_errno(r, "Cannot see who uses IOMMU group %s: %m", group);
        if (r > 0)
                return log_error_event(EVENT(MESSAGE_CARD_HAS_GUEST, .holder_pid = pid), EBUSY,
                        "The graphics card is with a running guest already (%s, PID %d).", name,
                        (int)pid);
        return 0;
}

/* What its driver has made of the card goes with the driver, and the kernel waits for its users. */
static int check_parts_unused(const char *gpu) {
        _cleanup_free_ char *name = NULL;
        pid_t pid;
        int r = vfio_find_part_user(gpu, &pid, &name);

        if (r < 0)
                return log_error_errno(r, "Cannot see who uses parts of the graphics card: %m");
        if (r > 0)
                return log_error_event(EVENT(MESSAGE_PART_HAS_GUEST, .holder_pid = pid), EBUSY,
                        "A part of the graphics card is with a running guest (%s, PID %d), which "
                        "would lose it.",
                        name, (int)pid);
        return 0;
}

/* A screen that no driver could bring back is not taken away. */
static int check_way_back(int fd) {
        _cleanup_free_ char *option = NULL;
        int r = gpu_can_come_back(fd, &option);

        if (r < 0)
                return log_error_errno(
                        r, "Cannot see whether the graphics card could come back: %m");
        if (r == 0 && option)
                return log_error_event(EVENT(MESSAGE_NO_WAY_BACK), ENODEV,
                        "The kernel was booted with %s, so no driver could take the graphics card "
                        "back, and the screen would stay dark after the guest. Boot without it.",
                        option);
        if (r == 0)
                return log_error_event(EVENT(MESSAGE_NO_WAY_BACK), ENODEV,
                        "This kernel has no driver for the graphics card that could take it back, "
                        "and the screen would stay dark after the guest.");
        return 0;
}

/* Could it be done from here? The GPU's own audio controllers may be bound still: they are taken
 * off on the way. */
static int check(struct udev *udev, int fd, const char *gpu, const char *group) {
        _cleanup_strv_free_ char **audio = NULL;
        int r = gpu_find_audio(udev, gpu, &audio);

        if (r < 0)
                return log_error_errno(r, "Cannot find the graphics card's audio controllers: %m");
        r = check_group(fd, gpu, group, audio);
        if (r < 0)
                return r;
        r = check_vfio_pci();
        if (r < 0)
                return r;
        r = check_way_back(fd);
        if (r < 0)
                return r;
        r = check_unused(gpu, group);
        return r < 0 ? r : check_parts_unused(gpu);
}

/* Writes down what to go back to. If the GPU has no driver and there is a record, a hand-over that
 * was cut short has left both: its record stays. */
static int remember(const Binding *now) {
        _cleanup_free_ char *line = binding_format(now);
        _cleanup_strv_free_ char **lines = NULL;
        int r;

        if (!line)
                return log_oom();
        if (!now->driver && record_read(RECORD_GPU, &lines) > 0)
                return 0;
        r = record_write(RECORD_GPU, line);
        if (r < 0)
                return log_error_errno(r, "Cannot write " RUNTIME_DIR "/" RECORD_GPU
                                          ", so the graphics card is left alone: %m");
        return 0;
}

static void unload(const char *module) {
        _cleanup_free_ char *users = NULL;
        int r = module_unload(module, &users);

        if (r == -EBUSY)
                log_info("Module %s stays loaded, it is in use by %s.", module,
                        users ?: "something");
        else if (r == -ENOENT)
                log_info(
                        "Module %s stays loaded: this kernel's modules are not on disk any more, so "
                        "it could not be loaded again. A reboot would change to the new kernel.",
                        module);
        else if (r < 0)
                log_info_errno(r, "Module %s stays loaded: %m", module);
}

/* Nobody has the card open by now, or somebody has just come. */
static int check_let_go(struct udev *udev, const char *gpu) {
        _cleanup_free_ char *description = NULL;
        _cleanup_(holders_done) Holders holders = {};
        _cleanup_(nodes_done) Nodes nodes = {};
        int r = nodes_add_pci(&nodes, udev, gpu, NULL);

        if (r >= 0)
                r = holders_wait_none(&nodes, LET_GO_TIMEOUT_MS, &holders);
        if (r < 0)
                return log_error_errno(r, "Cannot look who has the graphics card open: %m");
        if (r == 0)
                return 0;
        description = holders_describe(&holders);
        return log_error_event(EVENT(MESSAGE_CARD_IN_USE), EBUSY,
                "The graphics card is in use and is left alone: %s.",
                description ?: "several programs have it open");
}

static int unbind_driver(struct udev *udev, int fd, const Binding *now) {
        int r;

        if (!now->driver)
                return 0;
        r = check_let_go(udev, now->address);
        if (r >= 0)
                r = check_parts_unused(now->address);
        if (r < 0)
                return r;
        log_progress("Taking the graphics card from %s.", now->driver);
        r = pci_unbind(fd, now->address);
        if (r < 0)
                return log_error_event(EVENT(MESSAGE_DRIVER_STAYS, .driver = now->driver), r,
                        "Cannot take the graphics card from %s: %m", now->driver);
        if (now->module)
                unload(now->module);
        return 0;
}

/* The unit has systemd load it while the desktop stops. A helper that is run by hand, or that comes
 * too early, does it itself, and in any case before the card loses its driver. */
static int load_vfio_pci(void) {
        int r = module_load(DRIVER_VFIO_PCI);

        if (r < 0)
                return log_error_event(
                        EVENT(MESSAGE_NO_VFIO_PCI), r, "Cannot load the vfio-pci driver: %m");
        return 0;
}

static int bind_vfio(int fd, const char *gpu, const char *group) {
        int r = pci_set_driver_override(fd, DRIVER_VFIO_PCI);

        if (r < 0)
                return log_error_errno(r, "Cannot reserve the graphics card for vfio-pci: %m");
        r = pci_bind(fd, gpu, DRIVER_VFIO_PCI);
        if (r < 0)
                return log_error_event(EVENT(MESSAGE_VFIO_PCI_REFUSES), r,
                        "vfio-pci does not take the graphics card: %m");
        r = vfio_group_check_node(group);
        if (r < 0)
                return log_error_event(EVENT(MESSAGE_VFIO_PCI_REFUSES), r,
                        "vfio-pci has the graphics card, but " DEV_VFIO "/%s is missing: %m",
                        group);
        return 0;
}

static int claim(struct udev *udev, int fd, const char *gpu, const char *group) {
        _cleanup_(binding_done) Binding now = {};
        int r = pci_get_binding(fd, gpu, &now);

        if (r < 0)
                return log_error_errno(r, "Cannot read the graphics card's driver: %m");
        if (pci_driver_is_vfio(now.driver)) {
                log_info("%s has the graphics card already.", now.driver);
                return 0;
        }

        r = check_group(fd, gpu, group, NULL);
        if (r < 0)
                return r;
        r = load_vfio_pci();
        if (r < 0)
                return r;
        r = remember(&now);
        if (r < 0)
                return r;
        r = unbind_driver(udev, fd, &now);
        if (r < 0)
                return r;
        r = bind_vfio(fd, gpu, group);
        if (r < 0)
                return r;

        log_progress_event(EVENT(MESSAGE_CARD_READY, .driver = now.driver),
                "The graphics card is ready for a guest (from %s to vfio-pci).",
                now.driver ?: "no driver");
        return 0;
}

/* At boot udev may not have seen all of the machine yet, which the check waits for. It comes first:
 * what keeps udev busy later is the audio controller's nodes that are gone. */
static int find_gpu(struct udev *udev, char **ret) {
        int r = arg_check ? -ENODEV : gpu_find(udev, ret);

        if (r != -ENODEV)
                return r;
        r = gpu_wait_udev(udev, UDEV_TIMEOUT_MS);
        if (r < 0)
                log_warning_errno(r, "udev is still busy, going on without waiting for it: %m");
        return gpu_find(udev, ret);
}

static int run(void) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_free_ char *gpu = NULL, *group = NULL;
        _cleanup_close_ int fd = -1, lock = -1;
        int r;

        if (!udev)
                return log_oom();
        r = find_gpu(udev, &gpu);
        if (r == -ENODEV)
                return log_error_event(EVENT(MESSAGE_NO_CARD), r,
                        "udev knows no Intel graphics card on this machine.");
        if (r < 0)
                return log_error_errno(r, "Cannot ask udev for the graphics card: %m");
        log_set_device(gpu);

        fd = pci_open(gpu);
        if (fd < 0)
                return log_error_errno(fd, "Cannot open the graphics card in sysfs: %m");
        r = check_iommu(fd, &group);
        if (r < 0)
                return r;

        if (arg_check)
                return check(udev, fd, gpu, group);
        lock = record_lock(LOCK_TIMEOUT_MS);
        if (lock < 0)
                return log_error_errno(lock,
                        "Cannot lock " RUNTIME_DIR ", so the graphics card is left alone: %m");
        return claim(udev, fd, gpu, group);
}

int main(int argc, char *argv[]) {
        int r = options_parse(argc, argv, help, (const Option[]){{"check", &arg_check}, {}});

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        return run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
