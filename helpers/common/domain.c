/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a domain's XML with libxml2's SAX interface: nothing but the bytes at hand and what was
 * found is kept, however large the input is. What is as small and plain as libvirt's own XML is
 * read without libxml2 (domain-plain.c), and only that.
 *
 * What libvirt takes for an address we take for one, and nothing else
 * (virPCIDeviceAddressParseXML() in src/conf/device_conf.c, virStrToLong_uip() in
 * src/util/virstring.c): numbers as strtoul(3) reads them with base 0, so "0x10", "16" and "020"
 * are the same and "08" is none; an attribute left out is 0. A DOCTYPE, which libvirt never writes,
 * is refused before anything in it is looked at.
 */

#include <ctype.h>
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "domain-plain.h"
#include "domain.h"

#define UUID_DIGITS 32
#define UUID_TEXT_MAX \
        64 /* libvirt lets hyphens be left out or set anywhere, and blanks surround it */

#define HEAD_SIZE (64U * 1024U) /* what is larger goes to libxml2 */

#if LIBXML_VERSION >= 21200
typedef const xmlError ParseError;
#else
typedef xmlError ParseError;
#endif

DEFINE_POINTER_CLEANUP(xmlParserCtxtPtr, xmlFreeParserCtxt);

/* The way down to the elements we are after. */
enum {
        LEVEL_NONE,
        LEVEL_DOMAIN,
        LEVEL_DEVICES,
        LEVEL_DEVICE,
        LEVEL_SOURCE,
};

static const char *const level_names[] = {"", "domain", "devices", "hostdev", "source"};

/* On LEVEL_DEVICE */
typedef enum DeviceKind {
        DEVICE_NONE,
        DEVICE_PCI,
        DEVICE_USB,
        DEVICE_DISK,
} DeviceKind;

/* What of a USB <hostdev> has come by. */
typedef struct UsbParts {
        UsbName name;
        unsigned n_sources, n_vendors, n_products, n_addresses;
        bool optional, unclear;
} UsbParts;

/* Where the bytes come from. The first ones are kept, since both parsers may want them. */
typedef struct Input {
        int fd;
        size_t n_read;
        char head[HEAD_SIZE];
        size_t n_head, n_taken; /* in it, and what libxml2 has had of that */
} Input;

typedef struct Parser {
        Input *input;
        xmlParserCtxtPtr ctxt; /* NULL while libxml2 is not needed */

        int depth;          /* of the current element */
        int level;          /* how far it, or an ancestor, is down our way */
        DeviceKind kind;    /* of the device we are in */
        size_t n_addresses; /* of a PCI device */
        UsbParts usb;
        bool in_uuid;  /* in the first /domain/uuid */
        bool has_uuid; /* it came by */
        size_t n_uuid;
        char uuid[UUID_TEXT_MAX];

        Domain domain;
        size_t n_allocated; /* of domain.hostdevs */
        size_t n_usb_allocated, n_images_allocated;

        int error;    /* the first one, negative */
        char *reason; /* and what it is in words */
} Parser;

void domain_done(Domain *d) {
        free(d->uuid);
        free(d->hostdevs);
        free(d->usb);
        for (size_t i = 0; i < d->n_images; i++)
                free(d->images[i]);
        free(d->images);
        *d = (Domain){};
}

static void parser_done(Parser *p) {
        domain_done(&p->domain);
        free(p->reason);
        *p = (Parser){.input = p->input};
}

/* A reason may quote the input: keep the first line, without control characters. */
static void make_one_line(char *s) {
        s[strcspn(s, "\r\n")] = '\0';
        for (; *s; s++)
                if (iscntrl((unsigned char)*s))
                        *s = '?';
}

/* Notes the first error; what follows from it is of no interest. */
static void __attribute__((format(printf, 3, 4)))
parser_fail(Parser *p, int error, const char *format, ...) {
        va_list ap;

        if (p->error < 0)
                return;
        p->error = error;

        va_start(ap, format);
        if (vasprintf(&p->reason, format, ap) < 0)
                p->reason = NULL;
        va_end(ap);
        if (p->reason)
                make_one_line(p->reason);
}

