/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A domain's XML. The model reads it as libvirt does: into libxml2's tree, and the numbers with
 * strtoul(3) (virXMLParse() in src/util/virxml.c, virStrToLong_uip() in src/util/virstring.c). What
 * the model refuses has to be refused, with one line of reason and nothing changed; of the rest the
 * UUID and the devices have to be the model's. It must not matter in which
 * pieces the bytes come.
 *
 * libxml2 is not instrumented: fuzz-domain.dict has the words that make a difference.
 */

#include <ctype.h>
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "common/domain.h"
#include "fuzz.h"

#define UUID_TEXT_MAX 64 /* as in domain.c */
#define PIECES 16        /* into which an input is cut */

/* How much a read gives at most: linked with --wrap=read. */
static size_t read_max = SIZE_MAX;

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);

ssize_t __wrap_read(int fd, void *buffer, size_t size) {
        return __real_read(fd, buffer, size < read_max ? size : read_max);
}

DEFINE_POINTER_CLEANUP(xmlDocPtr, xmlFreeDoc);

static void xml_freep(xmlChar **p) {
        xmlFree(*p);
}

#define _cleanup_xml_ _cleanup_(xml_freep)

static bool is_element(const xmlNode *node, const char *name) {
        return node->type == XML_ELEMENT_NODE && !node->ns &&
               strcmp((const char *)node->name, name) == 0;
}

static bool attribute_is(xmlNode *node, const char *name, const char *expected) {
        _cleanup_xml_ xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);

        return value && strcmp((const char *)value, expected) == 0;
}

static bool model_number(xmlNode *node, const char *name, unsigned long max, unsigned long *ret) {
        _cleanup_xml_ xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
        const char *s = (const char *)value;
        char *end;

        *ret = 0;
        if (!s)
                return true;
        errno = 0;
        *ret = strtoul(s, &end, 0);
        return errno == 0 && end != s && *end == '\0' && !strchr(s, '-') && *ret <= max;
}

static bool model_address(xmlNode *node, PciAddress *ret) {
        unsigned long domain, bus, slot, function;

        if (!model_number(node, "domain", UINT32_MAX, &domain) ||
                !model_number(node, "bus", 255, &bus) || !model_number(node, "slot", 31, &slot) ||
                !model_number(node, "function", 7, &function))
                return false;
        *ret = (PciAddress){(uint32_t)domain, (uint8_t)bus, (uint8_t)slot, (uint8_t)function};
        return true;
}

/* What a USB device's source says: the only element of each name, and numbers. */
static bool model_usb_number(xmlNode *source, const char *element, const char *attribute,
        unsigned long max, uint32_t *ret, size_t *ret_n) {
        unsigned long number = 0;
        bool good = true;

        *ret_n = 0;
        for (xmlNode *node = source->children; node; node = node->next)
                if (is_element(node, element)) {
                        good = good && xmlHasNsProp(node, (const xmlChar *)attribute, NULL) &&
                               model_number(node, attribute, max, &number);
                        (*ret_n)++;
                }
        *ret = (uint32_t)number;
        return good && *ret_n <= 1;
}

static void model_usb(xmlNode *hostdev, Domain *d) {
        size_t n_sources = 0, n_vendors, n_products, n_addresses;
        xmlNode *source = NULL;
        UsbName name;

        for (xmlNode *node = hostdev->children; node; node = node->next)
                if (is_element(node, "source")) {
                        source = node;
                        n_sources++;
                        if (attribute_is(node, "startupPolicy", "optional"))
                                return;
                }
        if (n_sources != 1 ||
                !model_usb_number(source, "vendor", "id", 65535, &name.vendor, &n_vendors) ||
                !model_usb_number(source, "product", "id", 65535, &name.product, &n_products) ||
                !model_usb_number(source, "address", "bus", UINT32_MAX, &name.bus, &n_addresses) ||
                !model_usb_number(
                        source, "address", "device", UINT32_MAX, &name.device, &n_addresses))
                return;
        if (n_vendors != n_products || n_vendors + n_addresses == 0 ||
                (n_vendors == 1 && name.vendor == 0) ||
                (n_addresses == 1 && (name.bus == 0 || name.device == 0)))
                return;

        d->usb = reallocarray(d->usb, d->n_usb + 1, sizeof(UsbName));
        check(d->usb);
        d->usb[d->n_usb++] = name;
}

static void model_disk(xmlNode *disk, Domain *d) {
        if (!attribute_is(disk, "type", "file"))
                return;
        for (xmlNode *node = disk->children; node; node = node->next) {
                _cleanup_xml_ xmlChar *file = NULL;

                if (!is_element(node, "source") || attribute_is(node, "startupPolicy", "optional"))
                        continue;
                file = xmlGetNoNsProp(node, (const xmlChar *)"file");
                if (!file || *file != '/' || strchr((char *)file, '&'))
                        continue;
                d->images = reallocarray(d->images, d->n_images + 1, sizeof(char *));
                check(d->images);
                d->images[d->n_images] = strdup((char *)file);
                check(d->images[d->n_images++]);
        }
}

