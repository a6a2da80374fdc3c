/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the administrator has set, and what he cannot have meant. */

#include <errno.h>
#include <stdlib.h>

#include "common/names.h"
#include "common/settings.h"
#include "test.h"

static void test_holders(void) {
        static const char *const bad[] = {"Stop", "refuse ", "1", "no", "stop,refuse"};
        bool refuse = true;

        unsetenv(SETTING_HOLDERS);
        assert_int(setting_refuse_holders(&refuse), 0);
        assert_true(!refuse);
        setenv(SETTING_HOLDERS, "refuse", 1);
        assert_int(setting_refuse_holders(&refuse), 0);
        assert_true(refuse);
        setenv(SETTING_HOLDERS, "stop", 1);
        assert_int(setting_refuse_holders(&refuse), 0);
        assert_true(!refuse);
        setenv(SETTING_HOLDERS, "", 1);
        assert_int(setting_refuse_holders(&refuse), 0);

        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                setenv(SETTING_HOLDERS, bad[i], 1);
                assert_int_in(bad[i], setting_refuse_holders(&refuse), -EINVAL);
        }
}

static void test_seconds(void) {
        static const char *const bad[] = {
                "-1", "1.5", "10s", " 5", "0x10", "604801", "99999999999999999999"};
        int seconds = -1;

        unsetenv(SETTING_UNUSED);
        assert_int(setting_seconds(SETTING_UNUSED, 120, &seconds), 0);
        assert_int(seconds, 120);
        setenv(SETTING_UNUSED, "", 1);
        assert_int(setting_seconds(SETTING_UNUSED, 7, &seconds), 0);
        assert_int(seconds, 7);
        setenv(SETTING_UNUSED, "0", 1);
        assert_int(setting_seconds(SETTING_UNUSED, 120, &seconds), 0);
        assert_int(seconds, 0);
        setenv(SETTING_UNUSED, "604800", 1);
        assert_int(setting_seconds(SETTING_UNUSED, 120, &seconds), 0);
        assert_int(seconds, 604800);

        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                setenv(SETTING_UNUSED, bad[i], 1);
                assert_int_in(bad[i], setting_seconds(SETTING_UNUSED, 120, &seconds), -EINVAL);
        }
        assert_int(seconds, 604800);
}

int main(void) {
        test_holders();
        test_seconds();
        return 0;
}
