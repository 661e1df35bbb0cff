// SPDX-License-Identifier: Apache-2.0
// Regular expressions: RE2's syntax and meaning, whole values, limits, threads.
#include <pthread.h>

#include "base/test.h"
#include "traceql/regex_internal.h"

static struct ql_regex *regex(const char *pattern) {
    struct ql_regex *r = NULL;
    struct err_ctx ctx = { 0 };
    if (ql_regex_new(test_exact(str_of(pattern)), &r, &ctx) == ERR_OK) return r;
    printf("# %s: %u %s\n", pattern, ctx.column, ctx.text);
    CHECK(!"it compiles");
    return NULL;
}

static bool matches(const struct ql_regex *r, struct str s) {
    bool out = false;
    CHECK_OK(ql_regex_match(r, s, &out));
    return out;
}

TEST(regex_matches_whole_values) {
    static const struct {
        const char *pattern, *yes, *no; // texts with a bar between them
    } cases[] = {
        { "GET", "GET", "GET /|xGET|get|" },
        { "GET.*", "GET|GET /", "xGET|GE" },
        { ".*GET", "GET|xGET", "GETx" },
        { ".*GET.*", "GET|xGETx", "GE T" },
        { "a.*b.*c", "abc|axbxc|abbcc", "ab|acb|xabc" },
        { "a.*a", "aa|axa", "a" },
        { ".*", "|x", NULL },
        { ".*.*", "|x", NULL },
        { "", "", "x" },
        { "a|b|", "a|b|", "c|ab" },
        { "(a|b)", "a|b", "c|ab" },
        { "(?:foo|bar)", "foo|bar", "fo" },
        { "a|b.*", "a|b|bx", "ax" },
        { "foo\\.bar", "foo.bar", "fooxbar" },
        { "foo.bar", "foo.bar|fooxbar|foo\nbar", "foobar" },
        { "a\\|b", NULL, "a" },
        { "x+", "x|xxx", "|xy" },
        { "x{2,3}", "xx|xxx", "x|xxxx" },
        { "x{,3}", "x{,3}", "xx" },
        { "x{", "x{", "x" },
        { "a}]", "a}]", "a" },
        { "[]a]+", "]a]", "b" },
        { "[^]a]", "b", "]|a" },
        { "[a-c-]+", "a-c", "d" },
        { "[[:digit:]a]+", "1a2", "b" },
        { "[[:^digit:]]+", "ab", "1" },
        { "[[]x]*", "[x]|[x]]", "x|[[x]" },
        { "[[:word:]-]+", "a_1-", "a b" },
        { "[[:a]b", "[b|:b|ab", "b|[:ab" },
        { "[\\d\\s]+", "1 2", "a|\v" },
        { "[^\\S]", " ", "a|\v" },
        { "[\\S]", "a|\v", " " },
        { "\\s", " |\t", "\v|x" },
        { "\\S+", "a\vb", " " },
        { "\\w+\\W\\d\\D", "a_1-5x", "a_15x" },
        { "\\w", "a", "\xc3\xa4" },
        { ".", "\xc3\xa4|a", "ab" },
        { "\xc3\xa4+", "\xc3\xa4\xc3\xa4", "\xc3" },
        { "(?i)get", "GET|Get", "GE" },
        { "(?i:g)et", "Get|get", "GET" },
        { "(?i)\xc3\xa4", "\xc3\x84|\xc3\xa4", "a" },
        { "(?-s).*x", "yx", "y\nx" },
        { "(?-s)a.b", "axb", "a\nb" },
        { "(?m)a$\nb", "a\nb", "a" },
        { "a$", "a", "a\n" },
        { "^a", "a", "ba" },
        { "^*a", "a", "b" },
        { "a\\z", "a", "a\n" },
        { "\\Aa", "a", "ba" },
        { "a\\b.*", "a b|a", "ab" },
        { "(?U)a+", "aa", "b" },
        { "a+?b??", "aa|aab", "b" },
        { "(?P<name>a)(?<other>b)", "ab", "a" },
        { "\\x41\\x{42}\\103\\t", "ABC\t", "ABC" },
        { "\\Qa.b*\\E+", "a.b*|a.b**", "axb" },
        { "\\Qa.b", "a.b", "axb" },
        { "\\pL+", "a\xc3\xa4", "1" },
        { "\\p{Greek}+", "\xce\xb1", "a" },
        { "\\P{Greek}", "a", "\xce\xb1" },
        { "\\p{^Lu}", "a", "A" },
        { "[\\p{Lu}\\d]+", "A1", "a" },
        { "\\a\\f\\v\\n\\r", "\a\f\v\n\r", "x" },
        { "\\-\\/\\_\\@", "-/_@", "x" },
        { "a#b c", "a#b c", "a" },
        { "()", "", "x" },
        { "(|a)+", "|aa", "b" },
        { "(a*)*", "|aa", "b" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ql_regex *r = regex(cases[i].pattern);
        CHECK_STR(ql_regex_pattern(r), str_of(cases[i].pattern));
        for (int yes = 0; yes < 2; yes++) {
            const char *list = yes ? cases[i].yes : cases[i].no;
            struct str text, all = str_of(list);
            bool more = list != NULL;
            while (more) {
                more = str_cut(all, '|', &text, &all);
                bool got = matches(r, test_exact(text));
                if (got != yes) printf("# %s on '%.*s'\n", cases[i].pattern, STR_ARG(text));
                CHECK(got == yes);
            }
        }
        ql_regex_free(r);
    }
}

TEST(regex_refuses_what_re2_does_not_have) {
    static const struct {
        const char *pattern;
        uint32_t column;
    } cases[] = {
        { "(a)\\1", 4 },
        { "x[[:foo:]]", 3 },
        { "[a[:alphas:]]", 3 },
        { "[[::]]", 2 },
        { "[[:^:]]", 2 },
        { "[[:alpha alpha:]]", 2 },
        { "[[:a]b:]", 2 },
        { "a(?=b)", 2 },
        { "a(?!b)", 2 },
        { "(?<=a)b", 1 },
        { "(?<!a)b", 1 },
        { "(?>a)", 1 },
        { "a++", 3 },
        { "a*+", 3 },
        { "a?+", 3 },
        { "a{2}+", 5 },
        { "a**", 3 },
        { "a+*", 3 },
        { "a{2}{3}", 5 },
        { "a*??", 4 },
        { "(?R)", 1 },
        { "(?1)", 1 },
        { "(?&n)", 1 },
        { "(?P>n)", 1 },
        { "(?P=n)", 1 },
        { "(?(1)a|b)", 1 },
        { "(?C1)", 1 },
        { "(?|a)", 1 },
        { "(?#a)", 1 },
        { "(*UTF)a", 1 },
        { "(*ACCEPT)", 1 },
        { "(?x)a b", 1 },
        { "(?J)a", 1 },
        { "(?'n'a)", 1 },
        { "(?<n", 1 },
        { "(?P<n-m>a)", 1 },
        { "\\K", 1 },
        { "\\G", 1 },
        { "\\R", 1 },
        { "\\X", 1 },
        { "\\C", 1 },
        { "\\Z", 1 },
        { "\\h", 1 },
        { "\\H", 1 },
        { "\\N", 1 },
        { "\\k<n>", 1 },
        { "\\g1", 1 },
        { "\\E", 1 },
        { "\\q", 1 },
        { "\\", 1 },
        { "a\\", 2 },
        { "\\xg", 1 },
        { "\\x{110000}", 1 },
        { "\\x{}", 1 },
        { "\\x4", 1 },
        { "\\x{d800}", 1 },
        { "\\p", 1 },
        { "\\p{", 1 },
        { "\\p{greek}", 1 },
        { "\\p{Xan}", 1 },
        { "\\p{L&}", 1 },
        { "\\p{scx:Greek}", 1 },
        { "\\p{Klingon}", 1 },
        { "(", 1 },
        { "(a", 1 },
        { "a)", 2 },
        { "[", 1 },
        { "[]", 1 },
        { "[^]", 1 },
        { "a[b", 2 },
        { "[b-a]", 2 },
        { "[\\d-z]", 2 },
        { "*", 1 },
        { "+a", 1 },
        { "a|*", 3 },
        { "(*a)", 1 },
        { "(?i)*", 5 },
        { "a{1001}", 2 },
        { "a{2,1}", 2 },
        { "(?i", 1 },
        { "(?i-)", 1 },
        { "\xc3\xa4*+", 3 },
        { "[\\b]", 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ql_regex *r = NULL;
        struct err_ctx ctx = { 0 };
        enum err e = ql_regex_new(test_exact(str_of(cases[i].pattern)), &r, &ctx);
        if (e != ERR_INVALID || ctx.column != cases[i].column)
            printf("# %s: %d %u %s\n", cases[i].pattern, (int)e, ctx.column, ctx.text);
        CHECK(e == ERR_INVALID && ctx.text[0] && ctx.column == cases[i].column);
    }
}

TEST(regex_text_that_is_not_utf8_never_matches) {
    static const char *const patterns[] = { ".*", "a.*", ".*b", ".*a.*", ".", "[^x]+", "(?i)a.b" };
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct ql_regex *r = regex(patterns[i]);
        CHECK(!matches(r, STR("a\xff"
                              "b")));
        CHECK(!matches(r, STR("\xff")));
        ql_regex_free(r);
    }
}

TEST(regex_usual_forms_need_no_machine) {
    static const struct {
        const char *pattern;
        enum regex_form form;
    } cases[] = {
        { "a", REGEX_WORDS },     { "a|b", REGEX_WORDS },      { "(a|b)", REGEX_WORDS },
        { "a\\.b", REGEX_WORDS }, { "a.*", REGEX_PIECES },     { ".*a.*b", REGEX_PIECES },
        { ".*", REGEX_PIECES },   { "a\\..*", REGEX_PIECES },  { "a.*|b", REGEX_PCRE },
        { "(a)(b)", REGEX_PCRE }, { "a\\d", REGEX_PCRE },      { "a.*?", REGEX_PCRE },
        { "a\\.*", REGEX_PCRE },  { "[a]", REGEX_PCRE },       { "(?i)a", REGEX_PCRE },
        { "a\\|b", REGEX_PCRE },  { "a\\\\.*", REGEX_PIECES }, { "^a$", REGEX_PCRE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ql_regex *r = regex(cases[i].pattern);
        if (r->form != cases[i].form) printf("# %s\n", cases[i].pattern);
        CHECK(r->form == cases[i].form);
        ql_regex_free(r);
    }
}

// Random patterns of simple pieces over a small alphabet: the quick forms agree with PCRE.
TEST(regex_usual_forms_agree_with_the_machine) {
    static const char *const pieces[] = { "a", "b", ".*", "\\.", ".", "|", "ab", "(", ")", "\\\\", "c+" };
    for (int i = 0; i < 3000; i++) {
        char pattern[64] = "", text[16];
        for (uint64_t n = 1 + test_below(6); n > 0; n--) (void)strcat(pattern, pieces[test_below(11)]);
        struct ql_regex *r = NULL;
        struct err_ctx ctx = { 0 };
        if (ql_regex_new(str_of(pattern), &r, &ctx) != ERR_OK) continue;
        enum regex_form form = r->form;
        for (int k = 0; k < 8; k++) {
            size_t len = test_below(7);
            for (size_t c = 0; c < len; c++) text[c] = "ab.|\\c"[test_below(6)];
            struct str s = { text, len };
            r->form = form;
            bool quick = matches(r, s);
            r->form = REGEX_PCRE;
            if (matches(r, s) != quick) printf("# %s on %.*s\n", pattern, STR_ARG(s));
            CHECK(matches(r, s) == quick);
        }
        ql_regex_free(r);
    }
}

TEST(regex_knows_what_matches_begin_with) {
    static const struct {
        const char *pattern, *prefix;
    } cases[] = {
        { "/api/v2/order/4[0-9]{3}", "/api/v2/order/4" },
        { "ab+", "ab" },
        { "ab*", "a" },
        { "ab?c", "a" },
        { "ab{0,1}", "a" },
        { "a\\.b\\d", "a.b" },
        { "a\\.?b", "a" },
        { "a\xc3\xa4*", "a" },
        { "a\xc3\xa4+", "a\xc3\xa4" },
        { "x(a|b)+", "x" },
        { "xa+|b", "" },
        { "x[a|b]+", "" },
        { "(?i)ab+", "" },
        { "^ab+", "" },
        { "\\Qa+\\E", "" },
        { "ab(?i)c+", "ab" },
        { "a\\", NULL },
    };
    for (size_t i = 0; cases[i].prefix; i++) {
        struct ql_regex *r = regex(cases[i].pattern);
        CHECK_U64(r->form, REGEX_PCRE);
        CHECK_STR(r->prefix, str_of(cases[i].prefix));
        ql_regex_free(r);
    }
}

// Patterns of a few characters against texts of the same, with and without their prefix.
TEST(regex_prefix_changes_no_match) {
    static const char *const pieces[] = { "a", "b", "a",   "b", "\\.", "[ab]", "+",
                                          "*", "?", "{2}", "|", "(",   ")",    "." };
    for (int round = 0; round < 20000; round++) {
        char pattern[64] = "", text[8] = "";
        struct ql_regex *r;
        struct err_ctx ctx = { 0 };
        bool with[8], without[8];
        struct str texts[8];
        for (uint64_t n = test_below(7); n > 0; n--)
            strcat(pattern, pieces[test_below(sizeof pieces / sizeof *pieces)]);
        if (ql_regex_new(str_of(pattern), &r, &ctx) != ERR_OK) continue;
        for (size_t i = 0; i < sizeof text - 1; i++) text[i] = "ab."[test_below(3)];
        for (size_t i = 0; i < 8; i++) texts[i] = (struct str){ text, i };
        CHECK_OK(ql_regex_match_many(r, texts, 8, with));
        r->prefix = STR("");
        for (size_t i = 0; i < 8; i++) CHECK_OK(ql_regex_match(r, texts[i], &without[i]));
        CHECK(memcmp(with, without, sizeof with) == 0);
        ql_regex_free(r);
    }
}

TEST(regex_prefixes_of_every_length_tell_every_byte) {
    static const char *const tails[] = { "[0-9]", ".*" }; // by PCRE; by pieces
    for (size_t n = 1; n <= 20; n++)
        for (size_t t = 0; t < 2; t++) {
            char pattern[32], text[32];
            for (size_t i = 0; i < n; i++) pattern[i] = (char)('a' + test_below(26));
            memcpy(text, pattern, n);
            strcpy(pattern + n, tails[t]);
            text[n] = '7';
            struct ql_regex *r = regex(pattern);
            bool out = false;
            CHECK_OK(ql_regex_match(r, test_exact((struct str){ text, n + 1 }), &out));
            CHECK(out);
            CHECK_OK(ql_regex_match(r, test_exact((struct str){ text, n - 1 }), &out));
            CHECK(!out);
            for (size_t i = 0; i < n; i++) {
                text[i]++;
                CHECK_OK(ql_regex_match(r, test_exact((struct str){ text, n + 1 }), &out));
                CHECK(!out);
                text[i]--;
            }
            ql_regex_free(r);
        }
}

TEST(regex_catastrophes_end) {
    static const char *const patterns[] = { "(a|a)*c?", "(a*)*(a*)*(a*)*[^a]", "(a+)+[^a]" };
    char text[64];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '!';
    for (size_t i = 0; i < 3; i++) {
        struct ql_regex *r = regex(patterns[i]);
        bool out = false;
        enum err e = ql_regex_match(r, (struct str){ text, sizeof text }, &out);
        CHECK(e == ERR_LIMIT || (e == ERR_OK && i > 0));
        CHECK_OK(ql_regex_match(r, STR("aaac"), &out)); // it can be used on
        ql_regex_free(r);
    }
}

static void *match_much(void *ctx) {
    struct ql_regex *r = ctx;
    for (int i = 0; i < 2000; i++) {
        bool yes = false, no = true;
        if (ql_regex_match(r, STR("abcabcabc"), &yes) != ERR_OK || !yes) return r;
        if (ql_regex_match(r, STR("abcabcab"), &no) != ERR_OK || no) return r;
    }
    return NULL;
}

TEST(regex_is_shared_by_threads) {
    struct ql_regex *r = regex("(abc)+");
    pthread_t threads[12]; // more than the pool has places
    void *failed = NULL;
    for (int i = 0; i < 12; i++) CHECK(pthread_create(&threads[i], NULL, match_much, r) == 0);
    for (int i = 0; i < 12; i++) CHECK(pthread_join(threads[i], &failed) == 0 && !failed);
    ql_regex_free(r);
}
