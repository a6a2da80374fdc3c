/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What libFuzzer calls, and what the fuzzers share. A fuzzer holds what the code under test makes
 * of an input against a model of its own, written differently: with a regular expression or
 * libxml2's tree, say. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Makes the input a finding if the condition is false. */
#define check(condition)                                                                   \
        do {                                                                               \
                if (!(condition)) {                                                        \
                        fprintf(stderr, "%s:%d: %s(): not true: %s\n", __FILE__, __LINE__, \
                                __func__, #condition);                                     \
                        abort();                                                           \
                }                                                                          \
        } while (0)

/* The kernel's notation of a PCI address, as an extended regular expression. */
#define PCI_ADDRESS_REGEX "[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[01][0-9a-fA-F][.][0-7]"

/* Makes these bytes all that is in the file, to be read from its beginning. */
static inline void file_set(int fd, const uint8_t *data, size_t size) {
        check(ftruncate(fd, 0) == 0);
        check(pwrite(fd, data, size, 0) == (ssize_t)size);
        check(lseek(fd, 0, SEEK_SET) == 0);
}
