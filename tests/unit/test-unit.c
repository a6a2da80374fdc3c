/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What unit.c asks the service manager, and what it makes of the answers. */

#include <errno.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/names.h"
#include "common/unit.h"
#include "fake-manager.h"
#include "test.h"

#define NO_SUCH_UNIT "org.freedesktop.systemd1.NoSuchUnit"

static void assert_calls(sd_bus *bus, const char *expected) {
        _cleanup_free_ char *calls = fake_manager_finish(bus);

        assert_str(calls, expected);
}

static void test_get_state(void) {
        _cleanup_free_ char *state = NULL;
        sd_bus *bus = fake_manager_connect(&(FakeManager){.system_state = "stopping"});
        char *unset = NULL;

        assert_int(manager_get_state(bus, &state), 0);
        assert_str(state, "stopping");
        assert_calls(bus, "");

        bus = fake_manager_connect(&(FakeManager){});
        assert_true(manager_get_state(bus, &unset) < 0);
        assert_str(unset, NULL);
        assert_calls(bus, "");
}

static void test_get_default_target(void) {
        _cleanup_free_ char *target = NULL;
        sd_bus *bus = fake_manager_connect(&(FakeManager){.default_target = "graphical.target"});
        char *unset = NULL;

        assert_int(manager_get_default_target(bus, &target), 0);
        assert_str(target, "graphical.target");
        assert_calls(bus, "");

        bus = fake_manager_connect(&(FakeManager){});
        assert_true(manager_get_default_target(bus, &unset) < 0);
        assert_str(unset, NULL);
        assert_calls(bus, "");
}

/* The fake manager's display manager is lightdm.service. */
static void test_excludes(void) {
        static const struct {
                const char *own_conflict, *conflict;
                int expected;
        } cases[] = {
                {NULL, NULL, 0},
                {"other.service", "other.service", 0},
                {"lightdm.service", NULL, 1},
                {NULL, "lightdm.service", 1},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                sd_bus *bus = fake_manager_connect(&(FakeManager){
                        .own_conflict = cases[i].own_conflict, .conflict = cases[i].conflict});

                assert_int(unit_excludes(bus, "kmsconvt@tty1.service", UNIT_DISPLAY_MANAGER),
                        cases[i].expected);
                assert_calls(bus, "");
        }
}

static void assert_was_active(const char *state, uint64_t since_us, unsigned within, int expected) {
        sd_bus *bus = fake_manager_connect(
                &(FakeManager){.active_state = state, .inactive_since_us = since_us});

        assert_int_in(state, unit_was_active(bus, UNIT_DISPLAY_MANAGER, within), expected);
        assert_calls(bus, "");
}

static void test_was_active(void) {
        static const char *const active[] = {"active", "reloading", "activating", "deactivating"};
        uint64_t now_us = clock_now_ms() * 1000;

        for (size_t i = 0; i < sizeof(active) / sizeof(active[0]); i++)
                assert_was_active(active[i], 0, 0, 1);

        /* never; just now; some time ago */
        assert_was_active("inactive", 0, 10000, 0);
        assert_was_active("inactive", 0, UINT32_MAX, 0);
        assert_was_active("inactive", now_us, 600000, 1);
        assert_was_active("failed", now_us, 600000, 1);
        assert_was_active("inactive", 1, 0, 0);
        assert_was_active("failed", 1, 0, 0);
        assert_was_active("inactive", now_us > 1000000 ? now_us - 1000000 : 1, 500, 0);
}

static void test_was_active_error(void) {
        sd_bus *bus = fake_manager_connect(&(FakeManager){});

        assert_true(unit_was_active(bus, UNIT_DISPLAY_MANAGER, 10000) < 0);
        assert_calls(bus, "");
}

static void test_reset_failed(void) {
        sd_bus *bus = fake_manager_connect(&(FakeManager){});

        assert_int(unit_reset_failed(bus, "a.service"), 0);
        assert_int(unit_reset_failed(bus, "b.service"), 0);
        assert_calls(bus, "ResetFailedUnit a.service\nResetFailedUnit b.service\n");

        bus = fake_manager_connect(&(FakeManager){.reset_error = NO_SUCH_UNIT});
        assert_int(unit_reset_failed(bus, "a.service"), 0);
        assert_calls(bus, "ResetFailedUnit a.service\n");

        bus = fake_manager_connect(&(FakeManager){.reset_error = SD_BUS_ERROR_ACCESS_DENIED});
        assert_int(unit_reset_failed(bus, "a.service"), -EACCES);
        assert_calls(bus, "ResetFailedUnit a.service\n");
}

static void test_queue_start(void) {
        _cleanup_free_ char *reason = NULL;
        sd_bus *bus = fake_manager_connect(&(FakeManager){});

        assert_int(unit_queue_start(bus, "graphical.target", &reason), 0);
        assert_str(reason, NULL);
        assert_int(unit_queue_start(bus, "graphical.target", NULL), 0);
        assert_calls(
                bus, "StartUnit graphical.target replace\nStartUnit graphical.target replace\n");

        bus = fake_manager_connect(&(FakeManager){.start_error = SD_BUS_ERROR_FAILED});
        assert_true(unit_queue_start(bus, "graphical.target", NULL) < 0);
        assert_true(unit_queue_start(bus, "graphical.target", &reason) < 0);
        assert_str(reason, "This is the reason.");
        assert_calls(
                bus, "StartUnit graphical.target replace\nStartUnit graphical.target replace\n");
}

static void assert_start_is_queued(const char *type, const char *state, int expected) {
        sd_bus *bus = fake_manager_connect(&(FakeManager){.job_type = type, .job_state = state});

        assert_int_in(type, unit_start_is_queued(bus, UNIT_ANCHOR), expected);
        assert_calls(bus, "");
}

static void test_start_is_queued(void) {
        assert_start_is_queued(NULL, NULL, 0);
        assert_start_is_queued("start", "waiting", 1);
        assert_start_is_queued("restart", "waiting", 1);
        assert_start_is_queued("start", "running", 0);
        assert_start_is_queued("stop", "waiting", 0);
        assert_start_is_queued("stop", "running", 0);
        assert_start_is_queued("start", NULL, 0); /* done by the time we ask for it */
}

int main(void) {
        test_get_state();
        test_get_default_target();
        test_excludes();
        test_was_active();
        test_was_active_error();
        test_reset_failed();
        test_queue_start();
        test_start_is_queued();
        return 0;
}
