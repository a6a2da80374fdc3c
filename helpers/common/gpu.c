/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks udev which PCI device is the GPU and which audio controllers hang on it.
 *
 * The audio controllers are not guessed from class or slot: the display driver adds a device link
 * when an audio driver binds to it as a component (i915_audio_component_bind() in
 * drivers/gpu/drm/i915/display/intel_audio.c), and the kernel shows that link in the GPU's
 * directory as "consumer:pci:0000:00:1f.3".
 */

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "clock.h"
#include "gpu.h"
#include "kernel-options.h"
#include "module.h"
#include "names.h"
#include "pci-address.h"
#include "pci.h"
#include "record.h"
#include "sysfs.h"

int gpu_wait_udev(struct udev *udev, int timeout_ms) {
        _cleanup_(udev_queue_unrefp) struct udev_queue *queue = udev_queue_new(udev);
        uint64_t deadline = clock_deadline(timeout_ms);
        struct pollfd pfd = {.events = POLLIN};

        if (!queue)
                return -ENOMEM;
        if (udev_queue_get_queue_is_empty(queue))
                return 0;
        /* asked once more when it is watched: it may have become empty in between */
        pfd.fd = udev_queue_get_fd(queue);
        if (pfd.fd < 0)
                return pfd.fd;

        while (!udev_queue_get_queue_is_empty(queue)) {
                int r = poll(&pfd, 1, clock_remaining(deadline));

                if (r < 0)
                        return -errno;
                if (r == 0)
                        return -ETIMEDOUT;
                udev_queue_flush(queue);
        }
        return 0;
}

/* Lists the tagged PCI devices. A tag survives the rule that set it (udev(7): tags are sticky), the
 * role property does not: that one decides. */
static int enumerate_tagged(struct udev *udev, struct udev_enumerate **ret) {
        _cleanup_(udev_enumerate_unrefp) struct udev_enumerate *e = udev_enumerate_new(udev);
        int r;

        if (!e)
                return -ENOMEM;
        r = udev_enumerate_add_match_subsystem(e, "pci");
        if (r >= 0)
                r = udev_enumerate_add_match_tag(e, UDEV_TAG);
        if (r >= 0)
                r = udev_enumerate_scan_devices(e);
        if (r < 0)
                return r;

        *ret = e;
        e = NULL;
        return 0;
}

static bool has_role(struct udev_device *d, const char *role) {
        const char *value = udev_device_get_property_value(d, UDEV_ROLE);

        return value && strcmp(value, role) == 0;
}

static long priority(struct udev_device *d) {
        const char *value = udev_device_get_property_value(d, UDEV_PRIORITY);

        return value ? strtol(value, NULL, 10) : 0;
}

int gpu_find(struct udev *udev, char **ret_address) {
        _cleanup_(udev_enumerate_unrefp) struct udev_enumerate *e = NULL;
        _cleanup_(udev_device_unrefp) struct udev_device *best = NULL;
        struct udev_list_entry *entry;
        PciAddress best_address = {};
        char *address;
        int r;

        r = enumerate_tagged(udev, &e);
        if (r < 0)
                return r;

        udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(e)) {
                _cleanup_(udev_device_unrefp) struct udev_device *d =
                        udev_device_new_from_syspath(udev, udev_list_entry_get_name(entry));
                PciAddress a;

                if (!d || !has_role(d, UDEV_ROLE_GPU) ||
                        pci_address_parse(udev_device_get_sysname(d), &a) < 0)
                        continue;
                /* by address and not in udev's order, which is that of the paths: there
                 * 0000:01:00.0, behind the bridge 0000:00:01.0, comes before 0000:00:02.0 */
                if (best && (priority(d) < priority(best) ||
                                    (priority(d) == priority(best) &&
                                            pci_address_compare(&a, &best_address) > 0)))
                        continue;

                udev_device_unrefp(&best);
                best = udev_device_ref(d);
                best_address = a;
        }

        if (!best)
                return -ENODEV;
        address = strdup(udev_device_get_sysname(best));
        if (!address)
                return -ENOMEM;

        *ret_address = address;
        return 0;
}

