/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be known of modules without a kernel that takes ours: libkmod's index is told of modules
 * by modprobe.d(5) in a /run of our own, what is loaded is a mocked /sys/module, and
 * delete_module(2) is a function of this program. */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/module.h"
#include "common/names.h"
#include "mock.h"
#include "private-run.h"
#include "test.h"

static int delete_errno = 0;  /* what delete_module() fails with, 0: it does not */
static int delete_later = 0;  /* after how many times it stops failing, 0: never */
static int n_deleted = 0;     /* how often it was called */
static unsigned delete_flags; /* the last time */
static char delete_name[64];

int __wrap_process_call(int (*function)(void *data), void *data, int timeout_ms);

/* Not in a child, of which nothing would be seen. */
int __wrap_process_call(int (*function)(void *data), void *data, int timeout_ms) {
        return function(data);
}

int delete_module(const char *name, unsigned flags);

int delete_module(const char *name, unsigned flags) {
        n_deleted++;
        delete_flags = flags;
        snprintf(delete_name, sizeof(delete_name), "%s", name);
        if (delete_errno == 0 || (delete_later > 0 && n_deleted > delete_later))
                return 0;
        errno = delete_errno;
        return -1;
}

static bool on_disk = true; /* the running kernel's modules */

int access(const char *path, int mode) {
        if (strncmp(path, MODULES_DIR "/", strlen(MODULES_DIR "/")) == 0) {
                errno = ENOENT;
                return on_disk ? 0 : -1;
        }
        return faccessat(AT_FDCWD, path, mode, 0);
}

static void expect_delete(int error, int later) {
        delete_errno = error;
        delete_later = later;
        n_deleted = 0;
}

static void loaded(const char *name, const char *state, const char *refcnt) {
        _cleanup_free_ char *initstate = mock_path("/sys/module/%s/initstate", name),
                            *count = mock_path("/sys/module/%s/refcnt", name);

        file_write(initstate, state);
        file_write(count, refcnt);
}

static void held_by(const char *name, const char *holder) {
        _cleanup_free_ char *link = mock_path("/sys/module/%s/holders/%s", name, holder),
                            *target = mock_path("/sys/module/%s", holder);

        directory_make(target);
        file_link(link, target);
}

static void test_exists(void) {
        mock_clear();
        assert_int(module_exists("gpu-guest-test-no-such-module"), 0);
        assert_int(module_exists("pci:v0000FFFFd0000FFFF"), 0);

        file_write("/run/modprobe.d/test.conf", "install gpu_guest_test_a true\n"
                                                "alias gpu-guest-test-alias gpu_guest_test_a\n");
        assert_int(module_exists("gpu_guest_test_a"), 1);
        assert_int(module_exists("gpu-guest-test-a"), 1);
        assert_int(module_exists("gpu-guest-test-alias"), 1);
        assert_int(module_exists("gpu_guest_test_b"), 0);
}

static void test_load(void) {
        mock_clear();
        assert_int(module_load("gpu-guest-test-no-such-module"), -ENOENT);

        file_write("/run/modprobe.d/test.conf", "install gpu_guest_test_a touch /run/a\n"
                                                "install gpu_guest_test_b touch /run/b\n"
                                                "install gpu_guest_test_bad false\n"
                                                "alias pci:v00008086d00003E92* gpu_guest_test_b\n");
        assert_int(module_load("gpu-guest-test-a"), 0);
        assert_int(access("/run/a", F_OK), 0);
        assert_int(access("/run/b", F_OK), -1);
        assert_int(module_load("pci:v00008086d00003E92sv0sd0"), 0);
        assert_int(access("/run/b", F_OK), 0);
        assert_true(module_load("gpu-guest-test-bad") < 0);
}

/* Then nothing is looked for on disk, and no command is run. */
static void test_loaded(void) {
        mock_clear();
        file_write("/run/modprobe.d/test.conf", "install gpu_guest_test_a touch /run/a\n");
        loaded("gpu_guest_test_a", "live\n", "0\n");
        loaded("gpu_guest_test_b", "live\n", "0\n");
        assert_int(module_load("gpu-guest-test-a"), 0);
        assert_int(access("/run/a", F_OK), -1);
        assert_int(module_load("gpu_guest_test_b"), 0);
        assert_int(module_exists("gpu-guest-test-b"), 1);
        assert_int(module_exists("../module/gpu_guest_test_b"), 0);

        /* on its way in or out it is none to rely on */
        loaded("gpu_guest_test_b", "going\n", "0\n");
        assert_int(module_exists("gpu-guest-test-b"), 0);
}

/* A blacklist keeps an alias from loading a module, not its name. */
static void test_blacklist(void) {
        mock_clear();
        file_write("/run/modprobe.d/test.conf", "install gpu_guest_test_a touch /run/a\n"
                                                "alias gpu-guest-test-alias gpu_guest_test_a\n"
                                                "blacklist gpu_guest_test_a\n");
        (void)module_load("gpu-guest-test-alias");
        assert_int(access("/run/a", F_OK), -1);
        assert_int(module_load_blacklisted("gpu-guest-test-alias"), 0);
        assert_int(access("/run/a", F_OK), 0);
        assert_int(unlink("/run/a"), 0);
        assert_int(module_load("gpu_guest_test_a"), 0);
        assert_int(access("/run/a", F_OK), 0);
}

