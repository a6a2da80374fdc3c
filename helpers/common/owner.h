/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* To whom a process belongs, by its control group (sd_pid_get_unit(3) and its kin). */

#include <systemd/sd-bus.h>

#include "holders.h"

/* Fills in kind, uid, unit and session of a holder whose pid and name are known. Returns 0 or
 * -ENOMEM. */
int owner_find(Holder *holder);

/* Describes them for a person, "" if there is nothing to say; the caller's to free, NULL when
 * memory is out. */
char *owner_describe(const Holder *holder);

/* Does the holder go when the desktop does? A graphical session's processes do, the display
 * manager's, and what is left to a user's manager. */
bool owner_goes_with_desktop(sd_bus *bus, const Holder *holder);
