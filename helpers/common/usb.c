/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libvirt looks for in /sys/bus/usb/devices (virUSBDeviceSearch() in src/util/virusb.c):
 * vendor and product, four hexadecimal digits each, and the numbers of bus and device in decimal.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "cleanup.h"
#include "gpu.h"
#include "usb.h"

const char *usb_name_format(const UsbName *name, char buffer[static USB_NAME_MAX]) {
        int n = 0;

        if (name->vendor)
                n = snprintf(buffer, USB_NAME_MAX, "%04" PRIx32 ":%04" PRIx32 "%s", name->vendor,
                        name->product, name->bus ? " " : "");
        if (name->bus)
                snprintf(buffer + n, USB_NAME_MAX - (size_t)n,
                        "on bus %" PRIu32 ", device %" PRIu32, name->bus, name->device);
        return buffer;
}

static int match_number(
        struct udev_enumerate *e, const char *attribute, uint32_t number, bool hexadecimal) {
        char text[sizeof("4294967295")];

        snprintf(text, sizeof(text), hexadecimal ? "%04" PRIx32 : "%" PRIu32, number);
        return udev_enumerate_add_match_sysattr(e, attribute, text);
}

static int match_name(struct udev_enumerate *e, const UsbName *name) {
        int r = udev_enumerate_add_match_subsystem(e, "usb");

        if (r >= 0 && name->vendor)
                r = match_number(e, "idVendor", name->vendor, true);
        if (r >= 0 && name->vendor)
                r = match_number(e, "idProduct", name->product, true);
        if (r >= 0 && name->bus)
                r = match_number(e, "busnum", name->bus, false);
        if (r >= 0 && name->bus)
                r = match_number(e, "devnum", name->device, false);
        return r;
}

int usb_count(struct udev *udev, const UsbName *name) {
        _cleanup_(udev_enumerate_unrefp) struct udev_enumerate *e = udev_enumerate_new(udev);
        struct udev_list_entry *entry;
        int r, n = 0;

        if (!e)
                return -ENOMEM;
        r = match_name(e, name);
        if (r >= 0)
                r = udev_enumerate_scan_devices(e);
        if (r < 0)
                return r;
        udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(e)) n++;
        return n;
}
