/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Kernel modules, through libkmod. */

/* Loads a module, or what an alias ("pci:v00008086d...") stands for, with what it depends on, as
 * modprobe does. A blacklist applies to aliases only. Loaded or built in already is success.
 * Returns 0, -ENOENT if there is no such module, or a negative errno. */
int module_load(const char *name);

/* The same, and no blacklist applies. Who keeps a GPU's driver from being loaded at boot, as guides
 * to passthrough have it, still wants it when the GPU is to be the host's. */
int module_load_blacklisted(const char *name);

/* Is there such a module, loaded, built in or on disk? Returns 1, 0, or a negative errno. */
int module_exists(const char *name);

/* Is there such a module on disk, or one that this alias stands for, that the kernel is told never
 * to load? Returns 1 with the kernel's option, the caller's to free; 0; or a negative errno. */
int module_find_forbidden(const char *name, char **ret_option);

/* Has modprobe been told to run a command instead of loading this module (modprobe.d(5),
 * "install")? Returns 1 with the command, the caller's to free, 0, or a negative errno. */
int module_find_install(const char *name, char **ret_command);

/* Unloads a module, without force. Not loaded is success. A count that is just about to drop has no
 * event to wait for: the kernel is asked again, for half a second at most. Returns 0, -EBUSY if
 * something still uses it (*ret_users, the caller's to free, says what: "snd_hda_intel" or "2
 * references"), -EPERM if it is built in, -ENOENT if it could not be loaded again because the
 * running kernel's modules are not on disk any more, -ETIMEDOUT if the kernel has not come to an
 * end with it in twenty seconds, or another negative errno. */
int module_unload(const char *name, char **ret_users);