int gpu_find_group(struct udev *udev, char **ret_address, char **ret_group) {
        _cleanup_free_ char *address = NULL;
        _cleanup_close_ int fd = -1;
        int r = gpu_find(udev, &address);

        if (r < 0)
                return r;
        fd = pci_open(address);
        if (fd < 0)
                return fd;
        r = pci_get_iommu_group(fd, ret_group);
        if (r < 0)
                return r;

        *ret_address = address;
        address = NULL;
        return 0;
}

/* Is it the screen that the firmware lit, and nothing but that? */
static int is_firmware_screen(int fd) {
        _cleanup_free_ char *driver = NULL, *boot_vga = NULL;
        _cleanup_strv_free_ char **lines = NULL;
        int r = pci_get_driver(fd, &driver);

        if (r < 0 || driver)
                return r;
        r = sysfs_read(fd, PCI_ATTR_BOOT_VGA, &boot_vga);
        if (r == -ENOENT)
                return 0;
        return r < 0 ? r : strcmp(boot_vga, "1") == 0 && record_read(RECORD_GPU, &lines) == -ENOENT;
}

int gpu_can_come_back(int fd, char **ret_option) {
        /* i915_check_nomodeset() in drivers/gpu/drm/i915/i915_module.c, xe_check_nomodeset() in
         * drivers/gpu/drm/xe/xe_module.c */
        static const char *const options[] = {"nomodeset", "i915.modeset=0"};
        _cleanup_free_ char *modalias = NULL;
        int r = is_firmware_screen(fd);

        if (r <= 0)
                return r < 0 ? r : 1;
        for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
                r = kernel_has_option(options[i]);
                if (r < 0)
                        return r;
                if (r > 0) {
                        *ret_option = strdup(options[i]);
                        return *ret_option ? 0 : -ENOMEM;
                }
        }
        r = sysfs_read(fd, PCI_ATTR_MODALIAS, &modalias);
        if (r < 0)
                return r;
        r = module_find_forbidden(modalias, ret_option);
        if (r != 0)
                return r < 0 ? r : 0;
        *ret_option = NULL;
        return module_exists(modalias);
}

/* Is this consumer of the GPU an audio controller in udev's eyes? */
static bool is_audio(struct udev *udev, const char *address) {
        _cleanup_(udev_device_unrefp) struct udev_device *d =
                udev_device_new_from_subsystem_sysname(udev, "pci", address);

        return d && has_role(d, UDEV_ROLE_AUDIO);
}

int gpu_find_audio(struct udev *udev, const char *gpu_address, char ***ret) {
        char path[sizeof(SYSFS_PCI_DEVICES "/") + PCI_ADDRESS_MAX];
        _cleanup_strv_free_ char **list = NULL;
        _cleanup_(closedirp) DIR *dir = NULL;
        struct dirent *de;
        int n = 0;

        snprintf(path, sizeof(path), SYSFS_PCI_DEVICES "/%s", gpu_address);
        dir = opendir(path);
        if (!dir)
                return -errno;
        list = calloc(1, sizeof(char *));
        if (!list)
                return -ENOMEM;

        while ((de = readdir(dir))) {
                const char *address = de->d_name + strlen(PCI_LINK_CONSUMER);
                PciAddress a;
                char **more;

                if (strncmp(de->d_name, PCI_LINK_CONSUMER, strlen(PCI_LINK_CONSUMER)) != 0 ||
                        pci_address_parse(address, &a) < 0 || !is_audio(udev, address))
                        continue;

                more = realloc(list, (size_t)(n + 2) * sizeof(char *));
                if (!more)
                        return -ENOMEM;
                list = more;
                list[n + 1] = NULL;
                list[n] = strdup(address);
                if (!list[n])
                        return -ENOMEM;
                n++;
        }

        *ret = list;
        list = NULL;
        return n;
}
