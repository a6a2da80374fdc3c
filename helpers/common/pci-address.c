/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI addresses in the kernel's notation, DOMAIN:BUS:SLOT.FUNCTION as in pci_name(): the domain
 * has at least four digits (drivers/pci/probe.c, "%04x:%02x:%02x.%d").
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "pci-address.h"

/* Reads between min and max hexadecimal digits up to the terminator, which is passed over. */
static int parse_hex(const char **s, unsigned min, unsigned max, char terminator, uint32_t *ret) {
        uint32_t value = 0;
        unsigned n = 0;

        for (; isxdigit((unsigned char)**s); (*s)++, n++) {
                char c = (char)tolower((unsigned char)**s);

                if (n >= max)
                        return -EINVAL;
                value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        }

        if (n < min || **s != terminator)
                return -EINVAL;
        if (terminator)
                (*s)++;

        *ret = value;
        return 0;
}

int pci_address_parse(const char *s, PciAddress *ret) {
        uint32_t domain, bus, slot, function;

        if (parse_hex(&s, 4, 8, ':', &domain) < 0 || parse_hex(&s, 2, 2, ':', &bus) < 0 ||
                parse_hex(&s, 2, 2, '.', &slot) < 0 || parse_hex(&s, 1, 1, '\0', &function) < 0)
                return -EINVAL;
        if (slot > 31 || function > 7)
                return -EINVAL;

        *ret = (PciAddress){domain, (uint8_t)bus, (uint8_t)slot, (uint8_t)function};
        return 0;
}

const char *pci_address_format(const PciAddress *a, char buffer[static PCI_ADDRESS_MAX]) {
        snprintf(buffer, PCI_ADDRESS_MAX, "%04x:%02x:%02x.%x", a->domain, a->bus, a->slot & 0x1f,
                a->function & 7);
        return buffer;
}

int pci_address_compare(const PciAddress *a, const PciAddress *b) {
        if (a->domain != b->domain)
                return a->domain < b->domain ? -1 : 1;
        if (a->bus != b->bus)
                return a->bus - b->bus;
        if (a->slot != b->slot)
                return a->slot - b->slot;
        return a->function - b->function;
}

bool pci_address_equal(const PciAddress *a, const PciAddress *b) {
        return pci_address_compare(a, b) == 0;
}
