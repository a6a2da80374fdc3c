/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vtconsoles on mocked machines, with a kernel behind them that hands the screen on. */

#include <errno.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "common/vtcon.h"
#include "mock.h"
#include "private-run.h"
#include "test.h"

#define assert_vtcon(description, expected_name, expected_bound) \
        do {                                                     \
                Vtcon v_;                                        \
                                                                 \
                assert_int(vtcon_find(description, &v_), 0);     \
                assert_str(v_.name, expected_name);              \
                assert_int(v_.bound, expected_bound);            \
        } while (0)

static void test_no_class(void) {
        Vtcon v = {.name = "unset"};

        mock_clear();
        assert_int(vtcon_find(VTCON_NAME_FRAMEBUFFER, &v), -ENOENT);
        assert_str(v.name, "unset");
}

static void test_find(void) {
        Vtcon v;

        mock_clear();
        mock_vtcon("vtcon0", "(S) dummy device\n", "1\n");
        assert_int(vtcon_find(VTCON_NAME_FRAMEBUFFER, &v), -ENOENT);
        assert_vtcon(VTCON_NAME_DUMMY, "vtcon0", true);

        mock_vtcon("vtcon1", "(M) frame buffer device\n", "0\n");
        assert_vtcon(VTCON_NAME_FRAMEBUFFER, "vtcon1", false);
}

/* As on a machine with a DRM driver, where both are (M), and with either number. */
static void test_numbers(void) {
        mock_clear();
        mock_vtcon("vtcon0", "(M) frame buffer device\n", "1\n");
        mock_vtcon("vtcon1", "(M) dummy device\n", "0\n");
        assert_vtcon(VTCON_NAME_FRAMEBUFFER, "vtcon0", true);
        assert_vtcon(VTCON_NAME_DUMMY, "vtcon1", false);

        mock_clear();
        mock_vtcon("vtcon0", "(M) dummy device\n", "0\n");
        mock_vtcon("vtcon10", "(M) frame buffer device\n", "1\n");
        mock_vtcon("vtcon2", "(S) VGA+\n", "0\n");
        assert_vtcon(VTCON_NAME_FRAMEBUFFER, "vtcon10", true);
        assert_vtcon(VTCON_NAME_DUMMY, "vtcon0", false);
}

static void test_unbind(void) {
        Vtcon v;

        mock_clear();
        mock_vtcon("vtcon0", "(M) frame buffer device\n", "1\n");
        mock_vtcon("vtcon1", "(M) dummy device\n", "0\n");
        mock_kernel = mock_kernel_linux;

        assert_int(vtcon_find(VTCON_NAME_FRAMEBUFFER, &v), 0);
        assert_int(vtcon_unbind(&v), 0);
        assert_vtcon(VTCON_NAME_FRAMEBUFFER, "vtcon0", false);
        assert_vtcon(VTCON_NAME_DUMMY, "vtcon1", true);

        /* and the way back: the other one */
        assert_int(vtcon_find(VTCON_NAME_DUMMY, &v), 0);
        assert_int(vtcon_unbind(&v), 0);
        assert_vtcon(VTCON_NAME_FRAMEBUFFER, "vtcon0", true);
        assert_vtcon(VTCON_NAME_DUMMY, "vtcon1", false);
}

/* As UEFI leaves it: the dummy is the system's own, and gives the screen only to who asks. */
static void test_bind(void) {
        Vtcon fb, dummy;

        mock_clear();
        mock_vtcon("vtcon0", "(S) dummy device\n", "0\n");
        mock_vtcon("vtcon1", "(M) frame buffer device\n", "1\n");
        mock_kernel = mock_kernel_linux;

        assert_int(vtcon_find(VTCON_NAME_FRAMEBUFFER, &fb), 0);
        assert_int(vtcon_find(VTCON_NAME_DUMMY, &dummy), 0);
        assert_int(vtcon_unbind(&fb), 0);
        assert_vtcon(VTCON_NAME_DUMMY, "vtcon0", true);
        assert_int(vtcon_unbind(&dummy), -EIO);
        assert_int(vtcon_bind(&fb), 0);
        assert_vtcon(VTCON_NAME_FRAMEBUFFER, "vtcon1", true);
        assert_vtcon(VTCON_NAME_DUMMY, "vtcon0", false);

        /* and as a boot in text mode does: nobody is there to take it from */
        mock_vtcon("vtcon0", "(M) dummy device\n", "1\n");
        mock_vtcon("vtcon1", "(M) frame buffer device\n", "0\n");
        assert_int(vtcon_bind(&fb), -EIO);
        assert_int(vtcon_unbind(&dummy), 0);
        assert_vtcon(VTCON_NAME_FRAMEBUFFER, "vtcon1", true);
}

static void test_unbind_without_effect(void) {
        Vtcon v;

        mock_clear();
        mock_vtcon("vtcon0", "(M) frame buffer device\n", "1\n");
        assert_int(vtcon_find(VTCON_NAME_FRAMEBUFFER, &v), 0);
        mock_kernel = mock_kernel_deaf;
        assert_int(vtcon_unbind(&v), -EIO);
        mock_kernel = mock_kernel_refuse;
        assert_int(vtcon_unbind(&v), -EPERM);
}

/* The console goes away between the look and the act. */
static void test_unbind_gone(void) {
        Vtcon v = {.name = "vtcon7", .bound = true};

        mock_clear();
        assert_int(vtcon_unbind(&v), -ENOENT);
}

static void test_hostile(void) {
        static const char long_name[] = "vtcon-with-a-name-that-is-too-long-for-any-buffer";
        Vtcon v;

        /* no attributes: a vtconsole that has just gone */
        mock_clear();
        for (int i = 10; i < 30; i++) {
                _cleanup_free_ char *empty = mock_path(SYSFS_VTCONSOLE "/vtcon%d", i);

                directory_make(empty);
        }
        assert_int(vtcon_find(VTCON_NAME_FRAMEBUFFER, &v), -ENOENT);
        mock_vtcon("vtcon1", "(M) frame buffer device\n", "1\n");
        assert_vtcon(VTCON_NAME_FRAMEBUFFER, "vtcon1", true);

        /* a name that no kernel gives is passed over */
        mock_clear();
        mock_vtcon(long_name, "(M) frame buffer device\n", "1\n");
        assert_int(vtcon_find(VTCON_NAME_FRAMEBUFFER, &v), -ENOENT);
        mock_vtcon("vtcon1", "(M) frame buffer device\n", "1\n");
        assert_vtcon(VTCON_NAME_FRAMEBUFFER, "vtcon1", true);

        /* descriptions */
        mock_clear();
        mock_vtcon("vtcon0", "", "");
        mock_vtcon("vtcon1", "%s%n frame buffer", "1");
        assert_int(vtcon_find(VTCON_NAME_FRAMEBUFFER, &v), -ENOENT);
        mock_vtcon("vtcon2", "frame buffer device", "nonsense");
        assert_vtcon(VTCON_NAME_FRAMEBUFFER, "vtcon2", false);
}

int main(void) {
        mock_enter();
        test_no_class();
        test_find();
        test_numbers();
        test_unbind();
        test_bind();
        test_unbind_without_effect();
        test_unbind_gone();
        test_hostile();
        mock_leave();
        return 0;
}
