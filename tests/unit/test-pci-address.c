/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/pci-address.h"
#include "test.h"

static void test_good(void) {
        static const struct {
                const char *text, *canonical;
                PciAddress address;
        } cases[] = {
                {"0000:00:02.0", "0000:00:02.0", {0, 0, 2, 0}},
                {"0000:00:1f.3", "0000:00:1f.3", {0, 0, 0x1f, 3}},
                {"0000:FF:1F.7", "0000:ff:1f.7", {0, 0xff, 0x1f, 7}},
                {"10000:e1:00.0", "10000:e1:00.0", {0x10000, 0xe1, 0, 0}}, /* VMD */
                {"ffffffff:ff:1f.7", "ffffffff:ff:1f.7", {0xffffffff, 0xff, 0x1f, 7}},
                {"00000000:00:02.0", "0000:00:02.0", {0, 0, 2, 0}},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                char buffer[PCI_ADDRESS_MAX];
                PciAddress a;

                assert_int_in(cases[i].text, pci_address_parse(cases[i].text, &a), 0);
                assert_int_in(cases[i].text, a.domain, cases[i].address.domain);
                assert_int_in(cases[i].text, a.bus, cases[i].address.bus);
                assert_int_in(cases[i].text, a.slot, cases[i].address.slot);
                assert_int_in(cases[i].text, a.function, cases[i].address.function);
                assert_str(pci_address_format(&a, buffer), cases[i].canonical);
        }
}

static void test_bad(void) {
        static const char *const cases[] = {
                "",
                " 0000:00:02.0",
                "+000:00:02.0",
                "-000:00:02.0",
                "0000:00:02",
                "0000:00:02.",
                "0000:00:02.0 ",
                "0000:00:02.0\n",
                "0000:00:02.00",
                "0000:00:02.8",
                "0000:00:02.f",
                "0000:00:02.g",
                "0000:00:02:0",
                "0000:00:2.0",
                "0000:00:20.0",
                "0000:00:ff.0",
                "0000:0:02.0",
                "0000:000:02.0",
                "0000:0g:02.0",
                "000:00:02.0",
                "0000.00:02.0",
                "00000:00:002.0",
                "00:02.0",
                "0x00:00:02.0",
                "100000000:00:02.0", /* 33 bits */
                "../../../etc/passwd",
                "0000:00:02.0/../x",
                "0000:00:\xc3\xa9.0",
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                PciAddress a = {1, 2, 3, 4};

                assert_int_in(cases[i], pci_address_parse(cases[i], &a), -EINVAL);
                assert_true(pci_address_equal(&a, &(PciAddress){1, 2, 3, 4}));
        }
}

static void test_equal(void) {
        const PciAddress a = {1, 2, 3, 4};

        assert_true(pci_address_equal(&a, &(PciAddress){1, 2, 3, 4}));
        assert_true(!pci_address_equal(&a, &(PciAddress){0x10001, 2, 3, 4}));
        assert_true(!pci_address_equal(&a, &(PciAddress){1, 0, 3, 4}));
        assert_true(!pci_address_equal(&a, &(PciAddress){1, 2, 0, 4}));
        assert_true(!pci_address_equal(&a, &(PciAddress){1, 2, 3, 0}));
}

static void test_compare(void) {
        /* each is lower than the next, whatever stands behind the place where they differ */
        static const PciAddress sorted[] = {
                {0, 0, 2, 0},
                {0, 0, 2, 7},
                {0, 0, 3, 1},
                {0, 1, 0, 0},
                {0, 0xff, 31, 7},
                {0x10000, 0, 0, 0},
                {0xffffffff, 0, 0, 0},
        };
        const size_t n = sizeof(sorted) / sizeof(*sorted);

        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++) {
                        int r = pci_address_compare(&sorted[i], &sorted[j]);

                        assert_true((r < 0) == (i < j) && (r > 0) == (i > j));
                }
}

int main(void) {
        test_good();
        test_bad();
        test_equal();
        test_compare();
        return EXIT_SUCCESS;
}
