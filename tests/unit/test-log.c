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

#define ID "00112233445566778899aabbccddeeff"

static int saved_stderr = -1, log_fd = -1, notify_fd = -1, journal_fd = -1;

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
        logged(r = log_full(LOG_ERR, EVENT(), 0, "no errno"));
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

        /* one field, whatever it is about */
        logged(log_progress("Waiting for %s.", "\nMAINPID=1\n"));
        assert_status("STATUS=Waiting for ");
        logged(log_error("In use by %s.", "\nMAINPID=1\n"));
        assert_status("STATUS=In use by ");
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

static void connect_journal(void) {
        _cleanup_free_ char *stream = NULL;
        struct stat st;

        assert_int(fstat(log_fd, &st), 0);
        stream = format("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
        assert_int(setenv("JOURNAL_STREAM", stream, 1), 0);
}

/* The journal's protocol: one field per line, here none has a newline in it. These are the fields
 * of the next entry that are ours, and the value of each. */
static void assert_entry(const char *expected) {
        static const char *const ours[] = {
                "MESSAGE=", "MESSAGE_ID=", "PRIORITY=", "OBJECT_", "GPU_GUEST_"};
        _cleanup_free_ char *entry = receive(journal_fd), *text = format("%s", "");

        for (char *line = strtok(entry, "\n"); line; line = strtok(NULL, "\n"))
                for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
                        if (strncmp(line, ours[i], strlen(ours[i])) == 0) {
                                _cleanup_free_ char *before = text;

                                text = format("%s%s\n", before, line);
                        }
        assert_str(text, expected);
}

static void assert_no_entry(void) {
        _cleanup_free_ char *entry = receive(journal_fd);

        assert_str(entry, NULL);
}

static void test_journal(void) {
        _cleanup_free_ char *plain = NULL, *unit = NULL, *field = NULL;

        connect_journal();
        logged(log_warning("to the journal"));
        assert_stderr("");
        plain = receive(journal_fd);
        assert_true(plain);
        assert_true(strstr(plain, "MESSAGE=to the journal\n"));
        assert_true(strstr(plain, "PRIORITY=4\n"));
        assert_true(strstr(plain, "SYSLOG_IDENTIFIER=test-log\n"));
        assert_true(!strstr(plain, "GPU_GUEST_") && !strstr(plain, "MESSAGE_ID"));
        if (sd_pid_get_unit(0, &unit) >= 0)
                field = format("\nOBJECT_SYSTEMD_UNIT=%s\n", unit);
        assert_true(field ? !!strstr(plain, field) : !strstr(plain, "OBJECT_SYSTEMD_UNIT"));

        /* debug is for who asks for it, in the journal as well */
        logged(log_debug("details"));
        assert_no_entry();
}

/* In a unit whose name is known, for that of the test depends on who runs it. */
static void test_fields(void) {
        char address[] = "0000:00:02.0", name[] = "win11", unit[] = "gpu-guest@win11.service";

        connect_journal();
        log_set_unit(unit);
        log_set_device(address);
        log_set_domain(name);
        address[0] = name[0] = unit[0] = '?'; /* they are copied */
        logged(log_info("with fields"));
        assert_stderr("");
        assert_entry("MESSAGE=with fields\nPRIORITY=6\n"
                     "OBJECT_SYSTEMD_UNIT=gpu-guest@win11.service\n"
                     "GPU_GUEST_DEVICE=0000:00:02.0\nGPU_GUEST_DOMAIN=win11\n");
        log_set_device(NULL);
        log_set_domain(NULL);
        logged(log_info("without"));
        assert_entry("MESSAGE=without\nPRIORITY=6\nOBJECT_SYSTEMD_UNIT=gpu-guest@win11.service\n");
        log_set_unit(NULL);
}

static void test_event(void) {
        int r;

        connect_journal();
        log_set_unit("x.service");
        logged(r = log_error_event(EVENT(ID, "i915", 4711, "media.service"), -EBUSY, "In use: %m"));
        assert_int(r, -EBUSY);
        assert_entry("MESSAGE=In use: Device or resource busy\nPRIORITY=3\n"
                     "OBJECT_SYSTEMD_UNIT=x.service\nMESSAGE_ID=" ID "\nGPU_GUEST_DRIVER=i915\n"
                     "GPU_GUEST_HOLDER_PID=4711\nGPU_GUEST_HOLDER_UNIT=media.service\n");
        assert_status("STATUS=In use: Device or resource busy");

#define REST "OBJECT_SYSTEMD_UNIT=x.service\nMESSAGE_ID=" ID "\n"
        logged(r = log_warning_event(EVENT(ID, .driver = "xe"), 0, "warning"));
        assert_int(r, 0);
        assert_entry("MESSAGE=warning\nPRIORITY=4\n" REST "GPU_GUEST_DRIVER=xe\n");
        logged(log_notice_event(EVENT(ID, .holder_pid = 1), "notice"));
        assert_entry("MESSAGE=notice\nPRIORITY=5\n" REST "GPU_GUEST_HOLDER_PID=1\n");
        logged(log_info_event(EVENT(ID, .holder_unit = "a"), "info"));
        assert_entry("MESSAGE=info\nPRIORITY=6\n" REST "GPU_GUEST_HOLDER_UNIT=a\n");
        assert_status(NULL);
        logged(log_progress_event(EVENT(ID), "Waiting for %s.", "you"));
        assert_entry("MESSAGE=Waiting for you.\nPRIORITY=6\n" REST);
        assert_status("STATUS=Waiting for you.");
        log_set_unit(NULL);
}

/* On a plain standard error an event reads like anything else, and stays out of the journal unless
 * it is about another unit's doing. */
static void test_event_elsewhere(void) {
        int r;

        assert_int(unsetenv("JOURNAL_STREAM"), 0);
        logged(r = log_error_event(EVENT(ID, .holder_pid = 1), EBUSY, "In use: %m"));
        assert_int(r, -EBUSY);
        assert_stderr("test-log: In use: Device or resource busy\n");
        assert_no_entry();

        log_set_unit("gpu-guest@win11.service");
        log_set_domain("win11");
        logged(r = log_error_event(EVENT(ID), ENODEV, "Cannot: %m"));
        assert_int(r, -ENODEV);
        assert_stderr("test-log: Cannot: No such device\n");
        assert_entry("MESSAGE=Cannot: No such device\nPRIORITY=3\n"
                     "OBJECT_SYSTEMD_UNIT=gpu-guest@win11.service\nMESSAGE_ID=" ID "\n"
                     "GPU_GUEST_DOMAIN=win11\n");
        logged(log_error("of no interest"));
        assert_stderr("test-log: of no interest\n");
        assert_no_entry();
}

/* Nobody listens: what was for the journal is not lost. */
static void test_no_journal(void) {
        assert_int(unlink("/run/systemd/journal/socket"), 0);
        assert_int(symlink("/run/notify/no-directory", "/run/systemd/journal/socket"), 0);
        connect_journal();
        logged(log_info_event(EVENT(ID), "nobody listens"));
        assert_stderr("test-log: nobody listens\n");
        assert_int(unsetenv("JOURNAL_STREAM"), 0);
        logged(log_info_event(EVENT(ID), "nobody listens"));
        assert_stderr("test-log: nobody listens\n");
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
        directory_make("/run/systemd/journal");
        journal_fd = bind_socket("/run/systemd/journal/socket");

        test_stderr();
        test_errno();
        test_long_message();
        test_status();
        test_service_result();
        test_other_stream();
        test_journal();
        test_fields();
        test_event();
        test_event_elsewhere();
        test_no_journal();
        return 0;
}
