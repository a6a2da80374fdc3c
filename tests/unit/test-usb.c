/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/gpu.h"
#include "common/usb.h"
#include "mock.h"
#include "test.h"

static int count(UsbName name) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();

        assert_true(udev);
        return usb_count(udev, &name);
}

static void test_count(void) {
        mock_clear();
        assert_int(count((UsbName){.vendor = 0x46d, .product = 0xc31c}), 0);

        mock_pci("0000:00:02.0", NULL); /* other things are no USB devices */
        mock_usb("usb1", "1d6b", "0002", "1", "1");
        mock_usb("1-2", "046d", "c31c", "1", "4");
        mock_usb("1-3", "046d", "0000", "1", "5");
        mock_usb("2-3.1", "046d", "c31c", "2", "14");

        assert_int(count((UsbName){.vendor = 0x46d, .product = 0xc31c}), 2);
        assert_int(count((UsbName){.vendor = 0x46d}), 1);
        assert_int(count((UsbName){.vendor = 0x46d, .product = 0xc31d}), 0);
        assert_int(count((UsbName){.vendor = 0x1d6b, .product = 2}), 1);

        assert_int(count((UsbName){.bus = 1, .device = 4}), 1);
        assert_int(count((UsbName){.bus = 2, .device = 4}), 0);
        assert_int(count((UsbName){.bus = 2, .device = 1}), 0);

        assert_int(count((UsbName){0x46d, 0xc31c, 2, 14}), 1);
        assert_int(count((UsbName){0x46d, 0xc31c, 1, 5}), 0);
}

static void test_format(void) {
        static const struct {
                UsbName name;
                const char *text;
        } cases[] = {
                {{.vendor = 0x46d, .product = 0xc31c}, "046d:c31c"},
                {{.vendor = 1}, "0001:0000"},
                {{.bus = 1, .device = 4}, "on bus 1, device 4"},
                {{0x46d, 0xc31c, 1, 4}, "046d:c31c on bus 1, device 4"},
                {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
                        "ffffffff:ffffffff on bus 4294967295, device 4294967295"},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                char buffer[USB_NAME_MAX];

                assert_str(usb_name_format(&cases[i].name, buffer), cases[i].text);
        }
}

int main(void) {
        mock_enter();
        test_count();
        test_format();
        mock_leave();
        return EXIT_SUCCESS;
}
