/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One line per event, to the journal when standard error is the journal, to standard error
 * otherwise. Only a helper's main file logs above debug; common/ returns errors. */

#include <syslog.h>

/* Name the device every later message is about (GPU_GUEST_DEVICE= in the journal). The string is
 * not copied. */
void log_set_device(const char *address);

/* The same for the domain (GPU_GUEST_DOMAIN=). */
void log_set_domain(const char *name);

/* Log a message; error, if not 0, is an errno of either sign that %m in the format refers to.
 * At LOG_ERR and above the message also becomes the unit's status text (STATUS=), so that
 * "systemctl status" and the libvirt hook can say why a step failed. Returns -abs(error). */
int log_full(int level, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_debug(...) ((void)log_full(LOG_DEBUG, 0, __VA_ARGS__))
#define log_info(...) ((void)log_full(LOG_INFO, 0, __VA_ARGS__))
#define log_notice(...) ((void)log_full(LOG_NOTICE, 0, __VA_ARGS__))
#define log_warning(...) ((void)log_full(LOG_WARNING, 0, __VA_ARGS__))
#define log_error(...) ((void)log_full(LOG_ERR, 0, __VA_ARGS__))

#define log_debug_errno(error, ...) log_full(LOG_DEBUG, error, __VA_ARGS__)
#define log_info_errno(error, ...) log_full(LOG_INFO, error, __VA_ARGS__)
#define log_warning_errno(error, ...) log_full(LOG_WARNING, error, __VA_ARGS__)
#define log_error_errno(error, ...) log_full(LOG_ERR, error, __VA_ARGS__)

#define log_oom() log_error_errno(ENOMEM, "Out of memory.")

/* Say what is being waited for: an info message and the unit's status text. While a failed unit
 * is being undone (SERVICE_RESULT= of systemd.exec(5) is not "success") the status text is left
 * alone: it holds the reason of the failure. */
void log_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
