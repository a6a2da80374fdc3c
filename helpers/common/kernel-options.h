/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Does the kernel's command line have this word ("nomodeset")? Returns 1, 0, or a negative errno.
 */
int kernel_has_option(const char *option);

/* Gives the unit that the kernel's command line says to boot into instead of the default target, by
 * systemd.unit= or by one of the old words ("3", "single", ...; kernel-command-line(7)), the
 * caller's to free. Returns 1; 0 if it says nothing; or a negative errno. */
int kernel_get_target(char **ret);

/* Is the kernel told not to load this module ("module_blacklist=i915,xe")? Unlike modprobe's, this
 * blacklist is the kernel's own: nobody can load it then. Takes the name as the kernel has it, with
 * "_". Returns 1 with the option as it stands there, the caller's to free; 0; or a negative errno.
 */
int kernel_forbids_module(const char *name, char **ret_option);
