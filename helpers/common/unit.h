/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service manager, on the system bus (org.freedesktop.systemd1(5)). */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

/* Gives the manager's state ("running", "degraded", "stopping", ...), the caller's to free. */
int manager_get_state(sd_bus *bus, char **ret);

/* Gives the unit that default.target stands for, the caller's to free. */
int manager_get_default_target(sd_bus *bus, char **ret);

/* Are these two names of one unit ("lightdm.service", "display-manager.service")? Returns 1, 0, or
 * a negative errno. */
int unit_is_same(sd_bus *bus, const char *unit, const char *other);

/* Gives the unit's state ("active", "deactivating", "inactive", ...), the caller's to free. */
int unit_get_state(sd_bus *bus, const char *unit, char **ret);

/* Gives what a service says of itself (STATUS=, sd_notify(3)), "" for nothing, the caller's to
 * free.
 */
int unit_get_text(sd_bus *bus, const char *unit, char **ret);

/* Does the manager know the unit? Returns 1, 0, or a negative errno; *ret_stale tells whether its
 * file has changed since. */
int unit_is_known(sd_bus *bus, const char *unit, bool *ret_stale);

/* Gives a service's main process, 0 if it has none, and when it last was started, or reloaded with
 * success (CLOCK_REALTIME). Returns 0 or a negative errno. */
int unit_get_main(sd_bus *bus, const char *unit, pid_t *ret_pid, uint64_t *ret_since_us);

/* Gives the words of a service's command (ExecStart=, the first if there are several), as its unit
 * file has them; NULL if it has none. The caller's to free. Returns 0 or a negative errno. */
int unit_get_command(sd_bus *bus, const char *unit, char ***ret);

/* Does the unit go when a unit goes whose name begins like this (Requires=, Requisite=, BindsTo=,
 * PartOf=), or a target on which that depends? Returns 1, 0, or a negative errno. */
int unit_requires_any(sd_bus *bus, const char *unit, const char *prefix);

/* Would a start of the unit stop the other one, or the other way round (Conflicts=)? Returns 1, 0,
 * or a negative errno. */
int unit_excludes(sd_bus *bus, const char *unit, const char *other);

/* Was the unit active a moment ago? Returns 1 if it is active, on its way there or back, or became
 * inactive at most within_ms ago; 0 if not, or if there is no such unit; or a negative errno. */
int unit_was_active(sd_bus *bus, const char *unit, unsigned within_ms);

/* Forgets that the unit failed, and how often it was started lately. Not loaded is success. */
int unit_reset_failed(sd_bus *bus, const char *unit);

/* Is a start of the unit queued that has not begun? (The job of a start that has failed is still
 * there, and under way, while the unit's ExecStopPost= runs.) Returns 1, 0, or a negative errno. */
int unit_start_is_queued(sd_bus *bus, const char *unit);

/* Queues a start of the unit and does not wait for it. Queued jobs that it contradicts are dropped.
 * (The mode "fail" would not do: it lets a start go ahead beside the queued start of a unit that
 * has a Conflicts= on it.) Returns 0 or a negative errno; *ret_reason, if not NULL, is the
 * manager's own explanation, the caller's to free. */
int unit_queue_start(sd_bus *bus, const char *unit, char **ret_reason);

/* Queues a stop of the unit and does not wait for it. As above. */
int unit_queue_stop(sd_bus *bus, const char *unit, char **ret_reason);
