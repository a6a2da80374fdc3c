/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gives the GPU back to the driver that vfio-claim took it from, i915 or xe.
 *
 * 1. read the record: which device, which driver. Without one there is nothing of ours to undo
 * 2. wait until no guest uses the GPU, however long that takes: to unbind vfio-pci under a running
 *    QEMU would eject the card from its guest and then hang in the kernel
 * 3. unbind vfio-pci, lift the driver_override
 * 4. load the driver's module, whose probe takes the device; bind it by name if that was not so;
 *    of a device that had no driver, whatever drives it, blacklisted or not; wait for the DRM card
 *    and for udev to have worked through it, so that a display manager that starts now finds it
 * 5. if that fails, try again with a fresh module, then after a reset of the device, then after the
 *    kernel has found the device anew (the order of the least harm)
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
#include "common/message-ids.h"
#include "common/module.h"
#include "common/names.h"
#include "common/options.h"
#include "common/pci.h"
#include "common/process.h"
#include "common/record.h"
#include "common/sysfs.h"
#include "common/vfio.h"

#define LOCK_TIMEOUT_MS 10000
#define LOAD_TIMEOUT_MS 60000
#define CARD_TIMEOUT_MS 30000
#define LOOK_AGAIN_MS 5000       /* a machine that runs on may have let go of the card alone */
#define HIDDEN_USER_PAUSE_MS 500 /* for a user of the group whom /proc does not show */

static const char help[] =
        "i915-restore [OPTIONS]\n\n"
        "Give the Intel GPU back to the driver that vfio-claim took it from (i915, xe), once no\n"
        "guest uses it any more. A driver that does not take it is tried again in other ways.\n\n"
        "  -h --help       Show this help\n"
        "     --version    Show the version\n\n"
        "What to go back to is read from /run/gpu-guest/gpu; without it nothing is done.\n\n"
        "Exit status: 0 the driver has the GPU or there was nothing to do, 1 it has not, 2 usage.\n";

typedef struct Card {
        struct udev *udev;
        const Binding *was; /* what it goes back to */
        int fd;             /* its directory in sysfs */
} Card;

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

/* Waits for one user of the group, if there is one, and says so when it is another one than the
 * last. Returns 1 if it makes sense to look again. */
static int wait_user(const char *gpu, const char *group, pid_t *last) {
        _cleanup_free_ char *name = NULL;
        pid_t pid;
        int r = vfio_group_is_free(group);

        if (r < 0)
                return log_error_errno(r, "Cannot see whether a guest uses the graphics card: %m");
        if (r > 0)
                return 0;

        r = vfio_find_user(gpu, group, &pid, &name);
        if (r <= 0) {
                (void)poll(NULL, 0, HIDDEN_USER_PAUSE_MS);
                return 1;
        }
        if (pid != *last)
                log_progress_event(EVENT(MESSAGE_CARD_AWAITED, .holder_pid = pid),
                        "Waiting for the guest to let go of the graphics card: %s, PID %d.", name,
                        (int)pid);
        *last = pid;
        (void)process_wait_end(pid, LOOK_AGAIN_MS);
        return 1;
}

static int leave_vfio(const Card *card) {
        _cleanup_free_ char *group = NULL;
        pid_t user = 0;
        int r = pci_get_iommu_group(card->fd, &group);

        if (r < 0)
                return log_error_errno(r, "Cannot read the graphics card's IOMMU group: %m");
        do {
                r = wait_user(card->was->address, group, &user);
                if (r < 0)
                        return r;
        } while (r > 0);

        log_progress("Taking the graphics card back from vfio-pci.");
        r = pci_unbind(card->fd, card->was->address);
        if (r < 0)
                return log_error_event(EVENT(MESSAGE_VFIO_PCI_STAYS), r,
                        "Cannot take the graphics card from vfio-pci: %m");
        return 0;
}

/* Lets the card's own driver match again. An override that is not ours stays. */
static int lift_override(const Card *card) {
        int r = pci_lift_vfio_override(card->fd);

        if (r < 0)
                return log_warning_errno(r, "Cannot free the graphics card for its driver: %m");
        return 0;
}

static int load_in_child(void *data) {
        return module_load(data);
}

static int load_blacklisted_in_child(void *data) {
        return module_load_blacklisted(data);
}

/* The driver's probe runs within this, and may hang. */
static int load(const Card *card, char *module, int (*in_child)(void *data)) {
        int r = process_call(in_child, module, LOAD_TIMEOUT_MS);

        if (r < 0)
                return log_warning_event(EVENT(MESSAGE_DRIVER_REFUSES, .driver = card->was->driver),
                        r, "Cannot load the graphics driver (%s): %m", module);
        return 0;
}

/* The card had no driver: the machine may have booted without. Whatever the card's alias stands for
 * is loaded, and if that does not drive it, then also what is blacklisted. */
static int load_any_driver(const Card *card) {
        _cleanup_free_ char *modalias = NULL, *now = NULL;
        int r = sysfs_read(card->fd, PCI_ATTR_MODALIAS, &modalias);

        if (r < 0)
                return log_warning_errno(r, "Cannot read the graphics card's alias: %m");
        r = load(card, modalias, load_in_child);
        if (r < 0)
                return r;
        r = pci_get_driver(card->fd, &now);
        if (r < 0)
                return log_warning_errno(r, "Cannot read the graphics card's driver: %m");
        if (now)
                return 0;
        log_info("Nothing drives the graphics card, loading its driver even if it is blacklisted.");
        return load(card, modalias, load_blacklisted_in_child);
}

