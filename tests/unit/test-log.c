/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where messages go: a plain standard error, the service manager's socket, the journal's socket,
 * each in the test's hands. */

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/names.h"
#include "private-run.h"
#include "test.h"

static int saved_stderr = -1, log_fd = -1, notify_fd = -1;

/* For the time of a message standard error is a file of ours. */
static void begin(void) {
        assert_int(ftruncate(log_fd, 0), 0);
        assert_int(lseek(log_fd, 0, SEEK_SET), 0);
        assert_true(dup2(log_fd, STDERR_FILENO) >= 0);
}

static void end(void) {
        assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
}

static void assert_stderr(const char *expected) {
        char text[8192];
        ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);

        assert_true(n >= 0);
        text[n] = '\0';
        assert_str(text, expected);
}

#define logged(statement)  \
        do {               \
                begin();   \
                statement; \
                end();     \
        } while (0)

static int bind_socket(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        assert_true(fd >= 0);
        assert_true(strlen(path) < sizeof(address.sun_path));
        strcpy(address.sun_path, path);
        assert_int(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

/* The next datagram, NULL if there is none; the caller's to free. */
static char *receive(int fd) {
        char *text = calloc(1, 8192);

        assert_true(text);
        if (recv(fd, text, 8191, 0) >= 0)
                return text;
        assert_int(errno, EAGAIN);
        free(text);
        return NULL;
}

static void assert_status(const char *expected) {
        _cleanup_free_ char *text = receive(notify_fd), *more = receive(notify_fd);

        assert_str(text, expected);
        assert_str(more, NULL);
}

static void test_stderr(void) {
        logged(log_info("%s is %d", "one", 1));
        assert_stderr("test-log: one is 1\n");
        logged(log_warning("careful"));
        assert_stderr("test-log: careful\n");

        logged(log_debug("details"));
        assert_stderr("");
        assert_int(setenv("GPU_GUEST_DEBUG", "1", 1), 0);
        logged(log_debug("details"));
        assert_stderr("test-log: details\n");
        assert_int(unsetenv("GPU_GUEST_DEBUG"), 0);
}

static void test_errno(void) {
        int r;

        logged(r = log_error_errno(-ENOENT, "Cannot: %m"));
        assert_int(r, -ENOENT);
        assert_stderr("test-log: Cannot: No such file or directory\n");
        logged(r = log_info_errno(EBUSY, "Cannot: %m"));
        assert_int(r, -EBUSY);
        assert_stderr("test-log: Cannot: Device or resource busy\n");
        logged(r = log_full(LOG_ERR, 0, "no errno"));
        assert_int(r, 0);
        logged(r = log_oom());
        assert_int(r, -ENOMEM);
}

static void test_long_message(void) {
        char message[4096], line[sizeof("test-log: \n") + 2047];

        memset(message, 'x', sizeof(message) - 1);
        message[sizeof(message) - 1] = '\0';
        logged(log_info("%s", message));
        snprintf(line, sizeof(line), "test-log: %.2047s\n", message);
        assert_stderr(line);
}

static void test_status(void) {
        int r;

        assert_int(setenv("NOTIFY_SOCKET", "/run/notify", 1), 0);
        logged(log_info("nothing to tell"));
        logged(log_warning("nothing to tell"));
        assert_status(NULL);
        logged(r = log_error_errno(ENODEV, "Cannot: %m"));
        assert_int(r, -ENODEV);
        assert_status("STATUS=Cannot: No such device");
        logged(log_progress("Waiting for %s.", "you"));
        assert_stderr("test-log: Waiting for you.\n");
        assert_status("STATUS=Waiting for you.");
}

/* While a failed unit is undone its status stays the reason; a new error replaces it. */
static void test_service_result(void) {
        int r;

        assert_int(setenv("SERVICE_RESULT", "exit-code", 1), 0);
        logged(log_progress("Giving it back."));
        assert_stderr("test-log: Giving it back.\n");
        assert_status(NULL);
        logged(r = log_error_errno(EIO, "Cannot give it back."));
        assert_int(r, -EIO);
        assert_status("STATUS=Cannot give it back.");

        assert_int(setenv("SERVICE_RESULT", "success", 1), 0);
        logged(log_progress("Giving it back."));
        assert_status("STATUS=Giving it back.");
        assert_int(unsetenv("SERVICE_RESULT"), 0);
}

/* JOURNAL_STREAM= that names another file than standard error says nothing. */
static void test_other_stream(void) {
        static const char *const streams[] = {"", "1", "1:2", "nonsense", ":", "-1:-1"};

        for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
                assert_int(setenv("JOURNAL_STREAM", streams[i], 1), 0);
                logged(log_info("plain"));
                assert_stderr("test-log: plain\n");
        }
}

/* The journal's protocol: one field per line, here none has a newline in it. */
static void test_journal(void) {
        _cleanup_free_ char *stream = NULL, *plain = NULL, *full = NULL, *none = NULL;
        _cleanup_free_ char *unit = NULL, *field = NULL;
        _cleanup_close_ int fd = -1;
        struct stat st;

        directory_make("/run/systemd/journal");
        fd = bind_socket("/run/systemd/journal/socket");
        assert_int(fstat(log_fd, &st), 0);
        stream = format("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
        assert_int(setenv("JOURNAL_STREAM", stream, 1), 0);

        logged(log_warning("to the journal"));
        assert_stderr("");
        plain = receive(fd);
        assert_true(plain);
        assert_true(strstr(plain, "MESSAGE=to the journal\n"));
        assert_true(strstr(plain, "PRIORITY=4\n"));
        assert_true(strstr(plain, "SYSLOG_IDENTIFIER=test-log\n"));
        assert_true(!strstr(plain, JOURNAL_DEVICE) && !strstr(plain, JOURNAL_DOMAIN));
        if (sd_pid_get_unit(0, &unit) >= 0)
                field = format("\nOBJECT_SYSTEMD_UNIT=%s\n", unit);
        assert_true(field ? !!strstr(plain, field) : !strstr(plain, "OBJECT_SYSTEMD_UNIT"));

        log_set_device("0000:00:02.0");
        log_set_domain("win11");
        logged(log_info("with fields"));
        full = receive(fd);
        assert_true(full);
        assert_true(strstr(full, "MESSAGE=with fields\n"));
        assert_true(strstr(full, "PRIORITY=6\n"));
        assert_true(strstr(full, JOURNAL_DEVICE "=0000:00:02.0\n"));
        assert_true(strstr(full, JOURNAL_DOMAIN "=win11\n"));

        /* debug is for who asks for it, in the journal as well */
        logged(log_debug("details"));
        none = receive(fd);
        assert_str(none, NULL);
}

int main(void) {
        private_run_enter();
        (void)unsetenv("JOURNAL_STREAM");
        (void)unsetenv("NOTIFY_SOCKET");
        (void)unsetenv("SERVICE_RESULT");
        (void)unsetenv("GPU_GUEST_DEBUG");
        saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        log_fd = memfd_create("log", MFD_CLOEXEC);
        notify_fd = bind_socket("/run/notify");

        test_stderr();
        test_errno();
        test_long_message();
        test_status();
        test_service_result();
        test_other_stream();
        test_journal();
        return 0;
}
