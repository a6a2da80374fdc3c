/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which device is the GPU, on mocked machines. */

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "common/gpu.h"
#include "mock.h"
#include "private-run.h"
#include "test.h"

#define assert_gpu(expected)                                            \
        do {                                                            \
                _cleanup_(udev_unrefp) struct udev *udev_ = udev_new(); \
                _cleanup_free_ char *found_ = NULL;                     \
                                                                        \
                assert_int(gpu_find(udev_, &found_), 0);                \
                assert_str(found_, expected);                           \
        } while (0)

static void assert_no_gpu(void) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        char *found = NULL;

        assert_int(gpu_find(udev, &found), -ENODEV);
        assert_str(found, NULL);
}

static void test_none(void) {
        mock_clear();
        assert_no_gpu();

        /* there is one, and udev says nothing of it */
        mock_pci("0000:00:02.0", NULL);
        assert_no_gpu();
}

static void test_one(void) {
        mock_clear();
        mock_pci("0000:00:02.0", NULL);
        mock_udev("0000:00:02.0", "gpu", "10");
        mock_pci("0000:00:1f.3", NULL);
        mock_udev("0000:00:1f.3", "audio", NULL);
        assert_gpu("0000:00:02.0");
}

static void test_priority(void) {
        mock_clear();
        mock_pci("0000:00:02.0", NULL);
        mock_udev("0000:00:02.0", "gpu", "0");
        mock_pci("0000:03:00.0", NULL);
        mock_udev("0000:03:00.0", "gpu", "10");
        assert_gpu("0000:03:00.0");

        /* a number, not a text */
        mock_udev("0000:00:02.0", "gpu", "9");
        assert_gpu("0000:03:00.0");
        mock_udev("0000:00:02.0", "gpu", "100");
        assert_gpu("0000:00:02.0");

        /* none, and nonsense, count as 0 */
        mock_udev("0000:00:02.0", "gpu", "much");
        mock_udev("0000:03:00.0", "gpu", "1");
        assert_gpu("0000:03:00.0");
        mock_udev("0000:03:00.0", "gpu", "-1");
        assert_gpu("0000:00:02.0");
        mock_udev("0000:00:02.0", "gpu", NULL);
        assert_gpu("0000:00:02.0");
}

static void test_lowest_of_equals(void) {
        mock_clear();
        mock_pci("0000:00:05.0", NULL);
        mock_udev("0000:00:05.0", "gpu", "10");
        mock_pci("0000:00:02.0", NULL);
        mock_udev("0000:00:02.0", "gpu", "10");
        assert_gpu("0000:00:02.0");

        /* behind a bridge whose own address comes before */
        mock_pci("0000:00:01.0", NULL);
        mock_pci("0000:01:00.0", "0000:00:01.0");
        mock_udev("0000:01:00.0", "gpu", "10");
        assert_gpu("0000:00:02.0");

        /* a domain with more digits is a larger one */
        mock_clear();
        mock_pci("10000:00:02.0", NULL);
        mock_udev("10000:00:02.0", "gpu", "0");
        mock_pci("9999:00:02.0", NULL);
        mock_udev("9999:00:02.0", "gpu", "0");
        assert_gpu("9999:00:02.0");
}

/* What an administrator's rule can say. */
static void test_overruled(void) {
        mock_clear();
        mock_pci("0000:00:02.0", NULL);
        mock_udev("0000:00:02.0", "none", "10");
        mock_pci("0000:03:00.0", NULL);
        mock_udev("0000:03:00.0", "gpu", "0");
        assert_gpu("0000:03:00.0");

        /* the tag stays after the rule is gone */
        mock_udev("0000:03:00.0", NULL, NULL);
        assert_no_gpu();
}

static void test_tag_of_what_is_gone(void) {
        mock_clear();
        mock_udev("0000:00:02.0", "gpu", "10");
        assert_no_gpu();
        mock_pci("0000:03:00.0", NULL);
        mock_udev("0000:03:00.0", "gpu", "0");
        assert_gpu("0000:03:00.0");
}

static int find_audio(char ***ret) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();

        return gpu_find_audio(udev, "0000:00:02.0", ret);
}

static void test_audio(void) {
        _cleanup_strv_free_ char **none = NULL, **one = NULL, **two = NULL;
        char **unset = NULL;

        mock_clear();
        assert_int(find_audio(&unset), -ENOENT);
        assert_true(!unset);

        mock_pci("0000:00:02.0", NULL);
        mock_udev("0000:00:02.0", "gpu", "10");
        assert_int(find_audio(&none), 0);
        assert_true(none && !none[0]);

        /* a consumer, and one that only udev takes for audio, and one that is something else */
        mock_pci("0000:00:1f.3", NULL);
        mock_udev("0000:00:1f.3", "audio", NULL);
        mock_consumer("0000:00:02.0", "pci:0000:00:1f.3");
        mock_pci("0000:00:1b.0", NULL);
        mock_udev("0000:00:1b.0", "audio", NULL);
        mock_pci("0000:00:16.0", NULL);
        mock_udev("0000:00:16.0", "none", NULL);
        mock_consumer("0000:00:02.0", "pci:0000:00:16.0");
        mock_pci("0000:00:17.0", NULL);
        mock_consumer("0000:00:02.0", "pci:0000:00:17.0");
        assert_int(find_audio(&one), 1);
        assert_str(one[0], "0000:00:1f.3");
        assert_str(one[1], NULL);

        mock_consumer("0000:00:02.0", "pci:0000:00:1b.0");
        assert_int(find_audio(&two), 2);
        assert_true(strcmp(two[0], two[1]) != 0);
        assert_str(two[2], NULL);
}

static void test_audio_hostile_names(void) {
        static const char *const names[] = {
                "pci:", "pci:0000:00:1f", "pci:0000:00:1f.3x", "pci:0000:00:1f.3 ",
                "pci: 0000:00:1f.3", "pci:..", "pci:%s%s%n", "platform:0000:00:1f.3",
                "PCI:0000:00:1f.3", "pci:0000:00:1f.4", /* not there */
        };
        _cleanup_strv_free_ char **list = NULL;

        mock_clear();
        mock_pci("0000:00:02.0", NULL);
        mock_pci("0000:00:1f.3", NULL);
        mock_udev("0000:00:1f.3", "audio", NULL);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                mock_consumer("0000:00:02.0", names[i]);
        assert_int(find_audio(&list), 0);
}

static void *finish_queue(void *barrier) {
        pthread_barrier_wait(barrier);
        assert_int(unlink("/run/udev/queue"), 0);
        return NULL;
}

static void test_wait_udev(void) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        pthread_barrier_t barrier;
        pthread_t thread;

        mock_clear();
        assert_int(gpu_wait_udev(udev, 0), 0);

        file_write("/run/udev/queue", "");
        assert_int(gpu_wait_udev(udev, 0), -ETIMEDOUT);
        assert_int(gpu_wait_udev(udev, 50), -ETIMEDOUT);

        assert_int(pthread_barrier_init(&barrier, NULL, 2), 0);
        assert_int(pthread_create(&thread, NULL, finish_queue, &barrier), 0);
        pthread_barrier_wait(&barrier);
        assert_int(gpu_wait_udev(udev, 60000), 0);
        assert_int(pthread_join(thread, NULL), 0);
        pthread_barrier_destroy(&barrier);
}

int main(void) {
        mock_enter();
        test_none();
        test_one();
        test_priority();
        test_lowest_of_equals();
        test_overruled();
        test_tag_of_what_is_gone();
        test_audio();
        test_audio_hostile_names();
        test_wait_udev();
        mock_leave();
        return 0;
}
