/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/cleanup.h"
#include "common/text.h"
#include "test.h"

static void assert_printable(const char *text, const char *expected) {
        _cleanup_free_ char *printable = text_printable(text);

        assert_str(printable, expected);
}

static void test_printable(void) {
        assert_printable("", "");
        assert_printable("win11 \xc3\xa4 (1)", "win11 \xc3\xa4 (1)");
        assert_printable("a\nb\033[31m\x7f", "a?b?[31m?");
        /* the other control characters: a terminal's CSI */
        assert_printable("\xc2\x80\xc2\x9b"
                         "31m\xc2\xa0",
                "??31m\xc2\xa0");
        /* not UTF-8: cut, without a beginning, too long, of a pair, too large */
        assert_printable("a\xd1", "a?");
        assert_printable("\xe2\x82x\xf0\x9f\x98", "??x???");
        assert_printable("\x80\xff\xfe", "???");
        assert_printable("\xc0\xaf\xe0\x9f\xbf\xf0\x8f\xbf\xbf", "?????????");
        assert_printable("\xed\xa0\x80\xf4\x90\x80\x80", "???????");
        assert_printable("\xf5\x80\x80\x80", "????");
        assert_printable("\xe2\x82\xac\xed\x9f\xbf\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf",
                "\xe2\x82\xac\xed\x9f\xbf\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf");
}

static void assert_quoted(const char *text, const char *expected) {
        _cleanup_free_ char *quoted = text_quote(text);

        assert_str(quoted, expected);
}

static void test_quote(void) {
        assert_quoted("win11", "win11");
        assert_quoted("/etc/libvirt/hooks/qemu.d/a_b-c.1", "/etc/libvirt/hooks/qemu.d/a_b-c.1");
        assert_quoted("", "''");
        assert_quoted("Windows 11", "'Windows 11'");
        assert_quoted("a;reboot", "'a;reboot'");
        assert_quoted("$(reboot)~", "'$(reboot)~'");
        assert_quoted("'", "''\\'''");
        assert_quoted("it's\nÄ", "'it'\\''s?Ä'");
}

static void assert_without(const char *text, const char *expected) {
        char *const names[] = {(char[]){"anna"}, (char[]){"anna.smith"}, (char[]){"i"},
                (char[]){"my-host"}, (char[]){""}, NULL};
        _cleanup_free_ char *written = NULL;
        size_t size;
        FILE *f = open_memstream(&written, &size);

        assert_true(f);
        text_write_without(f, text, names);
        assert_int(fclose(f), 0);
        assert_str(written, expected);
}

static void test_without(void) {
        assert_without("", "");
        assert_without("anna", "[name]");
        assert_without("user anna, anna.", "user [name], [name].");
        assert_without("anna.smith@my-host:/home/anna", "[name]@[name]:/home/[name]");
        /* the longest, and what goes on behind it */
        assert_without("anna.smithson", "[name].smithson");
        assert_without("i915 xi _i i_ i-x hannah my-hosts", "i915 xi _i i_ i-x hannah my-hosts");
        assert_without("i\ni", "[name]\n[name]");
}

int main(void) {
        test_printable();
        test_quote();
        test_without();
        return 0;
}
