/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Processes, by a descriptor that no later process can take the place of (pidfd_open(2)). */

#include <sys/types.h>

/* Opens a process. Returns a descriptor, -ESRCH if there is no such process, or another negative
 * errno. */
int process_open(pid_t pid);

/* Waits until a process ends, at most timeout_ms (-1: as long as it takes). Returns 0, -ETIMEDOUT,
 * or another negative errno. A process that is not there has ended. */
int process_wait_end(pid_t pid, int timeout_ms);

/* The same of an open process. */
int process_wait_end_of(int pidfd, int timeout_ms);

/* Sends a signal to an open process. One that has ended already is success. */
int process_signal(int pidfd, int signal);

/* Gives the name the kernel has for a process (/proc/PID/comm), the caller's to free. The process
 * itself may have set it, to whatever it likes: it is made printable (text.h). */
int process_get_name(pid_t pid, char **ret);

/* Has this process killed when its parent, whose PID is given, ends. The kernel forgets it when a
 * process becomes another user (PR_SET_PDEATHSIG in prctl(2)). Returns 0, -ECANCELED if the parent
 * has ended already, or another negative errno. */
int process_end_with(pid_t parent);

/* Calls a function in a child process, for what may sleep in the kernel without end: it returns 0
 * or a negative errno, as this then does. When the time is up the child is left behind and
 * -ETIMEDOUT returned; what it was to do may still happen. -EINTR: the child was killed. It is
 * killed itself when the caller ends, unless it is in the kernel by then. */
int process_call(int (*function)(void *data), void *data, int timeout_ms);

/* Runs a program, found in $PATH, with these descriptors as its standard input, output and error
 * (-1: ours), and waits for its end; it is killed when the time is up. Returns its exit status, or
 * a negative errno: -ETIMEDOUT, -EINTR if it was killed, -ENOENT if there is no such program. */
int process_run(const char *const *argv, const int fds[static 3], int timeout_ms);
