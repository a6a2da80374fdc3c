/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records, in a /run of our own: what is written is read again, a failed write leaves the old
 * one, and nothing that lies there instead of a record is taken for one. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "common/record.h"
#include "private-run.h"
#include "test.h"

#define PATH RUNTIME_DIR "/" RECORD_GPU

static int count_files(void) {
        _cleanup_(closedirp) DIR *dir = opendir(RUNTIME_DIR);
        struct dirent *de;
        int n = 0;

        while (dir && (de = readdir(dir)))
                n += strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0;
        return n;
}

#define assert_record(...)                                                 \
        do {                                                               \
                static const char *const expected_lines[] = {__VA_ARGS__}; \
                _cleanup_strv_free_ char **lines = NULL;                   \
                int n = (int)(sizeof(expected_lines) / sizeof(char *));    \
                                                                           \
                assert_int(record_read(RECORD_GPU, &lines), n);            \
                for (int i = 0; i < n; i++)                                \
                        assert_str(lines[i], expected_lines[i]);           \
                assert_str(lines[n], NULL);                                \
        } while (0)

static void assert_unreadable(int error) {
        char **lines = NULL;

        assert_int(record_read(RECORD_GPU, &lines), error);
        assert_true(!lines);
}

static void test_none(void) {
        private_run_clear();
        assert_unreadable(-ENOENT);
        assert_int(record_remove(RECORD_GPU), 0);

        directory_make(RUNTIME_DIR);
        assert_unreadable(-ENOENT);
        assert_int(record_remove(RECORD_GPU), 0);
}

static void test_round_trip(void) {
        struct stat st;

        private_run_clear();
        (void)umask(022);
        assert_int(record_write(RECORD_GPU, "0000:00:02.0 i915 i915\n"), 0);
        assert_record("0000:00:02.0 i915 i915");
        assert_int(stat(RUNTIME_DIR, &st), 0);
        assert_int(st.st_mode, S_IFDIR | 0711);
        assert_int(stat(PATH, &st), 0);
        assert_int(st.st_mode, S_IFREG | 0644);

        assert_int(record_write(RECORD_GPU, "a\nb\n\nc\n"), 0);
        assert_record("a", "b", "", "c");
        assert_int(record_write(RECORD_GPU, "shorter\n"), 0);
        assert_record("shorter");
        assert_int(record_write(RECORD_AUDIO, "another\n"), 0);
        assert_record("shorter");
        assert_int(count_files(), 2);

        assert_int(record_remove(RECORD_GPU), 0);
        assert_unreadable(-ENOENT);
        assert_int(record_remove(RECORD_GPU), 0);
        assert_int(count_files(), 1);
}