static void test_install(void) {
        _cleanup_free_ char *command = NULL;
        char *none = NULL;

        mock_clear();
        file_write("/run/modprobe.d/test.conf", "install gpu-guest-test-a /bin/false now\n"
                                                "blacklist gpu_guest_test_b\n");
        assert_int(module_find_install("gpu-guest-test-b", &none), 0);
        assert_int(module_find_install("gpu-guest-test", &none), 0);
        assert_int(module_find_install("gpu-guest-test-ab", &none), 0);
        assert_true(!none);
        assert_int(module_find_install("gpu_guest-test_a", &command), 1);
        assert_str(command, "/bin/false now");
}

static void test_unload(void) {
        char *users = NULL;

        mock_clear();
        expect_delete(0, 0);
        assert_int(module_unload("gpu_guest_test_a", &users), 0);
        assert_int(n_deleted, 0);

        loaded("gpu_guest_test_a", "live\n", "0\n");
        assert_int(module_unload("gpu-guest-test-a", &users), 0);
        assert_int(n_deleted, 1);
        assert_int(delete_flags & O_TRUNC, 0); /* no force */
        assert_str(delete_name, "gpu_guest_test_a");

        /* it is on its way in or out */
        loaded("gpu_guest_test_a", "coming\n", "0\n");
        expect_delete(0, 0);
        assert_int(module_unload("gpu_guest_test_a", &users), 0);
        assert_int(n_deleted, 1);
        loaded("gpu_guest_test_a", "live\n", "0\n");

        /* somebody else was faster */
        expect_delete(ENOENT, 0);
        assert_int(module_unload("gpu_guest_test_a", &users), 0);
        expect_delete(EPERM, 0);
        assert_int(module_unload("gpu_guest_test_a", &users), -EPERM);
        assert_int(n_deleted, 1);
        assert_str(users, NULL);
}

static void test_unload_in_use(void) {
        _cleanup_free_ char *by_count = NULL, *by_name = NULL, *by_two = NULL;

        mock_clear();
        loaded("gpu_guest_test_a", "live\n", "2\n");
        expect_delete(EAGAIN, 0);
        assert_int(module_unload("gpu_guest_test_a", &by_count), -EBUSY);
        assert_str(by_count, "2 references");
        assert_true(n_deleted > 1);

        held_by("gpu_guest_test_a", "snd_hda_intel");
        expect_delete(EAGAIN, 0);
        assert_int(module_unload("gpu_guest_test_a", &by_name), -EBUSY);
        assert_str(by_name, "snd_hda_intel");

        held_by("gpu_guest_test_a", "kvmgt");
        expect_delete(EBUSY, 0);
        assert_int(module_unload("gpu_guest_test_a", &by_two), -EBUSY);
        assert_true(
                strstr(by_two, "snd_hda_intel") && strstr(by_two, "kvmgt") && strstr(by_two, ", "));
}

/* The count drops while we try. */
static void drives(const char *name, const char *driver, const char *device) {
        _cleanup_free_ char *link = mock_path("/sys/module/%s/drivers/pci:%s", name, driver),
                            *target = mock_path("/sys/bus/pci/drivers/%s", driver),
                            *module = mock_path("/sys/module/%s", name),
                            *to_module = mock_path("/sys/bus/pci/drivers/%s/module", driver);

        directory_make(target);
        file_link(link, target);
        file_link(to_module, module);
        if (device) {
                _cleanup_free_ char *to_device =
                        mock_path("/sys/bus/pci/drivers/%s/%s", driver, device);

                file_link(to_device, module);
        }
}

/* The count of references does not tell of devices. */
static void test_unload_with_devices(void) {
        _cleanup_free_ char *users = NULL;

        mock_clear();
        loaded("gpu_guest_test_a", "live\n", "0\n");
        drives("gpu_guest_test_a", "one", NULL);
        expect_delete(0, 0);
        assert_int(module_unload("gpu_guest_test_a", &users), 0);
        assert_int(n_deleted, 1);

        drives("gpu_guest_test_a", "two", "0000:00:05.0");
        expect_delete(0, 0);
        assert_int(module_unload("gpu_guest_test_a", &users), -EBUSY);
        assert_int(n_deleted, 0);
        assert_str(users, "0000:00:05.0");
}

/* What could not be loaded again stays. */
static void test_unload_last(void) {
        char *users = NULL;

        mock_clear();
        on_disk = false;
        loaded("gpu_guest_test_a", "live\n", "0\n");
        expect_delete(0, 0);
        assert_int(module_unload("gpu_guest_test_a", &users), -ENOENT);
        assert_int(n_deleted, 0);
        assert_str(users, NULL);
        assert_int(module_load("gpu_guest_test_a"), 0);
        on_disk = true;
}

static void test_unload_later(void) {
        char *users = NULL;

        mock_clear();
        loaded("gpu_guest_test_a", "live\n", "1\n");
        expect_delete(EAGAIN, 2);
        assert_int(module_unload("gpu_guest_test_a", &users), 0);
        assert_int(n_deleted, 3);
        assert_str(users, NULL);
}

int main(void) {
        mock_enter();
        test_exists();
        test_load();
        test_loaded();
        test_blacklist();
        test_install();
        test_unload();
        test_unload_in_use();
        test_unload_with_devices();
        test_unload_last();
        test_unload_later();
        mock_leave();
        return 0;
}
