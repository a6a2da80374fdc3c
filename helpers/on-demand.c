/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loads libxml2 and libsystemd when they are first used, for gpu-guest-lease. libvirt runs that for
 * every domain of the host, and seldom is either of them needed: libxml2 for XML that libvirt has
 * not written, libsystemd for a message. With what they need themselves, ICU among it, loading them
 * takes several times as long as all the rest.
 *
 * The functions have the libraries' names and stand before them where the program is linked, so
 * that nothing else has to know. Other programs are linked to the libraries as usual, and so
 * packages depend on them.
 *
 * Without libxml2 a domain's XML may not be readable: that is said, and fails. Without libsystemd a
 * message goes to standard error.
 */

#include <dlfcn.h>
#include <errno.h>
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

#if LIBXML_VERSION >= 21400
#define LIBXML "libxml2.so.16"
#else
#define LIBXML "libxml2.so.2"
#endif
#define LIBSYSTEMD "libsystemd.so.0"

/* what is hidden here is not found by the libraries, which use the same names */
#pragma GCC visibility push(hidden)

/* Finds a function; NULL, and *ret_reason is set, if it or its library is not there. A library that
 * is loaded already is not loaded again. */
static void *find(const char *library, const char *name, const char **ret_reason) {
        void *handle = dlopen(library, RTLD_NOW | RTLD_NODELETE), *function = NULL;

        if (handle)
                function = dlsym(handle, name);
        if (!function)
                *ret_reason = dlerror();
        return function;
}

static void *find_xml(const char *name) {
        const char *reason = NULL;
        void *function = find(LIBXML, name, &reason);

        if (!function) {
                fprintf(stderr, "%s: %s\n", program_invocation_short_name, reason);
                exit(EXIT_FAILURE);
        }
        return function;
}

#define xml(function) ((__typeof__(&function))find_xml(#function))

void xmlSetGenericErrorFunc(void *ctx, xmlGenericErrorFunc handler) {
        xml(xmlSetGenericErrorFunc)(ctx, handler);
}

xmlParserCtxtPtr xmlCreateIOParserCtxt(xmlSAXHandlerPtr sax, void *user_data,
        xmlInputReadCallback ioread, xmlInputCloseCallback ioclose, void *ioctx,
        xmlCharEncoding enc) {
        return xml(xmlCreateIOParserCtxt)(sax, user_data, ioread, ioclose, ioctx, enc);
}

int xmlCtxtUseOptions(xmlParserCtxtPtr ctxt, int options) {
        return xml(xmlCtxtUseOptions)(ctxt, options);
}

int xmlParseDocument(xmlParserCtxtPtr ctxt) {
        return xml(xmlParseDocument)(ctxt);
}

void xmlStopParser(xmlParserCtxtPtr ctxt) {
        xml(xmlStopParser)(ctxt);
}

int xmlSAX2GetLineNumber(void *ctx) {
        return xml(xmlSAX2GetLineNumber)(ctx);
}

void xmlFreeDoc(xmlDocPtr cur) {
        xml(xmlFreeDoc)(cur);
}

void xmlFreeParserCtxt(xmlParserCtxtPtr ctxt) {
        xml(xmlFreeParserCtxt)(ctxt);
}

static void *find_sd(const char *name) {
        const char *reason;

        return find(LIBSYSTEMD, name, &reason);
}

#define sd(function) ((__typeof__(&function))find_sd(#function))

int sd_journal_sendv_with_location(
        const char *file, const char *line, const char *func, const struct iovec *iov, int n) {
        __typeof__(&sd_journal_sendv_with_location) function = sd(sd_journal_sendv_with_location);

        return function ? function(file, line, func, iov, n) : -EOPNOTSUPP;
}

int sd_pid_get_unit(pid_t pid, char **unit) {
        __typeof__(&sd_pid_get_unit) function = sd(sd_pid_get_unit);

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
        function = sd(sd_notify);
        if (!function)
                return -EOPNOTSUPP;

        va_start(ap, format);
        r = vasprintf(&state, format, ap);
        va_end(ap);
        return r < 0 ? -ENOMEM : function(unset_environment, state);
}

#pragma GCC visibility pop
