/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Text consoles on which somebody is logged in without being asked, as hosts without a display
 * manager have them: the login shell becomes the compositor. When that ends, agetty(8) logs in
 * again. */

#include <sys/types.h>
#include <systemd/sd-bus.h>

/* Before a session is ended: if it is such a login, stops its getty, which has it started again
 * after the guest (RECORD_HOLDERS). pid is who has the card open there, 0 if that is not known.
 * Returns 1 if there was one, 0 if not; or says why not, and returns a negative errno. */
int getty_keep_out(sd_bus *bus, const char *session, pid_t pid);