/* The same from within a callback of the parser, which is told to stop. */
#define parser_stop(p, ...)                       \
        do {                                      \
                parser_fail(p, __VA_ARGS__);      \
                if ((p)->ctxt)                    \
                        xmlStopParser((p)->ctxt); \
        } while (0)

/* Waits for the next bytes. Regular files are always ready. */
static int wait_readable(Input *in) {
        struct pollfd pfd = {.fd = in->fd, .events = POLLIN};
        int r;

        do
                r = poll(&pfd, 1, DOMAIN_READ_TIMEOUT_MS);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        if (r > 0)
                return 0;

        return in->n_read > 0 ? -ETIMEDOUT : -ENODATA;
}

static const char *read_error(int error) {
        switch (error) {
        case -ENODATA:
                return "there is nothing to read";
        case -ETIMEDOUT:
                return "its end did not come in time";
        default:
                return strerror(-error);
        }
}

/* Reads until the buffer is full or the end has come. Returns the number of bytes, or a negative
 * errno. */
static ssize_t read_full(Input *in, char *buffer, size_t size) {
        size_t done = 0;

        while (done < size) {
                ssize_t n;
                int r = wait_readable(in);

                if (r < 0)
                        return r;
                n = read(in->fd, buffer + done, size - done);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                done += (size_t)n;
                in->n_read += (size_t)n;
        }
        return (ssize_t)done;
}

/* Reads the first bytes: all of them, if they are few. */
static int read_head(Parser *p) {
        Input *in = p->input;
        ssize_t n = read_full(in, in->head, sizeof(in->head));

        if (n == 0)
                n = -ENODATA;
        if (n < 0) {
                parser_fail(p, (int)n, "%s", read_error((int)n));
                return p->error;
        }
        in->n_head = (size_t)n;
        return 0;
}

static ssize_t take_bytes(Input *in, char *buffer, size_t size) {
        size_t left = in->n_head - in->n_taken, n = size < left ? size : left;

        if (n == 0)
                return read_full(in, buffer, size);
        memcpy(buffer, in->head + in->n_taken, n);
        in->n_taken += n;
        return (ssize_t)n;
}

/* Hands bytes to libxml2: 0 at the end, or when there was an error of whatever kind, so that the
 * rest is not read. It looks for a byte-order mark and an XML declaration in the first bytes that
 * it is given and overlooks them if those are few, so it is given as many as it asks for. */
static int on_read(void *userdata, char *buffer, int size) {
        Parser *p = userdata;
        ssize_t n;

        if (p->error < 0)
                return 0;

        n = take_bytes(p->input, buffer, (size_t)size);
        if (n < 0)
                parser_fail(p, (int)n, "%s", read_error((int)n));
        else if (p->input->n_read > DOMAIN_SIZE_MAX)
                parser_fail(p, -EFBIG, "it has more than %lu MiB", DOMAIN_SIZE_MAX / 1024 / 1024);
        else if (memchr(buffer, '\0', (size_t)n))
                parser_fail(p, -EBADMSG, "there is a NUL byte in it");

        return p->error < 0 ? 0 : (int)n;
}

static void on_error(void *userdata, ParseError *error) {
        Parser *p = userdata;

        if (error->level < XML_ERR_FATAL)
                return;
        if (error->code == XML_ERR_NO_MEMORY)
                parser_fail(p, -ENOMEM, "out of memory");
        else
                parser_fail(p, -EBADMSG, "line %d: %s", error->line,
                        error->message ? error->message : "not well-formed");
}

/* Where libxml2 is; what is refused without it is refused again with it. */
static int line_number(Parser *p) {
        return p->ctxt ? xmlSAX2GetLineNumber(p->ctxt) : 0;
}

/* For what libxml2 says without naming a parser: it would go to standard error. */
static void __attribute__((format(printf, 2, 3)))
ignore_message(void *userdata, const char *format, ...) {
}

