/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sysfs and libvirt say in a few words. The input is, one after the other, an attribute, where
 * a symlink points, a PCI address, and a domain's name that becomes the name of a unit:
 *
 * - an attribute is read up to a page, a NUL byte or its last newline,
 * - of a link, its last component,
 * - an address is what a regular expression matches; it comes back as it was but for upper case and
 *   zeros to the left,
 * - a unit's name is one that systemd takes, and unescaped gives back the domain's name.
 *
 * Files and links are in a tmpfs of the fuzzer's own.
 */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/lease.h"
#include "common/pci-address.h"
#include "common/sysfs.h"
#include "fuzz.h"
#include "private-run.h"

#define DIRECTORY "/run/sysfs"
#define ATTRIBUTE_MAX 4096 /* as in sysfs.c */
#define UNIT_NAME_MAX 255
#define UNIT_BEGIN "gpu-guest@"
#define UNIT_END ".service"
#define UUID "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"

static regex_t address_regex, unit_regex;
static int dir = -1, file = -1;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
        private_run_enter();
        directory_make(DIRECTORY);
        dir = sysfs_open(DIRECTORY);
        check(dir >= 0);
        file = openat(dir, "attribute", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        check(file >= 0);
        check(regcomp(&address_regex, "^" PCI_ADDRESS_REGEX "$", REG_EXTENDED | REG_NOSUB) == 0);
        /* VALID_CHARS of systemd's src/basic/unit-name.c, without the "@" that ends the prefix */
        check(regcomp(&unit_regex, "^" UNIT_BEGIN "[a-zA-Z0-9:_\\.-]+[.]service$",
                      REG_EXTENDED | REG_NOSUB) == 0);
        return 0;
}

static void check_attribute(const uint8_t *data, size_t size) {
        _cleanup_free_ char *value = NULL;
        const uint8_t *nul;

        file_set(file, data, size);
        check(sysfs_read(dir, "attribute", &value) == 0);

        if (size > ATTRIBUTE_MAX)
                size = ATTRIBUTE_MAX;
        if (size > 0 && data[size - 1] == '\n')
                size--;
        nul = memchr(data, '\0', size);
        if (nul)
                size = (size_t)(nul - data);
        check(strlen(value) == size && memcmp(value, data, size) == 0);
}

static void check_link(const char *target) {
        _cleanup_free_ char *value = NULL;
        size_t length = strlen(target), last = length;
        int r;

        if (length == 0 || length >= PATH_MAX)
                return;
        (void)unlinkat(dir, "link", 0);
        check(symlinkat(target, dir, "link") == 0);
        r = sysfs_read_link(dir, "link", &value);

        while (last > 0 && target[last - 1] != '/')
                last--;
        if (last == length)
                check(r == -EINVAL && !value);
        else
                check(r == 0 && strcmp(value, target + last) == 0);
}

/* Formatted, whatever is in it, and parsed again it is the same address. */
static void check_format(const PciAddress *a) {
        char text[PCI_ADDRESS_MAX], expected[64];
        PciAddress again;

        snprintf(expected, sizeof(expected), "%04lx:%02x:%x%x.%o", (unsigned long)a->domain, a->bus,
                a->slot >> 4, a->slot & 0xf, a->function);
        check(strcmp(pci_address_format(a, text), expected) == 0);
        check(pci_address_parse(text, &again) == 0);
        check(pci_address_equal(a, &again));
}

static void check_address(const char *s) {
        const PciAddress untouched = {1, 2, 3, 4};
        unsigned domain, bus, slot, function;
        PciAddress a = untouched;
        int r = pci_address_parse(s, &a);

        check(r == (regexec(&address_regex, s, 0, NULL, 0) == 0 ? 0 : -EINVAL));
        if (r < 0) {
                check(pci_address_equal(&a, &untouched));
                return;
        }
        check(sscanf(s, "%x:%x:%x.%x", &domain, &bus, &slot, &function) == 4);
        check(a.domain == domain && a.bus == bus && a.slot == slot && a.function == function);
        check_format(&a);
}

/* Two addresses from the input's bytes are ordered as what they look like is. */
static void check_order(const uint8_t *data, size_t size) {
        PciAddress a[2];
        char text[2][64];
        int order;

        if (size < 14)
                return;
        for (int i = 0; i < 2; i++, data += 7) {
                memcpy(&a[i].domain, data, sizeof(a[i].domain));
                a[i].bus = data[4];
                a[i].slot = data[5] & 31;
                a[i].function = data[6] & 7;
                snprintf(text[i], sizeof(text[i]), "%08x%02x%02x%x", a[i].domain, a[i].bus,
                        a[i].slot, a[i].function);
                check_format(&a[i]);
        }
        order = strcmp(text[0], text[1]);
        check((order < 0) == (pci_address_compare(&a[0], &a[1]) < 0));
        check((order > 0) == (pci_address_compare(&a[0], &a[1]) > 0));
        check((order == 0) == pci_address_equal(&a[0], &a[1]));
}

/* As systemd does for "%I": what is between "@" and the suffix, unescaped. The caller's to free. */
static char *unescape_instance(const char *unit) {
        const char *s = unit + strlen(UNIT_BEGIN), *end = strrchr(unit, '.');
        char *name = calloc(1, strlen(unit)), *t = name;

        check(name);
        while (s < end) {
                unsigned byte = (unsigned char)*s;
                int n = 1;

                if (*s == '\\')
                        check(sscanf(s, "\\x%2x%n", &byte, &n) == 1 && n == 4);
                *t++ = *s == '-' ? '/' : (char)byte;
                s += n;
        }
        return name;
}

static void check_unit(const char *unit, const char *name) {
        _cleanup_free_ char *instance = NULL;

        check(strlen(unit) <= UNIT_NAME_MAX);
        check(regexec(&unit_regex, unit, 0, NULL, 0) == 0);
        check(unit[strlen(UNIT_BEGIN)] != '.');
        instance = unescape_instance(unit);
        check(strcmp(instance, name) == 0);
}

/* How long is a unit's name? */
static size_t model_length(const char *name) {
        size_t length = strlen(UNIT_BEGIN UNIT_END);

        for (const char *s = name; *s; s++)
                length += isascii(*s) && (isalnum((unsigned char)*s) || strchr("/:_", *s) ||
                                                 (*s == '.' && s > name))
                                  ? 1
                                  : 4;
        return length;
}

static void check_lease(const char *name) {
        _cleanup_free_ char *unit = NULL, *replaced = NULL;
        bool too_long = model_length(name) > UNIT_NAME_MAX;
        int r = lease_unit_name(name, NULL, &unit);

        check(r == (*name == '\0' ? -EINVAL : too_long ? -ENAMETOOLONG : 0));
        if (r < 0)
                check(!unit);
        else
                check_unit(unit, name);

        if (*name == '\0')
                return;
        check(lease_unit_name(name, UUID, &replaced) == 0);
        check_unit(replaced, too_long ? UUID : name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *s = strndup((const char *)data, size);

        check(s);
        check_attribute(data, size);
        check_link(s);
        check_address(s);
        check_order(data, size);
        check_lease(s);
        return 0;
}
