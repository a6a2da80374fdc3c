/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The DRM card of a PCI device: the monitor first, then a look at what is there already, then
 * events until the deadline.
 */

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "drm.h"
#include "gpu.h"
#include "sysfs.h"

#define SYSFS_DRM "/sys/class/drm"

/* Is this a card ("card0", not the connector "card0-HDMI-A-1") of the GPU, and through udev? */
static bool is_ready_card(struct udev_device *d, const char *gpu_address) {
        const char *type = udev_device_get_devtype(d);
        struct udev_device *parent; /* belongs to d */

        if (!type || strcmp(type, "drm_minor") != 0 ||
                strncmp(udev_device_get_sysname(d), "card", strlen("card")) != 0 ||
                !udev_device_get_is_initialized(d))
                return false;

        parent = udev_device_get_parent_with_subsystem_devtype(d, "pci", NULL);
        return parent && strcmp(udev_device_get_sysname(parent), gpu_address) == 0;
}

static int find_card(struct udev *udev, const char *gpu_address, char **ret_name) {
        _cleanup_(udev_enumerate_unrefp) struct udev_enumerate *e = udev_enumerate_new(udev);
        struct udev_list_entry *entry;
        int r;

        if (!e)
                return -ENOMEM;
        r = udev_enumerate_add_match_subsystem(e, "drm");
        if (r >= 0)
                r = udev_enumerate_scan_devices(e);
        if (r < 0)
                return r;

        udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(e)) {
                _cleanup_(udev_device_unrefp) struct udev_device *d =
                        udev_device_new_from_syspath(udev, udev_list_entry_get_name(entry));
                char *name;

                if (!d || !is_ready_card(d, gpu_address))
                        continue;
                name = strdup(udev_device_get_sysname(d));
                if (!name)
                        return -ENOMEM;
                *ret_name = name;
                return 0;
        }
        return -ENOENT;
}

static int start_monitor(struct udev *udev, struct udev_monitor **ret) {
        _cleanup_(udev_monitor_unrefp) struct udev_monitor *m =
                udev_monitor_new_from_netlink(udev, "udev");
        int r;

        if (!m)
                return -ENOMEM;
        r = udev_monitor_filter_add_match_subsystem_devtype(m, "drm", "drm_minor");
        if (r >= 0)
                r = udev_monitor_enable_receiving(m);
        if (r < 0)
                return r;

        *ret = m;
        m = NULL;
        return 0;
}

int drm_wait_card(struct udev *udev, const char *gpu_address, int timeout_ms, char **ret_name) {
        _cleanup_(udev_monitor_unrefp) struct udev_monitor *monitor = NULL;
        uint64_t deadline = clock_deadline(timeout_ms);
        int r;

        r = start_monitor(udev, &monitor);
        if (r < 0)
                return r;

        while ((r = find_card(udev, gpu_address, ret_name)) == -ENOENT) {
                struct pollfd pfd = {.fd = udev_monitor_get_fd(monitor), .events = POLLIN};
                _cleanup_(udev_device_unrefp) struct udev_device *d = NULL;

                r = poll(&pfd, 1, clock_remaining(deadline));
                if (r < 0)
                        return -errno;
                if (r == 0)
                        return -ETIMEDOUT;
                d = udev_monitor_receive_device(monitor);
        }
        return r;
}

int drm_has_monitor(void) {
        _cleanup_(closedirp) DIR *dir = opendir(SYSFS_DRM);
        bool has_connector = false;
        struct dirent *de;

        if (!dir)
                return -errno;
        /* a card has no such attribute, "card0-HDMI-A-1" has; "version" is a file */
        while ((de = readdir(dir))) {
                _cleanup_free_ char *status = NULL;
                char attribute[sizeof(de->d_name) + sizeof("/status")];
                int r;

                snprintf(attribute, sizeof(attribute), "%s/status", de->d_name);
                r = sysfs_read(dirfd(dir), attribute, &status);
                if (r == -ENOENT || r == -ENOTDIR)
                        continue;
                if (r < 0)
                        return r;
                if (strcmp(status, "disconnected") != 0)
                        return 1;
                has_connector = true;
        }
        return has_connector ? 0 : -ENOENT;
}
