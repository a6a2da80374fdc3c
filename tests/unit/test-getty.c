/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which getty would log in again by itself: sessions as logind has them in a /run of our own, and a
 * service manager that knows one command. */

#include <errno.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/getty.h"
#include "common/names.h"
#include "fake-manager.h"
#include "private-run.h"
#include "test.h"

#define RECORD RUNTIME_DIR "/" RECORD_HOLDERS

static void session(const char *service, const char *tty) {
        _cleanup_free_ char *text = format("UID=0\nUSER=root\nACTIVE=1\nSTATE=active\nTYPE=tty\n"
                                           "CLASS=user\nSERVICE=%s\nTTY=%s\n",
                service, tty);

        private_run_clear();
        file_write("/run/systemd/sessions/7", text);
}

static void assert_keep_out(
        const FakeManager *m, int result, const char *calls, const char *record) {
        sd_bus *bus = fake_manager_connect(m);
        _cleanup_free_ char *made = NULL, *written = NULL;

        assert_int(getty_keep_out(bus, "7", 0), result);
        made = fake_manager_finish(bus);
        assert_str(made, calls);
        written = file_read(RECORD);
        assert_str(written, record);
}

#define STOP "StopUnit getty@tty2.service replace\n"
#define LINE "service getty@tty2.service\n"

static void test_automatic(void) {
        static const char *const spellings[] = {"-a", "--autologin", "--autologin=anna"};

        for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++) {
                session("login", "tty2");
                assert_keep_out(&(FakeManager){.argument = spellings[i]}, 1, STOP, LINE);
        }
        /* once is enough in the record */
        assert_keep_out(&(FakeManager){.argument = "-a"}, 1, STOP, LINE);
}

static void test_others(void) {
        static const struct {
                const char *service, *tty;
        } others[] = {{"lightdm", "tty2"}, {"sshd", "pts/2"}, {"login", "pts/2"}, {"login", "tty"},
                {"login", "ttyS0"}, {"login", "tty1/../2"}, {"", ""}};

        for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
                session(others[i].service, others[i].tty);
                assert_keep_out(&(FakeManager){.argument = "-a"}, 0, "", NULL);
        }
        session("login", "tty2");
        assert_keep_out(&(FakeManager){.argument = "--noclear"}, 0, "", NULL);
        assert_keep_out(&(FakeManager){}, 0, "", NULL); /* no command */
        assert_int(unlink("/run/systemd/sessions/7"), 0);
        assert_keep_out(&(FakeManager){.argument = "-a"}, 0, "", NULL);
}

static void test_refused(void) {
        session("login", "tty2");
        assert_keep_out(&(FakeManager){.argument = "-a", .stop_error = SD_BUS_ERROR_ACCESS_DENIED},
                -EACCES, STOP, LINE);

        /* what cannot be undone is not done */
        session("login", "tty2");
        file_write(RUNTIME_DIR, "no directory\n");
        assert_keep_out(&(FakeManager){.argument = "-a"}, -ENOTDIR, "", NULL);
}

int main(void) {
        private_run_enter();
        test_automatic();
        test_others();
        test_refused();
        return 0;
}