static void limit_file_size(rlim_t size) {
        struct rlimit limit;

        assert_int(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = size;
        assert_int(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_add(void) {
        private_run_clear();
        assert_int(record_add(RECORD_GPU, "service %s", "a.service"), 0);
        assert_int(record_add(RECORD_GPU, "sound card%d", 0), 0);
        assert_int(record_add(RECORD_GPU, "service a.service"), 0); /* has it */
        assert_record("service a.service", "sound card0");

        /* nothing can be made of it, and the new line has to be kept */
        file_write(PATH, "no end");
        assert_int(record_add(RECORD_GPU, "sound card1"), 0);
        assert_record("sound card1");
}

/* Fails with the first byte, or in the middle: the old record stays and nothing lies beside it. */
static void test_failed_write(void) {
        private_run_clear();
        assert_int(record_write(RECORD_GPU, "old\n"), 0);
        assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);

        for (rlim_t size = 0; size <= 4; size += 4) {
                int r;

                limit_file_size(size);
                r = record_write(RECORD_GPU, "a new and longer one\n");
                limit_file_size(RLIM_INFINITY);
                assert_int(r, -EFBIG);
                assert_record("old");
                assert_int(count_files(), 1);
        }
}

/* What a helper that was killed while it wrote has left. */
static void test_left_over(void) {
        private_run_clear();
        assert_int(record_write(RECORD_GPU, "old\n"), 0);
        file_write(RUNTIME_DIR "/." RECORD_GPU ".new", "half of a long, long, long rec");
        assert_record("old");
        assert_int(record_write(RECORD_GPU, "new\n"), 0);
        assert_record("new");
        assert_int(count_files(), 1);

        file_write(RUNTIME_DIR "/." RECORD_GPU ".new", "half of");
        assert_int(record_remove(RECORD_GPU), 0);
        assert_int(count_files(), 0);
        file_write(RUNTIME_DIR "/." RECORD_GPU ".new", "half of");
        assert_unreadable(-ENOENT);
        assert_int(count_files(), 0);
}

static void test_obstacles_to_write(void) {
        _cleanup_free_ char *elsewhere = NULL;

        /* whatever lies in the new file's place is not written to */
        private_run_clear();
        file_write("/run/elsewhere", "untouched\n");
        directory_make(RUNTIME_DIR);
        file_link(RUNTIME_DIR "/." RECORD_GPU ".new", "/run/elsewhere");
        assert_int(record_write(RECORD_GPU, "new\n"), 0);
        assert_record("new");
        assert_int(count_files(), 1);
        elsewhere = file_read("/run/elsewhere");
        assert_str(elsewhere, "untouched\n");
        free(elsewhere);
        assert_int(mkfifo(RUNTIME_DIR "/." RECORD_GPU ".new", 0644), 0);
        assert_int(record_write(RECORD_GPU, "newer\n"), 0);
        assert_record("newer");
        directory_make(RUNTIME_DIR "/." RECORD_GPU ".new");
        assert_int(record_write(RECORD_GPU, "newest\n"), -EISDIR);
        assert_record("newer");

        /* one in the record's own place gives way */
        private_run_clear();
        file_write("/run/elsewhere", "untouched\n");
        file_link(PATH, "/run/elsewhere");
        assert_int(record_write(RECORD_GPU, "new\n"), 0);
        assert_record("new");
        elsewhere = file_read("/run/elsewhere");
        assert_str(elsewhere, "untouched\n");

        /* a directory does not */
        private_run_clear();
        directory_make(PATH);
        assert_int(record_write(RECORD_GPU, "new\n"), -EISDIR);
        assert_int(count_files(), 1);

        /* and the directory of the records is a directory */
        private_run_clear();
        directory_make("/run/elsewhere");
        file_link(RUNTIME_DIR, "/run/elsewhere");
        assert_int(record_write(RECORD_GPU, "new\n"), -ENOTDIR);
        private_run_clear();
        file_write(RUNTIME_DIR, "");
        assert_int(record_write(RECORD_GPU, "new\n"), -ENOTDIR);
        assert_unreadable(-ENOTDIR);
}

static void write_bytes(const char *bytes, size_t size) {
        _cleanup_close_ int fd = -1;

        directory_make(RUNTIME_DIR);
        fd = open(PATH, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int(write(fd, bytes, size), size);
}

static void test_hostile_contents(void) {
        char large[4097];

        private_run_clear();
        file_write(PATH, "no newline");
        assert_unreadable(-EBADMSG);
        file_write(PATH, "one line\nand a half");
        assert_unreadable(-EBADMSG);
        write_bytes("a\0b\n", 4);
        assert_unreadable(-EBADMSG);
        write_bytes("a\n\0", 3);
        assert_unreadable(-EBADMSG);

        /* the largest, and one that is too large */
        memset(large, '\n', sizeof(large));
        write_bytes(large, sizeof(large));
        assert_unreadable(-EBADMSG);
        {
                _cleanup_strv_free_ char **lines = NULL;

                write_bytes(large, sizeof(large) - 1);
                assert_int(record_read(RECORD_GPU, &lines), sizeof(large) - 1);
        }

        /* nothing at all has no lines */
        {
                _cleanup_strv_free_ char **lines = NULL;

                file_write(PATH, "");
                assert_int(record_read(RECORD_GPU, &lines), 0);
                assert_true(lines && !lines[0]);
        }
}

static void test_hostile_files(void) {
        private_run_clear();
        directory_make(PATH);
        assert_unreadable(-EBADMSG);

        private_run_clear();
        file_write("/run/elsewhere", "elsewhere\n");
        file_link(PATH, "/run/elsewhere");
        assert_unreadable(-ELOOP);
        assert_int(record_remove(RECORD_GPU), 0);
        assert_true(access("/run/elsewhere", F_OK) == 0);

        /* a FIFO neither keeps us waiting nor is an empty record */
        private_run_clear();
        directory_make(RUNTIME_DIR);
        assert_int(mkfifo(PATH, 0600), 0);
        assert_unreadable(-EBADMSG);
}

static void test_binding_round_trip(void) {
        static const struct {
                const char *line;
                Binding b;
        } cases[] = {
                {"0000:00:02.0 i915 i915\n",
                        {(char *)"0000:00:02.0", (char *)"i915", (char *)"i915"}},
                {"0000:00:1f.3 sof-audio-pci-intel-tgl snd_sof_pci_intel_tgl\n",
                        {(char *)"0000:00:1f.3", (char *)"sof-audio-pci-intel-tgl",
                                (char *)"snd_sof_pci_intel_tgl"}},
                {"10000:e1:00.7 i915 -\n", {(char *)"10000:e1:00.7", (char *)"i915", NULL}},
                {"0000:00:02.0 - -\n", {(char *)"0000:00:02.0", NULL, NULL}},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                _cleanup_free_ char *line = binding_format(&cases[i].b);
                _cleanup_(binding_done) Binding b = {};

                assert_str(line, cases[i].line);
                line[strlen(line) - 1] = '\0';
                assert_int_in(line, binding_parse(line, &b), 0);
                assert_str(b.address, cases[i].b.address);
                assert_str(b.driver, cases[i].b.driver);
                assert_str(b.module, cases[i].b.module);
        }
}

static void test_binding_hostile(void) {
        static const char *const lines[] = {
                "",
                " ",
                "0000:00:02.0",
                "0000:00:02.0 ",
                "0000:00:02.0 i915",
                "0000:00:02.0 i915 ",
                "0000:00:02.0 i915  i915",
                "0000:00:02.0  i915 i915",
                " 0000:00:02.0 i915 i915",
                "0000:00:02.0 i915 i915 ",
                "0000:00:02.0 i915 i915 more",
                "0000:00:02.0\ti915\ti915",
                "0000:00:02.0 i915 i915\n",
                "0000:00:02.8 i915 i915",
                "0000:00:20.0 i915 i915",
                "00:02.0 i915 i915",
                "../../x i915 i915",
                "- i915 i915",
                "0000:00:02.0 ../i915 i915",
                "0000:00:02.0 i915 ../i915",
                "0000:00:02.0 i915/bind i915",
                "0000:00:02.0 . .",
                "0000:00:02.0 .. -",
                "0000:00:02.0 i\xc3\xa9 -",
                "0000:00:02.0 $(reboot) -",
        };
        _cleanup_free_ char *long_enough = NULL, *too_long = NULL;
        _cleanup_(binding_done) Binding good = {};

        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                Binding b = {};

                assert_int_in(lines[i], binding_parse(lines[i], &b), -EBADMSG);
                assert_true(!b.address && !b.driver && !b.module);
        }

        long_enough = format("0000:00:02.0 %063d -", 0);
        assert_int(binding_parse(long_enough, &good), 0);
        assert_int(strlen(good.driver), 63);
        too_long = format("0000:00:02.0 %064d -", 0);
        assert_int(binding_parse(too_long, &good), -EBADMSG);
        assert_int(strlen(good.driver), 63);
}

int main(void) {
        private_run_enter();
        test_none();
        test_round_trip();
        test_add();
        test_failed_write();
        test_left_over();
        test_obstacles_to_write();
        test_hostile_contents();
        test_hostile_files();
        test_binding_round_trip();
        test_binding_hostile();
        return 0;
}
