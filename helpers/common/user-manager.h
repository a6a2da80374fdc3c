/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A user's service manager (user@UID.service), on that user's bus. All of this happens in a child
 * process with the rights of the user, and with a deadline: whatever answers there is theirs. */

#include <sys/types.h>

/* Stops a unit, without waiting for its end. Returns 0 or a negative errno, -ENOENT or
 * -ECONNREFUSED if the user has no manager. */
int user_manager_stop(uid_t uid, const char *unit);

/* Starts a unit; as above. */
int user_manager_start(uid_t uid, const char *unit);

/* Is the unit part of a graphical session, which ends with it? Returns 1, 0, or a negative errno.
 */
int user_manager_is_graphical(uid_t uid, const char *unit);
