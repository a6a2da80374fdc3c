/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One line per event, to the journal when standard error is the journal, to standard error
 * otherwise. Only a helper's main file logs above debug; common/ returns errors. */

#include <sys/types.h>
#include <syslog.h>

/* What a message is about, beside its text. A member that is not set is left out. */
typedef struct Event {
        const char *id;          /* MESSAGE_ID=, of message-ids.h: "journalctl -x" explains it */
        const char *driver;      /* GPU_GUEST_DRIVER=, which has the device or is to have it */
        pid_t holder_pid;        /* GPU_GUEST_HOLDER_PID=, who has it open */
        const char *holder_unit; /* GPU_GUEST_HOLDER_UNIT=, and in which unit */
} Event;

#define EVENT(...) (&(const Event){__VA_ARGS__})

/* Name the device every later message is about (GPU_GUEST_DEVICE= in the journal), NULL: none. */
void log_set_device(const char *address);

/* The same for the domain (GPU_GUEST_DOMAIN=). */
void log_set_domain(const char *name);

/* The same for the unit, if that is not the one which the program runs in. Messages with an ID then
 * reach the journal wherever standard error goes: what a hook says there, libvirt shows to whoever
 * starts the guest, and nobody keeps it. */
void log_set_unit(const char *unit);

/* Log a message; error, if not 0, is an errno of either sign that %m in the format refers to.
 * At LOG_ERR and above the message also becomes the unit's status text (STATUS=), so that
 * "systemctl status" and the libvirt hook can say why a step failed. Returns -abs(error). */
int log_full(int level, const Event *event, int error, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

#define log_debug(...) ((void)log_full(LOG_DEBUG, EVENT(), 0, __VA_ARGS__))
#define log_info(...) ((void)log_full(LOG_INFO, EVENT(), 0, __VA_ARGS__))
#define log_notice(...) ((void)log_full(LOG_NOTICE, EVENT(), 0, __VA_ARGS__))
#define log_warning(...) ((void)log_full(LOG_WARNING, EVENT(), 0, __VA_ARGS__))
#define log_error(...) ((void)log_full(LOG_ERR, EVENT(), 0, __VA_ARGS__))

#define log_debug_errno(error, ...) log_full(LOG_DEBUG, EVENT(), error, __VA_ARGS__)
#define log_info_errno(error, ...) log_full(LOG_INFO, EVENT(), error, __VA_ARGS__)
#define log_warning_errno(error, ...) log_full(LOG_WARNING, EVENT(), error, __VA_ARGS__)
#define log_error_errno(error, ...) log_full(LOG_ERR, EVENT(), error, __VA_ARGS__)

/* With EVENT(MESSAGE_..., .holder_pid = ...) before the rest. */
#define log_info_event(event, ...) ((void)log_full(LOG_INFO, event, 0, __VA_ARGS__))
#define log_notice_event(event, ...) ((void)log_full(LOG_NOTICE, event, 0, __VA_ARGS__))
#define log_warning_event(event, error, ...) log_full(LOG_WARNING, event, error, __VA_ARGS__)
#define log_error_event(event, error, ...) log_full(LOG_ERR, event, error, __VA_ARGS__)

#define log_oom() log_error_errno(ENOMEM, "Out of memory.")

/* Say what is being waited for: an info message and the unit's status text. While a failed unit
 * is being undone (SERVICE_RESULT= of systemd.exec(5) is not "success") the status text is left
 * alone: it holds the reason of the failure. */
void log_progress_event(const Event *event, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

#define log_progress(...) log_progress_event(EVENT(), __VA_ARGS__)
