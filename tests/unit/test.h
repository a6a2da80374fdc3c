/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Assertions that say what differed. A test is a program: it returns 0, or ends with 1 at the first
 * difference, or with 77 (meson: skipped) when something it needs is not there. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEST_SKIP 77

#define test_fail(...)                                                          \
        do {                                                                    \
                fprintf(stderr, "%s:%d: %s(): ", __FILE__, __LINE__, __func__); \
                fprintf(stderr, __VA_ARGS__);                                   \
                fputc('\n', stderr);                                            \
                exit(EXIT_FAILURE);                                             \
        } while (0)

#define test_skip(...)                        \
        do {                                  \
                fprintf(stderr, "SKIPPED: "); \
                fprintf(stderr, __VA_ARGS__); \
                fputc('\n', stderr);          \
                exit(TEST_SKIP);              \
        } while (0)

#define assert_true(condition)                                 \
        do {                                                   \
                if (!(condition))                              \
                        test_fail("not true: %s", #condition); \
        } while (0)

/* For numbers of any integer type; "context" is a string that tells which case of a table it is. */
#define assert_int_in(context, got, expected)                                         \
        do {                                                                          \
                long long got_ = (long long)(got), expected_ = (long long)(expected); \
                                                                                      \
                if (got_ != expected_)                                                \
                        test_fail("%s%s%s is %lld, expected %lld", context,           \
                                *(context) ? ": " : "", #got, got_, expected_);       \
        } while (0)

#define assert_int(got, expected) assert_int_in("", got, expected)

/* For strings; NULL equals NULL only. */
#define assert_str_in(context, got, expected)                                      \
        do {                                                                       \
                const char *got_ = (got), *expected_ = (expected);                 \
                                                                                   \
                if (!got_ != !expected_ || (got_ && strcmp(got_, expected_) != 0)) \
                        test_fail("%s%s%s is \"%s\", expected \"%s\"", context,    \
                                *(context) ? ": " : "", #got, got_ ?: "(null)",    \
                                expected_ ?: "(null)");                            \
        } while (0)

#define assert_str(got, expected) assert_str_in("", got, expected)
