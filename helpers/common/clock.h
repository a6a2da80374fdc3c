/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Deadlines for poll(2), on the monotonic clock. */

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ms(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline uint64_t clock_deadline(int timeout_ms) {
        return clock_now_ms() + (uint64_t)timeout_ms;
}

/* Milliseconds left, 0 once the deadline has passed. */
static inline int clock_remaining(uint64_t deadline) {
        uint64_t now = clock_now_ms();

        return now >= deadline ? 0 : (int)(deadline - now);
}
