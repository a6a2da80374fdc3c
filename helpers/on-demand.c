/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loads libudev, libxml2 and libsystemd when they are first used, for gpu-guest-lease. libvirt runs
 * that for every domain of the host, and seldom are they needed: libudev for a domain that has PCI
 * devices of the host, libxml2 for XML that libvirt has not written, libsystemd for a message. With
 * what they need themselves, ICU among it, loading them takes several times as long as all the
 * rest.
 *
 * The functions have the libraries' names and come before them where the program is linked, so that
 * nothing else has to know. Other programs are linked to the libraries as usual, and so packages
 * depend on them.
 *
 * Without libudev or libxml2 what they are needed for fails, and it is said why. Without libsystemd
 * a message goes to standard error.
 */

#include <dlfcn.h>
#include <errno.h>
#include <libudev.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-login.h>

#include "common/cleanup.h"

#define LIBSYSTEMD "libsystemd.so.0"
#define LIBUDEV "libudev.so.1"
#if LIBXML_VERSION >= 21400
#define LIBXML "libxml2.so.16"
#else
#define LIBXML "libxml2.so.2"
#endif

/* Finds a function; NULL if it or its library is not there, which dlerror(3) explains. A library
 * that is loaded already is not loaded again. */
static void *find(const char *library, const char *name) {
        void *handle = dlopen(library, RTLD_NOW | RTLD_NODELETE);

        return handle ? dlsym(handle, name) : NULL;
}

static void *find_or_exit(const char *library, const char *name) {
        void *function = find(library, name);

        if (!function) {
                fprintf(stderr, "%s: %s\n", program_invocation_short_name, dlerror());
                exit(EXIT_FAILURE);
        }
        return function;
}

/* what is hidden here is not found by the libraries, which use the same names */
#pragma GCC visibility push(hidden)

#define DEFINE(library, type, name, parameters, arguments)                         \
        type name parameters {                                                     \
                return ((__typeof__(&name))find_or_exit(library, #name))arguments; \
        }                                                                          \
        struct useless_struct_to_allow_trailing_semicolon

#define UDEV(type, name, parameters, arguments) DEFINE(LIBUDEV, type, name, parameters, arguments)

UDEV(struct udev *, udev_new, (void), ());
UDEV(struct udev *, udev_unref, (struct udev * u), (u));
UDEV(struct udev_device *, udev_device_new_from_syspath, (struct udev * u, const char *path),
        (u, path));
UDEV(struct udev_device *, udev_device_new_from_subsystem_sysname,
        (struct udev * u, const char *subsystem, const char *name), (u, subsystem, name));
UDEV(struct udev_device *, udev_device_ref, (struct udev_device * d), (d));
UDEV(struct udev_device *, udev_device_unref, (struct udev_device * d), (d));
UDEV(const char *, udev_device_get_sysname, (struct udev_device * d), (d));
UDEV(const char *, udev_device_get_property_value, (struct udev_device * d, const char *key),
        (d, key));
UDEV(struct udev_enumerate *, udev_enumerate_new, (struct udev * u), (u));
UDEV(struct udev_enumerate *, udev_enumerate_unref, (struct udev_enumerate * e), (e));
UDEV(int, udev_enumerate_add_match_subsystem, (struct udev_enumerate * e, const char *subsystem),
        (e, subsystem));
UDEV(int, udev_enumerate_add_match_sysattr,
        (struct udev_enumerate * e, const char *attribute, const char *value),
        (e, attribute, value));
UDEV(int, udev_enumerate_add_match_tag, (struct udev_enumerate * e, const char *tag), (e, tag));
UDEV(int, udev_enumerate_scan_devices, (struct udev_enumerate * e), (e));
UDEV(struct udev_list_entry *, udev_enumerate_get_list_entry, (struct udev_enumerate * e), (e));
UDEV(struct udev_list_entry *, udev_list_entry_get_next, (struct udev_list_entry * l), (l));
UDEV(const char *, udev_list_entry_get_name, (struct udev_list_entry * l), (l));
UDEV(struct udev_queue *, udev_queue_new, (struct udev * u), (u));
UDEV(struct udev_queue *, udev_queue_unref, (struct udev_queue * q), (q));
UDEV(int, udev_queue_get_queue_is_empty, (struct udev_queue * q), (q));
UDEV(int, udev_queue_get_fd, (struct udev_queue * q), (q));
UDEV(int, udev_queue_flush, (struct udev_queue * q), (q));

#define XML(type, name, parameters, arguments) DEFINE(LIBXML, type, name, parameters, arguments)

XML(void, xmlSetGenericErrorFunc, (void *context, xmlGenericErrorFunc handler), (context, handler));
XML(xmlParserCtxtPtr, xmlCreateIOParserCtxt,
        (xmlSAXHandlerPtr sax, void *userdata, xmlInputReadCallback on_read,
                xmlInputCloseCallback on_close, void *context, xmlCharEncoding encoding),
        (sax, userdata, on_read, on_close, context, encoding));
XML(int, xmlCtxtUseOptions, (xmlParserCtxtPtr context, int options), (context, options));
XML(int, xmlParseDocument, (xmlParserCtxtPtr context), (context));
XML(void, xmlStopParser, (xmlParserCtxtPtr context), (context));
XML(int, xmlSAX2GetLineNumber, (void *context), (context));
XML(void, xmlFreeDoc, (xmlDocPtr doc), (doc));
XML(void, xmlFreeParserCtxt, (xmlParserCtxtPtr context), (context));

int sd_journal_sendv_with_location(
        const char *file, const char *line, const char *func, const struct iovec *iov, int n) {
        __typeof__(&sd_journal_sendv_with_location) function =
                find(LIBSYSTEMD, "sd_journal_sendv_with_location");

        return function ? function(file, line, func, iov, n) : -EOPNOTSUPP;
}

int sd_pid_get_unit(pid_t pid, char **unit) {
        __typeof__(&sd_pid_get_unit) function = find(LIBSYSTEMD, "sd_pid_get_unit");

        return function ? function(pid, unit) : -EOPNOTSUPP;
}

/* libvirt's hook has no NOTIFY_SOCKET, and then there is nobody to notify. */
int sd_notifyf(int unset_environment, const char *format, ...) {
        _cleanup_free_ char *state = NULL;
        __typeof__(&sd_notify) function;
        va_list ap;
        int r;

        if (!getenv("NOTIFY_SOCKET"))
                return 0;
        function = find(LIBSYSTEMD, "sd_notify");
        if (!function)
                return -EOPNOTSUPP;

        va_start(ap, format);
        r = vasprintf(&state, format, ap);
        va_end(ap);
        return r < 0 ? -ENOMEM : function(unset_environment, state);
}

#pragma GCC visibility pop
