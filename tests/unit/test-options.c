/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of a helper: what is returned, what goes to which stream. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/options.h"
#include "test.h"

#define HELP "test [OPTIONS]\n"

static bool arg_first, arg_second;
static const Option table[] = {{"first", &arg_first}, {"second", &arg_second}, {}};

/* What was written to the two streams. */
static char out[256], err[256];

static int divert(FILE *stream, int to) {
        int saved;

        fflush(stream);
        saved = dup(fileno(stream));
        assert_true(saved >= 0 && dup2(to, fileno(stream)) >= 0);
        return saved;
}

static void restore(FILE *stream, int saved, int from, char *text, size_t size) {
        ssize_t n;

        fflush(stream);
        assert_true(dup2(saved, fileno(stream)) >= 0);
        close(saved);
        n = pread(from, text, size - 1, 0);
        assert_true(n >= 0);
        text[n] = '\0';
}

static int parse(const Option *options, const char *const *arguments) {
        _cleanup_close_ int out_fd = memfd_create("out", MFD_CLOEXEC),
                            err_fd = memfd_create("err", MFD_CLOEXEC);
        char *argv[8] = {(char *)"test"};
        int argc = 1, saved_out, saved_err, r;

        for (; *arguments; arguments++)
                argv[argc++] = (char *)*arguments;
        arg_first = arg_second = false;
        optind = 0;

        saved_out = divert(stdout, out_fd);
        saved_err = divert(stderr, err_fd);
        r = options_parse(argc, argv, HELP, options);
        restore(stderr, saved_err, err_fd, err, sizeof(err));
        restore(stdout, saved_out, out_fd, out, sizeof(out));
        return r;
}

#define parse_args(...) parse(table, (const char *const[]){"", ##__VA_ARGS__, NULL} + 1)

static void assert_refused(void) {
        const char *newline = strchr(err, '\n');

        assert_str(out, "");
        assert_true(newline && newline[1] == '\0'); /* one line */
}

static void test_good(void) {
        assert_int(parse_args(), 1);
        assert_true(!arg_first && !arg_second);
        assert_int(parse_args("--first"), 1);
        assert_true(arg_first && !arg_second);
        assert_int(parse_args("--second"), 1);
        assert_true(!arg_first && arg_second);
        assert_int(parse_args("--second", "--first", "--second", "--"), 1);
        assert_true(arg_first && arg_second);
        assert_str(out, "");
        assert_str(err, "");
}

static void test_answered(void) {
        assert_int(parse_args("--help"), 0);
        assert_str(out, HELP);
        assert_int(parse_args("-h"), 0);
        assert_str(out, HELP);
        assert_int(parse_args("--help", "stray"), 0);
        assert_str(out, HELP);
        assert_int(parse_args("--version"), 0);
        assert_str(out, "test-options " PROJECT_VERSION "\n");
        assert_str(err, "");
}

static void test_bad(void) {
        assert_int(parse_args("--third"), -EINVAL);
        assert_refused();
        assert_true(strstr(err, "third"));
        assert_int(parse_args("-x"), -EINVAL);
        assert_refused();
        assert_int(parse_args("--first=yes"), -EINVAL);
        assert_refused();
        assert_int(parse_args("stray"), -EINVAL);
        assert_refused();
        assert_true(strstr(err, "\"stray\""));
        assert_int(parse_args("--", "--first"), -EINVAL);
        assert_refused();
        assert_true(!arg_first);
        assert_int(parse_args(""), -EINVAL);
        assert_refused();
}

static void test_without_table(void) {
        assert_int(parse(NULL, (const char *const[]){NULL}), 1);
        assert_int(parse(NULL, (const char *const[]){"--version", NULL}), 0);
        assert_int(parse(NULL, (const char *const[]){"--first", NULL}), -EINVAL);
        assert_refused();
}

int main(void) {
        test_good();
        test_answered();
        test_bad();
        test_without_table();
        return 0;
}