static void on_doctype(
        void *userdata, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id) {
        Parser *p = userdata;

        parser_stop(p, -EBADMSG, "it has a DOCTYPE, which a domain's XML never has");
}

/* Copies an attribute; *ret is NULL if there is none. */
static int get_attribute(
        const xmlChar **attributes, int n_attributes, const char *name, char **ret) {
        *ret = NULL;

        /* five pointers each: local name, prefix, namespace, value, end of value */
        for (const xmlChar **a = attributes; n_attributes > 0; a += 5, n_attributes--) {
                if (a[1] || strcmp((const char *)a[0], name) != 0)
                        continue;

                *ret = strndup((const char *)a[3], (size_t)(a[4] - a[3]));
                return *ret ? 0 : -ENOMEM;
        }
        return 0;
}

/* strtoull(3) itself must not choose the base: with a recent libc it takes "0b10" for binary. */
static int parse_number(const char *s, uint32_t max, uint32_t *ret) {
        unsigned long long value;
        char *end;
        int base;

        s += strspn(s, " \t\n\v\f\r");
        s += *s == '+';
        if (!isdigit((unsigned char)*s))
                return -EINVAL;
        base = s[0] != '0' ? 10 : s[1] == 'x' || s[1] == 'X' ? 16 : 8;

        errno = 0;
        value = strtoull(s, &end, base);
        if (errno != 0 || *end != '\0' || value > max)
                return -EINVAL;

        *ret = (uint32_t)value;
        return 0;
}

/* Reads one attribute of an address; false if the parser was stopped. */
static bool read_number(Parser *p, const xmlChar **attributes, int n_attributes, const char *name,
        uint32_t max, uint32_t *ret) {
        _cleanup_free_ char *value = NULL;

        if (get_attribute(attributes, n_attributes, name, &value) < 0) {
                parser_stop(p, -ENOMEM, "out of memory");
                return false;
        }
        if (!value) {
                *ret = 0;
                return true;
        }
        if (parse_number(value, max, ret) < 0) {
                parser_stop(p, -EBADMSG,
                        "line %d: %s='%.32s' in the address of a PCI device is no number up to "
                        "0x%x",
                        line_number(p), name, value, max);
                return false;
        }
        return true;
}

/* Makes room for one more. */
static void *grow(void *list, size_t n, size_t *n_allocated, size_t size) {
        size_t more = *n_allocated ? *n_allocated * 2 : 8;

        if (n < *n_allocated)
                return list;
        list = reallocarray(list, more, size);
        if (list)
                *n_allocated = more;
        return list;
}

static int add_hostdev(Domain *d, size_t *n_allocated, const PciAddress *address) {
        PciAddress *list = grow(d->hostdevs, d->n_hostdevs, n_allocated, sizeof(*list));

        if (!list)
                return -ENOMEM;
        d->hostdevs = list;
        d->hostdevs[d->n_hostdevs++] = *address;
        return 0;
}

static int add_usb(Domain *d, size_t *n_allocated, const UsbName *name) {
        UsbName *list = grow(d->usb, d->n_usb, n_allocated, sizeof(*list));

        if (!list)
                return -ENOMEM;
        d->usb = list;
        d->usb[d->n_usb++] = *name;
        return 0;
}

static int add_image(Domain *d, size_t *n_allocated, char *path) {
        char **list = grow(d->images, d->n_images, n_allocated, sizeof(*list));

        if (!list)
                return -ENOMEM;
        d->images = list;
        d->images[d->n_images++] = path;
        return 0;
}

static void on_address(Parser *p, const xmlChar **attributes, int n_attributes) {
        uint32_t domain, bus, slot, function;
        PciAddress address;

        if (!read_number(p, attributes, n_attributes, "domain", UINT32_MAX, &domain) ||
                !read_number(p, attributes, n_attributes, "bus", 0xff, &bus) ||
                !read_number(p, attributes, n_attributes, "slot", 0x1f, &slot) ||
                !read_number(p, attributes, n_attributes, "function", 7, &function))
                return;

        address = (PciAddress){domain, (uint8_t)bus, (uint8_t)slot, (uint8_t)function};
        if (add_hostdev(&p->domain, &p->n_allocated, &address) < 0)
                parser_stop(p, -ENOMEM, "out of memory");
        p->n_addresses++;
}

