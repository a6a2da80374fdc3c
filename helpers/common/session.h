/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The graphical sessions of a seat, by logind. Text logins and SSH sessions are not among them. */

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

/* Lists the ids of the seat's graphical sessions (type x11, wayland or mir), the caller's to free.
 * Returns their number, 0 also where logind knows no such seat, or a negative errno. */
int session_list_graphical(const char *seat, char ***ret);

/* Is this session graphical? */
bool session_is_graphical(const char *id);

/* Describes a session for a person: "session 2 of user anna (x11, started by lightdm)"; the
 * caller's to free, NULL when memory is out. */
char *session_describe(const char *id);

/* Has logind end a session and its processes. Gone already is success. */
int session_terminate(sd_bus *bus, const char *id);

/* Waits until the seat has no graphical session any more, at most timeout_ms. Returns 0,
 * -ETIMEDOUT, or another negative errno. */
int session_wait_none(const char *seat, int timeout_ms);

/* Waits until the user has the seat's active session, at most timeout_ms. Returns 0, -ETIMEDOUT, or
 * another negative errno. */
int session_wait_user(uid_t uid, const char *seat, int timeout_ms);

/* Waits until the seat has a screen (CanGraphical, org.freedesktop.login1(5)), at most timeout_ms.
 * Returns 0, -ETIMEDOUT, or another negative errno, -ENXIO where logind knows no such seat. */
int seat_wait_graphical(sd_bus *bus, const char *seat, int timeout_ms);
