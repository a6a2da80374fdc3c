/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded into a helper: counts the calls by which it changes something, and lets one of them go
 * wrong. Those are
 *
 *   write           to a file in /sys or /run/gpu-guest
 *   rename, unlink, mkdir in /run/gpu-guest, if there is something to remove or to make
 *   module          to load or unload a kernel module
 *   kill            to signal another process
 *   bus             a method of systemd's or logind's that is none of Get..., List..., Load...
 *
 * A program in another directory than the helpers', as "sh" of a unit, is left alone. The count is
 * shared with what the helper forks, for it may leave a write to a child.
 *
 * GPU_GUEST_INJECT=log: append a line for each call to the file GPU_GUEST_INJECT_LOG. Its fields,
 * with tabs between them: GPU_GUEST_INJECT_UNIT, the command line, N, the call, path, value.
 *
 * GPU_GUEST_INJECT=N:WHAT: the N-th call. WHAT is kill-before or kill-after (SIGKILL for the
 * helper, and for the child that called), or the name of the error that it returns.
 *
 * GPU_GUEST_INJECT_FOR: only in a helper that was started by this command line, for example
 * "audio-unbind --restore".
 *
 * GPU_GUEST_INJECT_ONCE: a file that is made when the call goes wrong. While it is there no other
 * does.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HELPERS "/usr/libexec/gpu-guest/"
#define RECORDS "/run/gpu-guest"

typedef struct sd_bus sd_bus;
typedef struct sd_bus_error sd_bus_error;
typedef struct sd_bus_message sd_bus_message;

static const struct {
        const char *name;
        int number;
} errors[] = {{"EIO", EIO}, {"EBUSY", EBUSY}, {"ENODEV", ENODEV}};

enum { NOTHING, KILL_BEFORE, KILL_AFTER, FAIL };

static unsigned *count; /* of calls so far; NULL: this program is none of ours */
static pid_t helper;
static bool log_calls;
static unsigned target;
static int act, error;

/* What the libraries call, below what is interposed here. */

static ssize_t real_write(int fd, const void *data, size_t size) {
        static ssize_t (*next)(int, const void *, size_t);

        if (!next)
                next = dlsym(RTLD_NEXT, "write");
        return next(fd, data, size);
}

static void append(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

        if (fd < 0)
                return;
        (void)real_write(fd, text, strlen(text));
        close(fd);
}

/* The command line, its words joined by spaces and without the program's directory. */
static void read_command_line(char *ret, size_t size) {
        int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
        char text[512];
        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
        const char *name;

        if (fd >= 0)
                close(fd);
        text[n < 0 ? 0 : n] = '\0';
        for (ssize_t i = 0; i + 1 < n; i++)
                if (text[i] == '\0')
                        text[i] = ' ';
        name = strstr(text, HELPERS);
        snprintf(ret, size, "%s", name == text ? text + strlen(HELPERS) : text);
}

static bool parse(const char *text) {
        char *what;

        if (strcmp(text, "log") == 0)
                return log_calls = true;
        target = (unsigned)strtoul(text, &what, 10);
        if (*what++ != ':')
                return false;
        if (strcmp(what, "kill-before") == 0)
                act = KILL_BEFORE;
        else if (strcmp(what, "kill-after") == 0)
                act = KILL_AFTER;
        for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
                if (strcmp(what, errors[i].name) == 0) {
                        act = FAIL;
                        error = errors[i].number;
                }
        return act != NOTHING;
}

