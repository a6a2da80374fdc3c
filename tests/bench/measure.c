/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a program, deaf and mute, and prints what it took on one line:
 *
 *   EXIT-STATUS WALL-MICROSECONDS CPU-MICROSECONDS PEAK-KIBIBYTES
 *
 * It is a program of its own, and linked to nothing, since a peak is inherited: what has taken more
 * before it executes a program than that takes is counted as that program's (exec_mmap() in
 * fs/exec.c).
 *
 * Usage: measure PROGRAM [ARGUMENT...]
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now_us(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static long time_us(const struct timeval *t) {
        return t->tv_sec * 1000000L + t->tv_usec;
}

int main(int argc, char *argv[]) {
        struct rusage usage;
        long begin, end;
        int status;
        pid_t pid;

        if (argc < 2) {
                fprintf(stderr, "Usage: measure PROGRAM [ARGUMENT...]\n");
                return 2;
        }
        begin = now_us();
        pid = fork();
        if (pid == 0) {
                int null = open("/dev/null", O_RDWR);

                for (int fd = 0; fd < 3; fd++)
                        (void)dup2(null, fd);
                if (null > 2)
                        close(null);
                execvp(argv[1], argv + 1);
                _exit(127);
        }
        if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
                perror("measure");
                return 1;
        }
        end = now_us();
        printf("%d %ld %ld %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1, end - begin,
                time_us(&usage.ru_utime) + time_us(&usage.ru_stime), usage.ru_maxrss);
        return 0;
}
