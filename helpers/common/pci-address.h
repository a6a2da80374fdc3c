/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Where a PCI function sits. The domain has 32 bits (VMD and Hyper-V use more than 16). */
typedef struct PciAddress {
        uint32_t domain;
        uint8_t bus;
        uint8_t slot;     /* 0..31 */
        uint8_t function; /* 0..7 */
} PciAddress;

#define PCI_ADDRESS_MAX sizeof("ffffffff:ff:1f.7")

/* Parses the kernel's own notation, "0000:00:02.0": lower or upper case hexadecimal, nothing left
 * out, nothing before or after. Returns 0, or -EINVAL and leaves *ret alone. */
int pci_address_parse(const char *s, PciAddress *ret);

/* Writes the kernel's notation into a buffer of PCI_ADDRESS_MAX bytes and returns it. */
const char *pci_address_format(const PciAddress *a, char buffer[static PCI_ADDRESS_MAX]);

/* Orders by domain, bus, slot and function: less than, equal to or greater than 0, as strcmp(3). */
int pci_address_compare(const PciAddress *a, const PciAddress *b);

bool pci_address_equal(const PciAddress *a, const PciAddress *b);