static void __attribute__((constructor)) begin(void) {
        const char *how = getenv("GPU_GUEST_INJECT"), *whom = getenv("GPU_GUEST_INJECT_FOR");
        char program[PATH_MAX], command[512];
        ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

        program[n < 0 ? 0 : n] = '\0';
        if (strncmp(program, HELPERS, strlen(HELPERS)) != 0 || !how || !parse(how))
                return;
        read_command_line(command, sizeof(command));
        if (whom && strcmp(whom, command) != 0)
                return;

        helper = getpid();
        count = mmap(
                NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (count == MAP_FAILED)
                count = NULL;
}

static void log_call(unsigned n, const char *call, const char *path, const char *value) {
        const char *log = getenv("GPU_GUEST_INJECT_LOG"), *unit = getenv("GPU_GUEST_INJECT_UNIT");
        char command[512], line[2048];

        if (!log)
                return;
        read_command_line(command, sizeof(command));
        snprintf(line, sizeof(line), "%s\t%s\t%u\t%s\t%s\t%s\n", unit ?: "-", command, n, call,
                path, value);
        append(log, line);
}

/* Whether this is the first that goes wrong; notes it. */
static bool is_first(void) {
        const char *once = getenv("GPU_GUEST_INJECT_ONCE");
        int fd;

        if (!once)
                return true;
        fd = open(once, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0)
                return false;
        close(fd);
        return true;
}

static void __attribute__((noreturn)) end(void) {
        (void)syscall(SYS_kill, helper, SIGKILL);
        for (;;)
                (void)syscall(SYS_kill, getpid(), SIGKILL);
}

/* Counts a call; value ends at its first line. Says what is to become of it. */
static int met(const char *call, const char *path, const char *value, size_t size) {
        char text[64];
        unsigned n;

        if (!count)
                return NOTHING;
        n = __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
        snprintf(text, sizeof(text), "%.*s", (int)strcspn(value, "\n\t"), value);
        if (size < strlen(text))
                text[size] = '\0';
        if (log_calls)
                log_call(n, call, path, text);
        if (n != target || !is_first())
                return NOTHING;
        if (act == KILL_BEFORE)
                end();
        return act;
}

/* The rest of a call that was met: what it would do, unless it fails. */
#define FINISH(how, type, real)            \
        ({                                 \
                int _how = (how);          \
                type _r = -1;              \
                if (_how == FAIL)          \
                        errno = error;     \
                else                       \
                        _r = (type)(real); \
                if (_how == KILL_AFTER)    \
                        end();             \
                _r;                        \
        })

static bool is_below(const char *path, const char *directory) {
        size_t n = strlen(directory);

        return strncmp(path, directory, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* The path that a name in a directory has. */
static void locate(int dirfd, const char *name, char ret[static PATH_MAX]) {
        char link[64], directory[PATH_MAX / 2] = "";

        if (*name == '/') {
                snprintf(ret, PATH_MAX, "%s", name);
                return;
        }
        if (dirfd == AT_FDCWD)
                snprintf(link, sizeof(link), "/proc/self/cwd");
        else
                snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
        if (readlink(link, directory, sizeof(directory) - 1) < 0)
                *directory = '\0';
        snprintf(ret, PATH_MAX, "%s%s%s", directory, *name ? "/" : "", name);
}

/* exists: what is there already for the call to change something; -1: does not matter. */
static int met_record(
        const char *call, int dirfd, const char *name, const char *value, int exists) {
        char path[PATH_MAX];

        if (!count)
                return NOTHING;
        locate(dirfd, name, path);
        if (!is_below(path, RECORDS) || (exists >= 0 && (access(path, F_OK) == 0) != exists))
                return NOTHING;
        return met(call, path, value, strlen(value));
}

static int met_write(int fd, const void *data, size_t size) {
        char path[PATH_MAX], value[64] = "";

        if (!count)
                return NOTHING;
        locate(fd, "", path);
        if (!is_below(path, "/sys") && !is_below(path, RECORDS))
                return NOTHING;
        memcpy(value, data, size < sizeof(value) - 1 ? size : sizeof(value) - 1);
        return met("write", path, value, size);
}

/* What is interposed. */

ssize_t write(int fd, const void *data, size_t size);
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset);
int rename(const char *from, const char *to);
int renameat(int from_fd, const char *from, int to_fd, const char *to);
int unlink(const char *name);
int unlinkat(int dirfd, const char *name, int flags);
int mkdir(const char *name, mode_t mode);
int mkdirat(int dirfd, const char *name, mode_t mode);
int kill(pid_t pid, int sig);
int pidfd_send_signal(int pidfd, int sig, siginfo_t *info, unsigned flags);
int init_module(const void *image, unsigned long size, const char *options);
int finit_module(int fd, const char *options, int flags);
int delete_module(const char *name, unsigned flags);
long syscall(long number, ...);
int sd_bus_call_method(sd_bus *bus, const char *destination, const char *path,
        const char *interface, const char *member, sd_bus_error *ret_error, sd_bus_message **ret,
        const char *types, ...);

static long next_syscall(long number, const long a[static 6]) {
        static long (*next)(long, ...);

        if (!next)
                next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
        return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

ssize_t write(int fd, const void *data, size_t size) {
        return FINISH(met_write(fd, data, size), ssize_t, real_write(fd, data, size));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
        return FINISH(
                met_write(fd, data, size), ssize_t, syscall(SYS_pwrite64, fd, data, size, offset));
}

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
        return FINISH(met_record("rename", to_fd, to, from, -1), int,
                syscall(SYS_renameat, from_fd, from, to_fd, to));
}

int rename(const char *from, const char *to) {
        return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int dirfd, const char *name, int flags) {
        return FINISH(met_record("unlink", dirfd, name, "", 1), int,
                syscall(SYS_unlinkat, dirfd, name, flags));
}

int unlink(const char *name) {
        return unlinkat(AT_FDCWD, name, 0);
}

int mkdirat(int dirfd, const char *name, mode_t mode) {
        return FINISH(met_record("mkdir", dirfd, name, "", 0), int,
                syscall(SYS_mkdirat, dirfd, name, mode));
}

int mkdir(const char *name, mode_t mode) {
        return mkdirat(AT_FDCWD, name, mode);
}

static int met_signal(const char *call, int whom, int sig) {
        char path[32], value[16];

        if (!count || sig == 0)
                return NOTHING;
        snprintf(path, sizeof(path), "%d", whom);
        snprintf(value, sizeof(value), "%d", sig);
        return met(call, path, value, strlen(value));
}

static int met_module(const char *what, const char *name) {
        return met("module", what, name, strlen(name));
}

/* The file that a module is loaded from, without its directory. */
static int met_module_file(int fd) {
        char path[PATH_MAX];

        locate(fd, "", path);
        return met_module("load", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
}

/* Calls that the C library has no function for come this way, and those of the functions here. */
long syscall(long number, ...) {
        long a[6];
        va_list ap;

        va_start(ap, number);
        for (size_t i = 0; i < 6; i++)
                a[i] = va_arg(ap, long);
        va_end(ap);

        switch (number) {
        case SYS_pidfd_send_signal:
                return FINISH(met_signal("kill", -1, (int)a[1]), long, next_syscall(number, a));
        case SYS_init_module:
                return FINISH(met_module("load", "an image"), long, next_syscall(number, a));
        case SYS_finit_module:
                return FINISH(met_module_file((int)a[0]), long, next_syscall(number, a));
        case SYS_delete_module:
                return FINISH(
                        met_module("unload", (const char *)a[0]), long, next_syscall(number, a));
        default:
                return next_syscall(number, a);
        }
}

int kill(pid_t pid, int sig) {
        return FINISH(met_signal("kill", pid, sig), int, syscall(SYS_kill, pid, sig));
}

int pidfd_send_signal(int pidfd, int sig, siginfo_t *info, unsigned flags) {
        return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, info, flags);
}

int init_module(const void *image, unsigned long size, const char *options) {
        return (int)syscall(SYS_init_module, image, size, options);
}

int finit_module(int fd, const char *options, int flags) {
        return (int)syscall(SYS_finit_module, fd, options, flags);
}

int delete_module(const char *name, unsigned flags) {
        return (int)syscall(SYS_delete_module, name, flags);
}

static int met_method(const char *path, const char *member) {
        static const char *const harmless[] = {"Get", "List", "Load"};

        for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
                if (strncmp(member, harmless[i], strlen(harmless[i])) == 0)
                        return NOTHING;
        return met("bus", member, path, strlen(path));
}

int sd_bus_call_method(sd_bus *bus, const char *destination, const char *path,
        const char *interface, const char *member, sd_bus_error *ret_error, sd_bus_message **ret,
        const char *types, ...) {
        int (*next)(sd_bus *, const char *, const char *, const char *, const char *,
                sd_bus_error *, sd_bus_message **, const char *, va_list) =
                dlsym(RTLD_NEXT, "sd_bus_call_methodv");
        int how = met_method(path, member), r;
        va_list ap;

        if (how == FAIL)
                return -error;
        va_start(ap, types);
        r = next(bus, destination, path, interface, member, ret_error, ret, types, ap);
        va_end(ap);
        if (how == KILL_AFTER)
                end();
        return r;
}
