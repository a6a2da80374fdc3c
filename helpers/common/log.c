/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages for people, on the journal's own protocol where standard error is connected to it
 * (JOURNAL_STREAM= names that stream's device and inode, systemd.exec(5)), so that priority and
 * fields survive; as plain lines for whoever runs a helper by hand.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "log.h"
#include "names.h"

#define MESSAGE_MAX 2048
#define FIELD_MAX 512

static const char *device_address = NULL;
static const char *domain_name = NULL;

void log_set_device(const char *address) {
        device_address = address;
}

void log_set_domain(const char *name) {
        domain_name = name;
}

static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;

        return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
               fstat(STDERR_FILENO, &st) >= 0 && st.st_dev == device && st.st_ino == inode;
}

static struct iovec field(char *buffer, size_t size, const char *name, const char *value) {
        int n = snprintf(buffer, size, "%s=%s", name, value);

        return (struct iovec){buffer, n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1};
}

/* The journal asks /proc which unit a message is from, and finds nothing for the last words of a
 * process that has ended by then. With this field "journalctl -u" and "systemctl status" show them
 * all the same (systemd.journal-fields(7)). */
static const char *own_unit(void) {
        static char *unit = NULL;

        if (!unit)
                (void)sd_pid_get_unit(0, &unit);
        return unit;
}

static int send_to_journal(int level, const char *message) {
        char text[MESSAGE_MAX + sizeof("MESSAGE=")], priority[sizeof("PRIORITY=7")];
        char device[FIELD_MAX], domain[FIELD_MAX], unit[FIELD_MAX];
        struct iovec iov[5];
        int n = 0;

        iov[n++] = field(text, sizeof(text), "MESSAGE", message);
        iov[n++] = field(
                priority, sizeof(priority), "PRIORITY", (const char[]){(char)('0' + level), '\0'});
        if (device_address)
                iov[n++] = field(device, sizeof(device), JOURNAL_DEVICE, device_address);
        if (domain_name)
                iov[n++] = field(domain, sizeof(domain), JOURNAL_DOMAIN, domain_name);
        if (own_unit())
                iov[n++] = field(unit, sizeof(unit), "OBJECT_SYSTEMD_UNIT", own_unit());

        return sd_journal_sendv(iov, n);
}

static void write_message(int level, const char *message) {
        if (level >= LOG_DEBUG && !getenv("GPU_GUEST_DEBUG"))
                return;
        if (stderr_is_journal() && send_to_journal(level, message) >= 0)
                return;

        fprintf(stderr, "%s: %s\n", program_invocation_short_name, message);
}

int log_full(int level, int error, const char *format, ...) {
        char message[MESSAGE_MAX];
        va_list ap;

        error = abs(error);
        errno = error; /* for %m */

        va_start(ap, format);
        vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);

        write_message(level, message);
        if (level <= LOG_ERR)
                (void)sd_notifyf(0, "STATUS=%s", message);

        return -error;
}

void log_progress(const char *format, ...) {
        const char *result = getenv("SERVICE_RESULT");
        char message[MESSAGE_MAX];
        va_list ap;

        va_start(ap, format);
        vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);

        write_message(LOG_INFO, message);
        if (!result || strcmp(result, "success") == 0)
                (void)sd_notifyf(0, "STATUS=%s", message);
}
