/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The records in /run, in a /run of the fuzzer's own. The input is what lies there as a record: it
 * is read as the lines that it has, or refused for one of the reasons that record.h names. What was
 * read and is written again is the same record. Its lines, and the whole input as one line, are
 * read as bindings: those that a regular expression matches, and no others, and formatted they are
 * the same line again.
 */

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdbool.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "common/pci-address.h"
#include "common/record.h"
#include "fuzz.h"
#include "private-run.h"

#define RECORD_MAX 4096 /* as in record.c */
#define NAME_SIZE_MAX 63
#define NAME_REGEX "([A-Za-z0-9_-]+)"
#define LINES_MAX 16 /* to be looked at: the helpers look at the first only, or at a few */

static regex_t binding_regex;
static int file = -1;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
        private_run_enter();
        directory_make(RUNTIME_DIR);
        file = open(RUNTIME_DIR "/" RECORD_GPU, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        check(file >= 0);
        check(regcomp(&binding_regex, "^" PCI_ADDRESS_REGEX " " NAME_REGEX " " NAME_REGEX "$",
                      REG_EXTENDED) == 0);
        return 0;
}

static bool is_binding(const char *line) {
        regmatch_t match[3];

        return regexec(&binding_regex, line, 3, match, 0) == 0 &&
               match[1].rm_eo - match[1].rm_so <= NAME_SIZE_MAX &&
               match[2].rm_eo - match[2].rm_so <= NAME_SIZE_MAX;
}

static bool same(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_binding(const char *line) {
        _cleanup_(binding_done) Binding b = {}, again = {};
        _cleanup_free_ char *text = NULL;
        int r = binding_parse(line, &b);

        check(r == (is_binding(line) ? 0 : -EBADMSG));
        if (r < 0) {
                check(!b.address && !b.driver && !b.module);
                return;
        }
        check(b.address && !same(b.driver, "-") && !same(b.module, "-"));

        text = binding_format(&b);
        check(text && strlen(text) == strlen(line) + 1 && text[strlen(line)] == '\n');
        text[strlen(line)] = '\0';
        check(strcmp(text, line) == 0);

        check(binding_parse(text, &again) == 0);
        check(same(b.address, again.address));
        check(same(b.driver, again.driver));
        check(same(b.module, again.module));
}

/* How many lines are there, or how is it refused? */
static int model(const uint8_t *data, size_t size) {
        int n = 0;

        if (size > RECORD_MAX || memchr(data, '\0', size) || (size > 0 && data[size - 1] != '\n'))
                return -EBADMSG;
        for (size_t i = 0; i < size; i++)
                n += data[i] == '\n';
        return n;
}

static void check_lines(char **lines, int n, const uint8_t *data, size_t size) {
        size_t at = 0;

        for (int i = 0; i < n; i++) {
                size_t length = strlen(lines[i]);

                check(at + length < size);
                check(memcmp(data + at, lines[i], length) == 0 && data[at + length] == '\n');
                at += length + 1;
        }
        check(at == size && !lines[n]);
}

static void check_record(const uint8_t *data, size_t size) {
        _cleanup_strv_free_ char **lines = NULL, **again = NULL;
        _cleanup_free_ char *text = NULL;
        int n = record_read(RECORD_GPU, &lines);

        check(n == model(data, size));
        if (n < 0) {
                check(!lines);
                return;
        }
        check_lines(lines, n, data, size);
        for (int i = 0; i < n && i < LINES_MAX; i++)
                check_binding(lines[i]);

        text = strndup((const char *)data, size);
        check(text && record_write(RECORD_AUDIO, text) == 0);
        check(record_read(RECORD_AUDIO, &again) == n);
        check_lines(again, n, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *line = strndup((const char *)data, size);

        check(line);
        check_binding(line);

        file_set(file, data, size);
        check_record(data, size);
        return 0;
}
