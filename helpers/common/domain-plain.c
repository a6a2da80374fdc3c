/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt runs its hook for every domain of the host, and to load libxml2 (with ICU below it) takes
 * longer than all else that is done for a domain which is none of ours. What libvirt writes uses
 * very little of XML. That little is read here, and it is not more than that: at the first byte
 * that could mean something else the answer is "in doubt", also for what is wrong, so that libxml2
 * remains the one that refuses.
 *
 * tests/fuzz/fuzz-domain.c holds it against libxml2.
 */

#include <string.h>

#include "domain-plain.h"

/* far below what libxml2 has limits for */
#define DEPTH_MAX 32
#define ATTRIBUTES_MAX 16
#define NAME_SIZE_MAX 64 /* with the NUL byte */

/* A name, whose prefix is "" if it has none. */
typedef struct Name {
        const char *raw; /* where it stands in the document */
        size_t size;
        char prefix[NAME_SIZE_MAX], local[NAME_SIZE_MAX];
} Name;

typedef struct Scanner {
        const char *p, *end;
        const xmlSAXHandler *sax;
        void *userdata;

        unsigned depth;
        Name open[DEPTH_MAX]; /* the elements that have not ended */

        Name attributes[ATTRIBUTES_MAX]; /* of the current start tag */
        unsigned n_attributes;
        const xmlChar *values[5 * ATTRIBUTES_MAX]; /* as libxml2 passes them */
        int n_values;
} Scanner;

