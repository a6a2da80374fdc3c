/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The record in /run. Only root writes there, but a record may be cut short, come from another
 * version, or have been edited: it is parsed as if a stranger had written it.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "names.h"
#include "pci-address.h"
#include "record.h"

#define RECORD_MAX 4096
#define LOCK_FIRST_PAUSE_MS 10
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
#define NAME_SIZE_MAX 63 /* MODULE_NAME_LEN is 56 or 60 */

/* Who can open the directory for reading can lock it, so its mode lets nobody but root; for the
 * records in it, this is not needed (O_PATH). */
static int open_directory(int access, bool create) {
        int fd = open(RUNTIME_DIR, access | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0 && errno == ENOENT && create &&
                (mkdir(RUNTIME_DIR, 0711) >= 0 || errno == EEXIST))
                return open_directory(access, false);
        return fd < 0 ? -errno : fd;
}

int record_lock(int timeout_ms) {
        uint64_t deadline = clock_deadline(timeout_ms);
        _cleanup_close_ int dir = open_directory(O_RDONLY, true);
        int fd;

        if (dir < 0)
                return dir;
        for (int pause = LOCK_FIRST_PAUSE_MS; flock(dir, LOCK_EX | LOCK_NB) < 0; pause *= 2) {
                int left;

                if (errno != EWOULDBLOCK)
                        return -errno;
                left = clock_remaining(deadline);
                if (left == 0)
                        return -ETIMEDOUT;
                (void)poll(NULL, 0, left < pause ? left : pause);
        }

        fd = dir;
        dir = -1;
        return fd;
}

static int write_all(int fd, const char *text) {
        size_t size = strlen(text);

        while (size > 0) {
                ssize_t n = write(fd, text, size);

                if (n < 0)
                        return -errno;
                text += n;
                size -= (size_t)n;
        }
        return 0;
}

/* Whatever lies there, e.g. from a helper that was killed, is not written to. */
static int create_file(int dir, const char *name) {
        int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, fd = openat(dir, name, flags, 0644);

        if (fd < 0 && errno == EEXIST && unlinkat(dir, name, 0) >= 0)
                fd = openat(dir, name, flags, 0644);
        return fd < 0 ? -errno : fd;
}

/* A record is written under this name first. */
typedef struct Temporary {
        char name[64];
} Temporary;

static Temporary temporary(const char *record) {
        Temporary t;

        snprintf(t.name, sizeof(t.name), ".%s.new", record);
        return t;
}

int record_write(const char *name, const char *text) {
        _cleanup_close_ int dir = -1, fd = -1;
        const Temporary new = temporary(name);
        int r;

        dir = open_directory(O_PATH, true);
        if (dir < 0)
                return dir;
        fd = create_file(dir, new.name);
        if (fd < 0)
                return fd;

        r = write_all(fd, text);
        if (r >= 0 && renameat(dir, new.name, dir, name) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(dir, new.name, 0);
        return r;
}

/* Cuts the text into lines; every one must end. */
static int split_lines(char *text, char ***ret) {
        _cleanup_strv_free_ char **lines = NULL;
        size_t n = 0, count = 1;

        for (const char *p = text; *p; p++)
                count += *p == '\n';
        lines = calloc(count, sizeof(char *));
        if (!lines)
                return -ENOMEM;

        while (*text) {
                char *end = strchr(text, '\n');

                if (!end)
                        return -EBADMSG;
                lines[n] = strndup(text, (size_t)(end - text));
                if (!lines[n])
                        return -ENOMEM;
                n++;
                text = end + 1;
        }

        *ret = lines;
        lines = NULL;
        return (int)n;
}

int record_read(const char *name, char ***ret) {
        _cleanup_close_ int dir = -1, fd = -1;
        char text[RECORD_MAX + 1];
        struct stat st;
        ssize_t size;
        int r;

        dir = open_directory(O_PATH, false);
        if (dir < 0)
                return dir;
        fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) {
                r = -errno;
                /* who was killed before the record was complete has not changed anything either */
                if (r == -ENOENT)
                        (void)unlinkat(dir, temporary(name).name, 0);
                return r;
        }
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        size = read(fd, text, sizeof(text));
        if (size < 0)
                return -errno;
        if (size > RECORD_MAX || memchr(text, '\0', (size_t)size))
                return -EBADMSG;
        text[size] = '\0';

        return split_lines(text, ret);
}

static int append(char **text, const char *line) {
        _cleanup_free_ char *before = *text;

        if (asprintf(text, "%s%s\n", before ?: "", line) >= 0)
                return 0;
        *text = NULL;
        return -ENOMEM;
}

int record_add(const char *name, const char *format, ...) {
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_free_ char *text = NULL, *line = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&line, format, ap);
        va_end(ap);
        if (r < 0)
                return -ENOMEM;

        r = record_read(name, &lines);
        for (char **l = lines; r > 0 && *l; l++) {
                if (strcmp(*l, line) == 0)
                        return 0;
                if (append(&text, *l) < 0)
                        return -ENOMEM;
        }
        if (append(&text, line) < 0)
                return -ENOMEM;
        return record_write(name, text);
}

int record_remove(const char *name) {
        _cleanup_close_ int dir = open_directory(O_PATH, false);

        if (dir == -ENOENT)
                return 0;
        if (dir < 0)
                return dir;
        (void)unlinkat(dir, temporary(name).name, 0);
        return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

void binding_done(Binding *b) {
        free(b->address);
        free(b->driver);
        free(b->module);
        *b = (Binding){};
}

/* Takes the next word of the line, which ends with this, as one that a driver or module may be
 * called. */
static int next_name(const char **line, char end, char **ret) {
        size_t n = strspn(*line, NAME_CHARS);
        char *name = NULL;

        if (n == 0 || n > NAME_SIZE_MAX || (*line)[n] != end)
                return -EBADMSG;
        if (n != 1 || **line != '-') {
                name = strndup(*line, n);
                if (!name)
                        return -ENOMEM;
        }

        *line += n + (end != '\0');
        *ret = name;
        return 0;
}

int binding_parse(const char *line, Binding *ret) {
        _cleanup_(binding_done) Binding b = {};
        size_t n = strcspn(line, " ");
        PciAddress a;
        int r;

        b.address = strndup(line, n);
        if (!b.address)
                return -ENOMEM;
        if (line[n] != ' ' || pci_address_parse(b.address, &a) < 0)
                return -EBADMSG;

        line += n + 1;
        r = next_name(&line, ' ', &b.driver);
        if (r >= 0)
                r = next_name(&line, '\0', &b.module);
        if (r < 0)
                return r;

        *ret = b;
        b = (Binding){};
        return 0;
}

char *binding_format(const Binding *b) {
        char *line;

        if (asprintf(&line, "%s %s %s\n", b->address, b->driver ?: "-", b->module ?: "-") < 0)
                return NULL;
        return line;
}