/* What libvirt itself reads when it defines a domain is right, so that what we cannot read is new
 * to us. */
static uint32_t read_usb_number(
        Parser *p, const xmlChar **attributes, int n_attributes, const char *name, uint32_t max) {
        _cleanup_free_ char *value = NULL;
        uint32_t number = 0;

        if (get_attribute(attributes, n_attributes, name, &value) < 0)
                parser_stop(p, -ENOMEM, "out of memory");
        else if (!value || parse_number(value, max, &number) < 0)
                p->usb.unclear = true;
        return number;
}

static void on_usb_part(Parser *p, const char *name, const xmlChar **attributes, int n_attributes) {
        UsbParts *usb = &p->usb;

        if (strcmp(name, "vendor") == 0) {
                usb->n_vendors++;
                usb->name.vendor = read_usb_number(p, attributes, n_attributes, "id", UINT16_MAX);
        } else if (strcmp(name, "product") == 0) {
                usb->n_products++;
                usb->name.product = read_usb_number(p, attributes, n_attributes, "id", UINT16_MAX);
        } else if (strcmp(name, "address") == 0) {
                usb->n_addresses++;
                usb->name.bus = read_usb_number(p, attributes, n_attributes, "bus", UINT32_MAX);
                usb->name.device =
                        read_usb_number(p, attributes, n_attributes, "device", UINT32_MAX);
        }
}

/* May the domain do without the device? */
static bool is_optional(Parser *p, const xmlChar **attributes, int n_attributes) {
        _cleanup_free_ char *policy = NULL;

        if (get_attribute(attributes, n_attributes, "startupPolicy", &policy) < 0)
                parser_stop(p, -ENOMEM, "out of memory");
        return policy && strcmp(policy, "optional") == 0;
}

static void on_usb_source(Parser *p, const xmlChar **attributes, int n_attributes) {
        p->usb.n_sources++;
        p->usb.optional = p->usb.optional || is_optional(p, attributes, n_attributes);
}

/* An ampersand in an attribute is "&" or "&#38;", by libxml2's version: such a path is left out. */
static void on_disk_source(Parser *p, const xmlChar **attributes, int n_attributes) {
        _cleanup_free_ char *file = NULL;
        int r = get_attribute(attributes, n_attributes, "file", &file);

        if (r >= 0 && file && *file == '/' && !strchr(file, '&') &&
                !is_optional(p, attributes, n_attributes)) {
                r = add_image(&p->domain, &p->n_images_allocated, file);
                if (r >= 0)
                        file = NULL;
        }
        if (r < 0)
                parser_stop(p, -ENOMEM, "out of memory");
}

/* Has it to be there, and is it named in a way that we know? */
static bool usb_is_needed(const UsbParts *usb) {
        bool by_id = usb->n_vendors == 1 && usb->n_products == 1 && usb->name.vendor > 0;
        bool by_place = usb->n_addresses == 1 && usb->name.bus > 0 && usb->name.device > 0;

        return !usb->optional && !usb->unclear && usb->n_sources == 1 && (by_id || by_place) &&
               (by_id || usb->n_vendors + usb->n_products == 0) &&
               (by_place || usb->n_addresses == 0);
}

static void on_usb_end(Parser *p) {
        if (usb_is_needed(&p->usb) && add_usb(&p->domain, &p->n_usb_allocated, &p->usb.name) < 0)
                parser_stop(p, -ENOMEM, "out of memory");
}

/* What of ours the element is: a PCI device that libvirt detaches from the host, a USB device of
 * the host, or a disk that is a file. */