static int load_driver(const Card *card) {
        if (card->was->module)
                return load(card, card->was->module, load_in_child);
        return card->was->driver ? 0 /* built in */ : load_any_driver(card);
}

static int bind_driver(const Card *card) {
        _cleanup_free_ char *now = NULL;
        const Binding *was = card->was;
        int r;

        r = was->driver ? pci_bind(card->fd, was->address, was->driver) : 0;
        if (r < 0)
                return log_warning_event(EVENT(MESSAGE_DRIVER_REFUSES, .driver = was->driver), r,
                        "%s does not take the graphics card back: %m", was->driver);
        r = pci_get_driver(card->fd, &now);
        if (r < 0)
                return log_warning_errno(r, "Cannot read the graphics card's driver: %m");
        if (now)
                return 0;
        r = pci_probe(card->fd, was->address);
        if (r < 0)
                return log_warning_event(EVENT(MESSAGE_DRIVER_REFUSES, .driver = was->driver), r,
                        "No driver takes the graphics card: %m");
        return 0;
}

static int bring_up(const Card *card) {
        const char *driver = card->was->driver ?: "its driver";
        _cleanup_free_ char *name = NULL;
        int r;

        r = lift_override(card);
        if (r < 0)
                return r;
        log_progress("Giving the graphics card back to %s.", driver);
        r = load_driver(card);
        if (r < 0)
                return r;
        r = bind_driver(card);
        if (r < 0)
                return r;

        r = drm_wait_card(card->udev, card->was->address, CARD_TIMEOUT_MS, &name);
        if (r < 0)
                return log_warning_event(EVENT(MESSAGE_DRIVER_REFUSES, .driver = card->was->driver),
                        r, "%s has the graphics card, but no display device appeared: %m", driver);
        log_progress_event(EVENT(MESSAGE_CARD_BACK, .driver = card->was->driver),
                "The graphics card is back (%s, %s).", driver, name);
        return 0;
}

/* What can be done before the driver is asked again; each returns -EOPNOTSUPP if it is of no use
 * here. All of them need the device without a driver. */

static int refresh_module(Card *card) {
        _cleanup_free_ char *users = NULL;
        int r = pci_unbind(card->fd, card->was->address);

        if (r >= 0 && !card->was->module)
                r = -EOPNOTSUPP;
        if (r >= 0)
                r = module_unload(card->was->module, &users);
        return r;
}

static int reset(Card *card) {
        int r = pci_unbind(card->fd, card->was->address);

        if (r >= 0)
                r = pci_reset(card->fd);
        return r == -ENOENT ? -EOPNOTSUPP : r;
}

static int rediscover(Card *card) {
        int r = 0;

        if (card->fd >= 0)
                r = pci_remove(card->fd);
        if (r < 0)
                return r;
        closep(&card->fd);
        card->fd = pci_rescan(card->was->address);
        return card->fd;
}

static const struct {
        const char *how;
        int (*prepare)(Card *card);
} ladder[] = {
        {"with a fresh module", refresh_module},
        {"after a reset of the device", reset},
        {"after finding the device anew", rediscover},
};

static int climb(Card *card) {
        int r = -ENODEV;

        for (size_t i = 0; r < 0 && i < sizeof(ladder) / sizeof(*ladder); i++) {
                if (card->fd < 0 && ladder[i].prepare != rediscover)
                        continue;
                log_progress("Trying again %s.", ladder[i].how);
                r = ladder[i].prepare(card);
                if (r >= 0)
                        r = bring_up(card);
                else if (r != -EOPNOTSUPP)
                        log_warning_errno(r, "That does not work: %m");
        }
        if (r < 0)
                return log_error_event(EVENT(MESSAGE_CARD_LOST, .driver = card->was->driver), r,
                        "The graphics card is not back: %s does not work with it any more, and "
                        "its monitors stay dark. A reboot should bring them back.",
                        card->was->driver ?: "its driver");
        return 0;
}

static int restore(Card *card) {
        _cleanup_free_ char *now = NULL;
        int r;

        card->fd = pci_open(card->was->address);
        if (card->fd == -ENODEV) /* cut short between the two halves of rediscover() */
                return climb(card);
        if (card->fd < 0)
                return log_error_errno(card->fd, "Cannot open the graphics card in sysfs: %m");
        r = pci_get_driver(card->fd, &now);
        if (r < 0)
                return log_error_errno(r, "Cannot read the graphics card's driver: %m");
        if (pci_driver_is_vfio(now)) {
                r = leave_vfio(card);
                if (r < 0)
                        return r;
        }

        return bring_up(card) >= 0 ? 0 : climb(card);
}

static int run(void) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_(binding_done) Binding was = {};
        _cleanup_close_ int lock = -1;
        Card card = {udev, &was, -1};
        int r;

        if (!udev)
                return log_oom();
        r = recall(udev, &was);
        if (r <= 0)
                return r;
        log_set_device(was.address);
        lock = record_lock(LOCK_TIMEOUT_MS);
        if (lock < 0)
                log_warning_errno(lock, "Cannot lock " RUNTIME_DIR ", going on without: %m");

        r = restore(&card);
        closep(&card.fd);
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
