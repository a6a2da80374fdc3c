/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sessions, by the files in which logind tells sd-login(3) of them, in a /run of our own; and the
 * request to end one. The files' format is logind's private matter: a test that fails after an
 * update of systemd may have to learn a new one. */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "common/session.h"
#include "fake-manager.h"
#include "private-run.h"
#include "test.h"

static void seat(const char *sessions) {
        _cleanup_free_ char *text =
                format("IS_SEAT0=1\nCAN_GRAPHICAL=1\nSESSIONS=%s\nUIDS=0\n", sessions);

        file_write("/run/systemd/seats/" SEAT_NAME, text);
}

static void session(const char *id, const char *type) {
        _cleanup_free_ char *path = format("/run/systemd/sessions/%s", id),
                            *text = format("UID=0\nUSER=root\nACTIVE=1\nSTATE=active\nTYPE=%s\n"
                                           "CLASS=user\nSERVICE=lightdm\nSEAT=" SEAT_NAME "\n",
                                    type);

        file_write(path, text);
}

static void assert_sessions(const char *const *expected) {
        _cleanup_strv_free_ char **list = NULL;
        int n = session_list_graphical(SEAT_NAME, &list);

        for (int i = 0; i < n; i++)
                assert_str(list[i], expected[i]);
        assert_true(n >= 0 && list);
        assert_str(list[n], NULL);
        assert_str(expected[n], NULL);
}

#define assert_list(...) assert_sessions((const char *const[]){__VA_ARGS__})

static void test_no_seat(void) {
        private_run_clear();
        assert_list(NULL);
        directory_make("/run/systemd/sessions");
        assert_int(session_wait_none(SEAT_NAME, 0), 0);
}

static void test_list(void) {
        private_run_clear();
        seat("");
        assert_list(NULL);

        seat("1 c2 3 4 5 6 7");
        session("1", "tty");
        session("c2", "x11");
        session("3", "wayland");
        session("4", "unspecified");
        session("5", "mir");
        session("6", "web");
        assert_list("c2", "3", "5", NULL); /* 7 has just gone */

        seat("1");
        assert_list(NULL);
}

static void test_describe(void) {
        _cleanup_free_ char *description = NULL, *nobody = NULL, *nonsense = NULL;

        private_run_clear();
        session("c2", "x11");
        description = session_describe("c2");
        assert_str(description, "session c2 of user root (x11, started by lightdm)");

        nobody = session_describe("77");
        assert_str(
                nobody, "session 77 of user unknown (unknown type, started by an unknown service)");
        nonsense = session_describe("../x");
        assert_str(nonsense,
                "session ../x of user unknown (unknown type, started by an unknown service)");
}

static void assert_terminate(const char *error, int expected) {
        sd_bus *bus = fake_manager_connect(&(FakeManager){.terminate_error = error});
        _cleanup_free_ char *calls = NULL;

        assert_int(session_terminate(bus, "c2"), expected);
        calls = fake_manager_finish(bus);
        assert_str(calls, "TerminateSession c2\n");
}

static void test_terminate(void) {
        assert_terminate(NULL, 0);
        assert_terminate("org.freedesktop.login1.NoSuchSession", 0);
        assert_terminate(SD_BUS_ERROR_ACCESS_DENIED, -EACCES);
}

static void test_wait_timeout(void) {
        private_run_clear();
        seat("1 2");
        session("1", "tty");
        assert_int(session_wait_none(SEAT_NAME, 0), 0);
        session("2", "x11");
        assert_int(session_wait_none(SEAT_NAME, 0), -ETIMEDOUT);
        assert_int(session_wait_none(SEAT_NAME, 50), -ETIMEDOUT);
}

/* Tells when session_wait_none() has looked and waits: linked with --wrap=poll. */
static sem_t waits;

int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms) {
        sem_post(&waits);
        return __real_poll(fds, n, timeout_ms);
}

/* One session ends, another is still there; then that one ends. */
static void *log_out(void *unused) {
        assert_int(sem_wait(&waits), 0);
        seat("3");
        assert_int(unlink("/run/systemd/sessions/2"), 0);
        assert_int(sem_wait(&waits), 0);
        seat("");
        assert_int(unlink("/run/systemd/sessions/3"), 0);
        return NULL;
}

static void test_wait(void) {
        pthread_t thread;

        private_run_clear();
        seat("2 3");
        session("2", "x11");
        session("3", "wayland");
        assert_int(sem_init(&waits, 0, 0), 0);
        assert_int(pthread_create(&thread, NULL, log_out, NULL), 0);
        assert_int(session_wait_none(SEAT_NAME, 60000), 0);
        assert_int(pthread_join(thread, NULL), 0);
        sem_destroy(&waits);
        assert_list(NULL);
}

/* As logind does it, by renaming, which is what sd-login waits for. */
static void active_user(uid_t uid) {
        _cleanup_free_ char *text = format("IS_SEAT0=1\nACTIVE=5\nACTIVE_UID=%u\n", uid);

        file_write("/run/systemd/seats/.new", text);
        assert_int(rename("/run/systemd/seats/.new", "/run/systemd/seats/" SEAT_NAME), 0);
}

static void test_wait_user_timeout(void) {
        private_run_clear();
        directory_make("/run/systemd/seats");
        assert_int(session_wait_user(1000, SEAT_NAME, 0), -ETIMEDOUT);
        seat("");
        assert_int(session_wait_user(1000, SEAT_NAME, 0), -ETIMEDOUT);
        active_user(100); /* the greeter's, whose number is the beginning of another */
        assert_int(session_wait_user(1000, SEAT_NAME, 0), -ETIMEDOUT);
        assert_int(session_wait_user(1000, SEAT_NAME, 50), -ETIMEDOUT);
        active_user(1000);
        assert_int(session_wait_user(1000, SEAT_NAME, 0), 0);
}

static void *log_in(void *unused) {
        assert_int(sem_wait(&waits), 0);
        active_user(1001);
        assert_int(sem_wait(&waits), 0);
        active_user(1000);
        return NULL;
}

static void test_wait_user(void) {
        pthread_t thread;

        private_run_clear();
        active_user(100);
        assert_int(sem_init(&waits, 0, 0), 0);
        assert_int(pthread_create(&thread, NULL, log_in, NULL), 0);
        assert_int(session_wait_user(1000, SEAT_NAME, 60000), 0);
        assert_int(pthread_join(thread, NULL), 0);
        sem_destroy(&waits);
}

static void assert_seat(const char *screen, int timeout_ms, int result) {
        sd_bus *bus = fake_manager_connect(&(FakeManager){.screen = screen});

        assert_int_in(screen ?: "", seat_wait_graphical(bus, SEAT_NAME, timeout_ms), result);
        free(fake_manager_finish(bus));
}

static void test_seat(void) {
        private_run_clear();
        seat("1"); /* where logind may have written what is not so any more */
        assert_seat(NULL, 0, 0);
        assert_seat("no", 0, -ETIMEDOUT);
        assert_seat("no", 50, -ETIMEDOUT);
        assert_seat("later", 60000, 0);
        assert_seat("no seat", 60000, -ENXIO);
}

int main(void) {
        private_run_enter();
        test_no_seat();
        test_list();
        test_describe();
        test_terminate();
        test_wait_timeout();
        test_wait();
        test_wait_user_timeout();
        test_wait_user();
        test_seat();
        return 0;
}