static DeviceKind get_kind(
        Parser *p, const char *name, const xmlChar **attributes, int n_attributes) {
        _cleanup_free_ char *type = NULL, *mode = NULL;

        if (get_attribute(attributes, n_attributes, "type", &type) < 0 ||
                get_attribute(attributes, n_attributes, "mode", &mode) < 0)
                parser_stop(p, -ENOMEM, "out of memory");
        if (!type)
                return DEVICE_NONE;
        if (strcmp(name, "disk") == 0)
                return strcmp(type, "file") == 0 ? DEVICE_DISK : DEVICE_NONE;
        if (mode && strcmp(mode, "subsystem") != 0)
                return DEVICE_NONE;
        return strcmp(type, "pci") == 0   ? DEVICE_PCI
               : strcmp(type, "usb") == 0 ? DEVICE_USB
                                          : DEVICE_NONE;
}

static void on_source(Parser *p, const xmlChar **attributes, int n_attributes) {
        if (p->kind == DEVICE_USB)
                on_usb_source(p, attributes, n_attributes);
        else if (p->kind == DEVICE_DISK)
                on_disk_source(p, attributes, n_attributes);
}

/* Below a <source>. */
static void on_part(Parser *p, const char *name, const xmlChar **attributes, int n_attributes) {
        if (p->kind == DEVICE_USB)
                on_usb_part(p, name, attributes, n_attributes);
        else if (p->kind == DEVICE_PCI && strcmp(name, "address") == 0)
                on_address(p, attributes, n_attributes);
}

/* Is the element the next one down our way? */
static bool is_next(const Parser *p, const char *name) {
        return p->level == p->depth - 1 && p->level < LEVEL_SOURCE &&
               (strcmp(name, level_names[p->depth]) == 0 ||
                       (p->depth == LEVEL_DEVICE && strcmp(name, "disk") == 0));
}

static void on_next(Parser *p, const char *name, const xmlChar **attributes, int n_attributes) {
        if (p->depth == LEVEL_DEVICE) {
                p->kind = get_kind(p, name, attributes, n_attributes);
                p->n_addresses = 0;
                p->usb = (UsbParts){};
                if (p->kind == DEVICE_NONE)
                        return;
        }
        p->level++;
        if (p->level == LEVEL_SOURCE)
                on_source(p, attributes, n_attributes);
}

static void on_start_element(void *userdata, const xmlChar *name, const xmlChar *prefix,
        const xmlChar *uri, int n_namespaces, const xmlChar **namespaces, int n_attributes,
        int n_defaulted, const xmlChar **attributes) {
        Parser *p = userdata;
        bool plain = !prefix && !uri; /* other people's elements are in namespaces of their own */

        p->depth++;
        if (p->depth == LEVEL_DOMAIN && !(plain && strcmp((const char *)name, "domain") == 0)) {
                parser_stop(p, -EBADMSG, "it describes no domain: its root element is <%.64s>",
                        (const char *)name);
                return;
        }

        if (plain && p->level == LEVEL_SOURCE && p->depth == LEVEL_SOURCE + 1)
                on_part(p, (const char *)name, attributes, n_attributes);
        else if (plain && is_next(p, (const char *)name))
                on_next(p, (const char *)name, attributes, n_attributes);
        else if (plain && p->depth == LEVEL_DOMAIN + 1 && !p->has_uuid &&
                 strcmp((const char *)name, "uuid") == 0)
                p->in_uuid = p->has_uuid = true;
}

static void on_text(void *userdata, const xmlChar *text, int size) {
        Parser *p = userdata;
        size_t n = (size_t)size;

        if (!p->in_uuid)
                return;
        if (n > sizeof(p->uuid) - p->n_uuid) {
                parser_stop(p, -EBADMSG, "its <uuid> is no UUID");
                return;
        }

        memcpy(p->uuid + p->n_uuid, text, n);
        p->n_uuid += n;
}

