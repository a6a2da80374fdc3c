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

static char device_address[FIELD_MAX] = "";
static char domain_name[FIELD_MAX] = "";
static char other_unit[FIELD_MAX] = "";

static void set(char *field, const char *value) {
        snprintf(field, FIELD_MAX, "%s", value ?: "");
}

void log_set_device(const char *address) {
        set(device_address, address);
}

void log_set_domain(const char *name) {
        set(domain_name, name);
}

void log_set_unit(const char *unit) {
        set(other_unit, unit);
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

static int send_to_journal(int level, const Event *event, const char *message) {
        char priority[] = {(char)('0' + level), '\0'}, holder_pid[16] = "";
        const struct {
                const char *name, *value; /* without a value it is left out */
        } fields[] = {
                {"PRIORITY", priority},
                {"OBJECT_SYSTEMD_UNIT", *other_unit ? other_unit : own_unit()},
                {"MESSAGE_ID", event->id},
                {JOURNAL_DEVICE, device_address},
                {JOURNAL_DOMAIN, domain_name},
                {JOURNAL_DRIVER, event->driver},
                {JOURNAL_HOLDER_PID, holder_pid},
                {JOURNAL_HOLDER_UNIT, event->holder_unit},
        };
        enum { N_FIELDS = sizeof(fields) / sizeof(*fields) };
        char text[MESSAGE_MAX + sizeof("MESSAGE=")], buffers[N_FIELDS][FIELD_MAX];
        struct iovec iov[1 + N_FIELDS];
        int n = 0;

        if (event->holder_pid > 0)
                snprintf(holder_pid, sizeof(holder_pid), "%d", (int)event->holder_pid);

        iov[n++] = field(text, sizeof(text), "MESSAGE", message);
        for (size_t i = 0; i < N_FIELDS; i++)
                if (fields[i].value && *fields[i].value)
                        iov[n++] = field(buffers[i], FIELD_MAX, fields[i].name, fields[i].value);

        return sd_journal_sendv(iov, n);
}

static void write_message(int level, const Event *event, const char *message) {
        bool plain = !stderr_is_journal();

        if (level >= LOG_DEBUG && !getenv("GPU_GUEST_DEBUG"))
                return;
        if (!plain || (event->id && *other_unit))
                plain |= send_to_journal(level, event, message) < 0;
        if (plain)
                fprintf(stderr, "%s: %s\n", program_invocation_short_name, message);
}

/* A line of its own would be another field, and systemd believes what comes from root. */
static void set_status(const char *message) {
        (void)sd_notifyf(0, "STATUS=%.*s", (int)strcspn(message, "\n"), message);
}

int log_full(int level, const Event *event, int error, const char *format, ...) {
        char message[MESSAGE_MAX];
        va_list ap;

        error = abs(error);
        errno = error; /* for %m */

        va_start(ap, format);
        vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);

        write_message(level, event, message);
        if (level <= LOG_ERR)
                set_status(message);

        return -error;
}

void log_progress_event(const Event *event, const char *format, ...) {
        const char *result = getenv("SERVICE_RESULT");
        char message[MESSAGE_MAX];
        va_list ap;

        va_start(ap, format);
        vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);

        write_message(LOG_INFO, event, message);
        if (!result || strcmp(result, "success") == 0)
                set_status(message);
}