static bool model_hostdev(xmlNode *hostdev, Domain *d) {
        size_t n_addresses = 0;

        if (xmlHasNsProp(hostdev, (const xmlChar *)"mode", NULL) &&
                !attribute_is(hostdev, "mode", "subsystem"))
                return true;
        if (attribute_is(hostdev, "type", "usb"))
                model_usb(hostdev, d);
        if (!attribute_is(hostdev, "type", "pci"))
                return true;

        d->hostdevs = reallocarray(d->hostdevs, d->n_hostdevs + 1, sizeof(PciAddress));
        check(d->hostdevs);
        for (xmlNode *source = hostdev->children; source; source = source->next)
                for (xmlNode *a = source->children; is_element(source, "source") && a; a = a->next)
                        if (is_element(a, "address") &&
                                (n_addresses++ > 0 ||
                                        !model_address(a, &d->hostdevs[d->n_hostdevs])))
                                return false;
        d->n_hostdevs++;
        return n_addresses == 1;
}

/* Takes the 32 digits out of what else is there, and sets hyphens where they belong. */
static bool model_uuid(xmlNode *node, Domain *d) {
        _cleanup_xml_ xmlChar *content = xmlNodeGetContent(node);
        char *s = (char *)content, digits[33] = "";
        size_t n = 0;

        if (!s || strlen(s) > UUID_TEXT_MAX)
                return false;
        for (size_t length = strlen(s); length > 0 && isspace((unsigned char)s[length - 1]);)
                s[--length] = '\0';
        s += strspn(s, " \t\r\n");
        if (s[strspn(s, "0123456789abcdefABCDEF-")] != '\0' || *s == '-')
                return false;
        for (; *s; s++)
                if (*s != '-' && n++ < 32)
                        digits[n - 1] = (char)tolower((unsigned char)*s);
        if (n != 32)
                return false;

        check(asprintf(&d->uuid, "%.8s-%.4s-%.4s-%.4s-%s", digits, digits + 8, digits + 12,
                      digits + 16, digits + 20) == 36);
        return true;
}

static bool model_document(xmlDoc *doc, Domain *d) {
        xmlNode *root = xmlDocGetRootElement(doc);

        if (xmlGetIntSubset(doc) || !is_element(root, "domain"))
                return false;
        for (xmlNode *node = root->children; node; node = node->next) {
                if (is_element(node, "uuid") && !d->uuid && !model_uuid(node, d))
                        return false;
                for (xmlNode *h = node->children; is_element(node, "devices") && h; h = h->next) {
                        if (is_element(h, "disk"))
                                model_disk(h, d);
                        if (is_element(h, "hostdev") && !model_hostdev(h, d))
                                return false;
                }
        }
        return true;
}

static int model(const uint8_t *data, size_t size, Domain *ret) {
        _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;

        if (size == 0)
                return -ENODATA;
        if (memchr(data, '\0', size))
                return -EBADMSG;
        doc = xmlReadMemory((const char *)data, (int)size, NULL, NULL,
                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
        return doc && model_document(doc, ret) ? 0 : -EBADMSG;
}

static void check_refused(const Domain *d, const Domain *untouched, const char *reason) {
        check(memcmp(d, untouched, sizeof(*d)) == 0);
        check(reason && *reason);
        for (; *reason; reason++)
                check(!iscntrl((unsigned char)*reason));
}

static void check_taken(const Domain *d, const Domain *expected, const char *reason) {
        check(!reason);
        check(!d->uuid == !expected->uuid);
        check(!d->uuid || strcmp(d->uuid, expected->uuid) == 0);
        check(d->n_hostdevs == expected->n_hostdevs);
        for (size_t i = 0; i < d->n_hostdevs; i++)
                check(pci_address_equal(&d->hostdevs[i], &expected->hostdevs[i]));
        check(d->n_usb == expected->n_usb);
        check(d->n_usb == 0 || memcmp(d->usb, expected->usb, d->n_usb * sizeof(UsbName)) == 0);
        check(d->n_images == expected->n_images);
        for (size_t i = 0; i < d->n_images; i++)
                check(strcmp(d->images[i], expected->images[i]) == 0);
}

static void check_parse(int fd, int expected, const Domain *expected_domain) {
        const Domain untouched = {(char *)"untouched", NULL, 42, NULL, 42, NULL, 42};
        _cleanup_free_ char *reason = NULL;
        Domain d = untouched;
        int r;

        errno = ERANGE; /* an old one must not matter */
        r = domain_parse_fd(fd, &d, &reason);

        if (r != expected)
                fprintf(stderr, "got %d, expected %d: %s\n", r, expected, reason ?: "");
        check(r == expected);
        if (r < 0) {
                check_refused(&d, &untouched, reason);
                return;
        }
        check_taken(&d, expected_domain, reason);
        domain_done(&d);
        check(!d.uuid && !d.hostdevs && d.n_hostdevs == 0 && !d.usb && d.n_usb == 0 && !d.images &&
                d.n_images == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static int file = -1;
        _cleanup_domain_ Domain expected = {};
        int r = model(data, size, &expected);

        if (file < 0)
                file = memfd_create("domain", MFD_CLOEXEC);
        file_set(file, data, size);
        check_parse(file, r, &expected);

        check(lseek(file, 0, SEEK_SET) == 0);
        read_max = size / PIECES + 1;
        check_parse(file, r, &expected);
        read_max = SIZE_MAX;
        return 0;
}