static void on_end_element(
        void *userdata, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri) {
        Parser *p = userdata;

        if (p->level == p->depth) {
                if (p->level == LEVEL_DEVICE && p->kind == DEVICE_USB)
                        on_usb_end(p);
                else if (p->level == LEVEL_DEVICE && p->kind == DEVICE_PCI && p->n_addresses != 1)
                        parser_stop(p, -EBADMSG,
                                "a PCI device ends on line %d with %zu source addresses instead "
                                "of one",
                                line_number(p), p->n_addresses);
                p->level--;
        }
        if (p->depth == LEVEL_DOMAIN + 1)
                p->in_uuid = false;
        p->depth--;
}

/* Brings a UUID into its canonical form. Like libvirt (virUUIDParse()), blanks before and after it
 * are passed over, and so are hyphens wherever they are. */
static int normalize_uuid(const char *s, size_t n, char **ret) {
        char text[UUID_DIGITS + 4 + 1];
        size_t length = 0;
        unsigned digits = 0;

        for (; n > 0 && isspace((unsigned char)*s); n--)
                s++;
        for (; n > 0 && isspace((unsigned char)s[n - 1]);)
                n--;

        for (; n > 0; s++, n--) {
                if (*s == '-' && digits > 0)
                        continue;
                if (!isxdigit((unsigned char)*s) || digits == UUID_DIGITS)
                        return -EBADMSG;
                if (digits == 8 || digits == 12 || digits == 16 || digits == 20)
                        text[length++] = '-';
                text[length++] = (char)tolower((unsigned char)*s);
                digits++;
        }
        if (digits != UUID_DIGITS)
                return -EBADMSG;

        *ret = strndup(text, length);
        return *ret ? 0 : -ENOMEM;
}

static const xmlSAXHandler sax = {
        .initialized = XML_SAX2_MAGIC,
        .internalSubset = on_doctype,
        .startElementNs = on_start_element,
        .endElementNs = on_end_element,
        .characters = on_text,
        .cdataBlock = on_text,
        .serror = on_error,
};

static int parse_with_libxml2(Parser *p) {
        _cleanup_(xmlFreeParserCtxtp) xmlParserCtxtPtr ctxt = NULL;
        xmlSAXHandler handler = sax;
        int r;

        xmlSetGenericErrorFunc(NULL, ignore_message);

        ctxt = xmlCreateIOParserCtxt(&handler, p, on_read, NULL, p, XML_CHAR_ENCODING_NONE);
        if (!ctxt)
                return -ENOMEM;
        p->ctxt = ctxt;

        xmlCtxtUseOptions(ctxt, XML_PARSE_NONET);
        r = xmlParseDocument(ctxt);
        if (ctxt->myDoc)
                xmlFreeDoc(ctxt->myDoc);
        p->ctxt = NULL;
        if (r < 0)
                parser_fail(p, -EBADMSG, "it is no well-formed XML");
        return p->error;
}

/* Returns true if the XML was plain and there is nothing to say against it. */
static bool parse_plain(Parser *p) {
        const Input *in = p->input;

        return in->n_head < sizeof(in->head) && domain_plain_parse(in->head, in->n_head, &sax, p) &&
               p->error >= 0;
}

static int parse(Parser *p) {
        int r = read_head(p);

        if (r < 0 || parse_plain(p))
                return r;
        parser_done(p);
        return parse_with_libxml2(p);
}

int domain_parse_fd(int fd, Domain *ret, char **ret_reason) {
        Input input;
        _cleanup_(parser_done) Parser p = {.input = &input};
        int r;

        /* and not the buffer, which is large */
        input.fd = fd;
        input.n_read = input.n_head = input.n_taken = 0;

        r = parse(&p);
        if (r >= 0 && p.has_uuid) {
                r = normalize_uuid(p.uuid, p.n_uuid, &p.domain.uuid);
                if (r < 0)
                        parser_fail(
                                &p, r, r == -ENOMEM ? "out of memory" : "its <uuid> is no UUID");
        }
        if (r < 0) {
                *ret_reason = p.reason;
                p.reason = NULL;
                return r;
        }

        *ret = p.domain;
        p.domain = (Domain){};
        return 0;
}
