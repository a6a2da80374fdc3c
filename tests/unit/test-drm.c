/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The DRM card of a GPU: there already, coming later, and what is not it. */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>

#include "common/drm.h"
#include "common/gpu.h"
#include "mock.h"
#include "private-run.h"
#include "test.h"

#define GPU "0000:00:02.0"
#define OTHER "0000:03:00.0"
#define LONG_MS 60000
#define SHORT_MS 50

static void machine(void) {
        mock_clear();
        mock_pci(GPU, NULL);
        mock_pci(OTHER, NULL);
}

static int wait_card(int timeout_ms, char **ret) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();

        return drm_wait_card(udev, GPU, timeout_ms, ret);
}

static void assert_timeout(void) {
        char *unset = NULL;

        assert_int(wait_card(0, &unset), -ETIMEDOUT);
        assert_int(wait_card(SHORT_MS, &unset), -ETIMEDOUT);
        assert_str(unset, NULL);
}

static void assert_card(const char *expected) {
        _cleanup_free_ char *card = NULL;

        assert_int(wait_card(LONG_MS, &card), 0);
        assert_str(card, expected);
}

static void add(const char *parent, const char *name, const char *type, const char *minor) {
        mock_drm(parent, name, type, minor);
}

static void is_through_udev(const char *minor) {
        _cleanup_free_ char *id = format("c226:%s", minor);

        mock_udev_entry(id, "I:1\nV:1\n");
}

static void test_there(void) {
        machine();
        add(GPU, "card1", "drm_minor", "1");
        is_through_udev("1");
        assert_card("card1");

        /* no time to wait is needed for that */
        {
                _cleanup_free_ char *card = NULL;

                assert_int(wait_card(0, &card), 0);
                assert_str(card, "card1");
        }
}

static void test_none(void) {
        mock_clear();
        assert_timeout();
        machine();
        assert_timeout();
}

/* The node is there, its name, permissions and seat are not. */
static void test_not_through_udev(void) {
        machine();
        add(GPU, "card0", "drm_minor", "0");
        assert_timeout();
        is_through_udev("0");
        assert_card("card0");
}

static void test_not_a_card(void) {
        machine();
        add(GPU, "renderD128", "drm_minor", "128");
        is_through_udev("128");
        add(GPU, "controlD64", "drm_minor", "64");
        is_through_udev("64");
        add(GPU, "card0-HDMI-A-1", "drm_connector", NULL);
        mock_udev_entry("+drm:card0-HDMI-A-1", "I:1\nV:1\n");
        assert_timeout();
}

static void test_other_gpu(void) {
        machine();
        add(OTHER, "card0", "drm_minor", "0");
        is_through_udev("0");
        assert_timeout();
        add(GPU, "card1", "drm_minor", "1");
        is_through_udev("1");
        assert_card("card1");
}

/* Tells when drm_wait_card() has looked and found nothing, and waits: linked with --wrap=poll. */
static sem_t waits;

int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms) {
        sem_post(&waits);
        return __real_poll(fds, n, timeout_ms);
}

/* What is not the GPU's card does not end the waiting, the card does. */
static void *plug(void *unused) {
        assert_int(sem_wait(&waits), 0);
        is_through_udev("0");
        mock_uevent(OTHER, "card0", "add");
        assert_int(sem_wait(&waits), 0);
        is_through_udev("1");
        mock_uevent(GPU, "card1", "add");
        return NULL;
}

static void test_later(void) {
        pthread_t thread;

        machine();
        add(OTHER, "card0", "drm_minor", "0");
        add(GPU, "card1", "drm_minor", "1");

        assert_int(sem_init(&waits, 0, 0), 0);
        assert_int(pthread_create(&thread, NULL, plug, NULL), 0);
        assert_card("card1");
        assert_int(pthread_join(thread, NULL), 0);
        sem_destroy(&waits);
}

int main(void) {
        mock_enter();
        test_there();
        test_none();
        test_not_through_udev();
        test_not_a_card();
        test_other_gpu();
        test_later();
        mock_leave();
        return 0;
}