static bool is_name_start(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_char(char c) {
        return is_name_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static bool skip(Scanner *s, char c) {
        if (s->p == s->end || *s->p != c)
                return false;
        s->p++;
        return true;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\n' || c == '\t';
}

static bool is_plain_char(char c) {
        return (c >= ' ' && c <= '~') || is_blank(c);
}

static void skip_blanks(Scanner *s) {
        while (s->p < s->end && is_blank(*s->p))
                s->p++;
}

/* A part of a name: what has no colon in it. */
static bool scan_part(Scanner *s, char ret[NAME_SIZE_MAX]) {
        const char *begin = s->p;
        size_t n;

        if (s->p == s->end || !is_name_start(*s->p))
                return false;
        while (s->p < s->end && is_name_char(*s->p))
                s->p++;
        n = (size_t)(s->p - begin);
        if (n >= NAME_SIZE_MAX)
                return false;
        memcpy(ret, begin, n);
        ret[n] = '\0';
        return true;
}

static bool scan_name(Scanner *s, Name *ret) {
        ret->raw = s->p;
        ret->prefix[0] = '\0';
        if (!scan_part(s, ret->local))
                return false;
        if (skip(s, ':')) {
                strcpy(ret->prefix, ret->local);
                if (!scan_part(s, ret->local))
                        return false;
        }
        ret->size = (size_t)(s->p - ret->raw);
        return true;
}

static bool name_equal(const Name *a, const Name *b) {
        return a->size == b->size && memcmp(a->raw, b->raw, a->size) == 0;
}

/* Blanks other than a space mean a space in an attribute: not here. */
static bool scan_value(Scanner *s, const char **ret, const char **ret_end) {
        char quote = '\'';

        if (!skip(s, quote)) {
                quote = '"';
                if (!skip(s, quote))
                        return false;
        }
        *ret = s->p;
        while (s->p < s->end && *s->p >= ' ' && *s->p <= '~' && *s->p != quote && *s->p != '<' &&
                *s->p != '&')
                s->p++;
        *ret_end = s->p;
        return skip(s, quote);
}

static bool scan_attribute(Scanner *s) {
        const char *value, *end;
        Name *name;

        if (s->n_attributes == ATTRIBUTES_MAX)
                return false;
        name = &s->attributes[s->n_attributes];
        if (!scan_name(s, name) || !skip(s, '=') || !scan_value(s, &value, &end))
                return false;
        for (unsigned i = 0; i < s->n_attributes; i++)
                if (name_equal(&s->attributes[i], name))
                        return false;
        s->n_attributes++;

        /* a default namespace, and xml:space and its like, which mean something to libxml2 */
        if (strcmp(name->prefix, "xml") == 0 ||
                (!*name->prefix && strcmp(name->local, "xmlns") == 0))
                return false;
        if (strcmp(name->prefix, "xmlns") == 0)
                return true;
        s->values[s->n_values++] = (const xmlChar *)name->local;
        s->values[s->n_values++] = *name->prefix ? (const xmlChar *)name->prefix : NULL;
        s->values[s->n_values++] = NULL;
        s->values[s->n_values++] = (const xmlChar *)value;
        s->values[s->n_values++] = (const xmlChar *)end;
        return true;
}

static void end_element(Scanner *s) {
        const Name *name = &s->open[--s->depth];

        s->sax->endElementNs(s->userdata, (const xmlChar *)name->local,
                *name->prefix ? (const xmlChar *)name->prefix : NULL, NULL);
}

/* After the "<" of a start tag. */
static bool scan_start_tag(Scanner *s) {
        Name *name;
        bool is_empty;

        if (s->depth == DEPTH_MAX)
                return false;
        name = &s->open[s->depth];
        if (!scan_name(s, name))
                return false;

        s->n_attributes = 0;
        s->n_values = 0;
        while (s->p < s->end && is_blank(*s->p)) {
                skip_blanks(s);
                if (s->p < s->end && is_name_start(*s->p) && !scan_attribute(s))
                        return false;
        }
        is_empty = skip(s, '/');
        if (!skip(s, '>'))
                return false;

        s->depth++;
        s->sax->startElementNs(s->userdata, (const xmlChar *)name->local,
                *name->prefix ? (const xmlChar *)name->prefix : NULL, NULL, 0, NULL,
                s->n_values / 5, 0, s->values);
        if (is_empty)
                end_element(s);
        return true;
}

/* After the "</" of an end tag. */
static bool scan_end_tag(Scanner *s) {
        const Name *name = &s->open[s->depth - 1];

        if ((size_t)(s->end - s->p) < name->size || memcmp(s->p, name->raw, name->size) != 0)
                return false;
        s->p += name->size;
        if (!skip(s, '>'))
                return false;
        end_element(s);
        return true;
}

/* libvirt writes "&gt;"; "]]>" would be wrong. */
static void scan_text(Scanner *s) {
        const char *begin = s->p;

        while (s->p < s->end && is_plain_char(*s->p) && *s->p != '<' && *s->p != '>' &&
                *s->p != '&')
                s->p++;
        if (s->p > begin)
                s->sax->characters(s->userdata, (const xmlChar *)begin, (int)(s->p - begin));
}

/* The comments that a file of libvirt's begins with. */
static bool scan_comments(Scanner *s) {
        static const char open[] = "<!--";

        while ((size_t)(s->end - s->p) >= strlen(open) && memcmp(s->p, open, strlen(open)) == 0) {
                s->p += strlen(open);
                /* two hyphens end it, and nothing else may */
                while (s->p < s->end && is_plain_char(*s->p) &&
                        !(s->p[0] == '-' && s->end - s->p > 1 && s->p[1] == '-'))
                        s->p++;
                if (!skip(s, '-') || !skip(s, '-') || !skip(s, '>'))
                        return false;
                skip_blanks(s);
        }
        return true;
}

bool domain_plain_parse(const char *xml, size_t size, const xmlSAXHandler *sax, void *userdata) {
        Scanner s;

        /* not all of it: most names are never used */
        s.p = xml;
        s.end = xml + size;
        s.sax = sax;
        s.userdata = userdata;
        s.depth = 0;

        if (!scan_comments(&s))
                return false;
        do {
                if (!skip(&s, '<'))
                        return false;
                if (!(s.depth > 0 && skip(&s, '/') ? scan_end_tag(&s) : scan_start_tag(&s)))
                        return false;
                if (s.depth > 0)
                        scan_text(&s);
        } while (s.depth > 0);

        skip_blanks(&s);
        return s.p == s.end;
}
