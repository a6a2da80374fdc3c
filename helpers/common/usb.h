/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* USB devices of the host, as a domain's XML names them: by what they are, by where, or by both. */

#include <libudev.h>
#include <stdint.h>

typedef struct UsbName {
        uint32_t vendor, product; /* as lsusb(8) shows them; vendor 0: whatever it is */
        uint32_t bus, device;     /* bus 0: wherever it is */
} UsbName;

#define USB_NAME_MAX sizeof("4294967295:4294967295 on bus 4294967295, device 4294967295")

/* Writes the name for a person, "046d:c31c on bus 1, device 4" or what of it is given, into a
 * buffer of USB_NAME_MAX bytes and returns it. */
const char *usb_name_format(const UsbName *name, char buffer[static USB_NAME_MAX]);

/* Counts the devices of that name that are plugged in, as the kernel sees them. Returns the number,
 * or a negative errno. */
int usb_count(struct udev *udev, const UsbName *name);
