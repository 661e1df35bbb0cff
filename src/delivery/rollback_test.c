// SPDX-License-Identifier: Apache-2.0
#include "delivery/rollback.h"

#include "base/test.h"

static struct arena arena;
static struct err_ctx ctx;

static struct rollback_values values(const char *version) {
    return (struct rollback_values){ { STR("shop"), STR("production"), str_of(version), STR("v141"),
                                       STR("8c1f2a"), STR("77aa01") } };
}

static enum err write_with(const char *template, const char *version, struct str *out) {
    struct rollback_values v = values(version);
    ctx = (struct err_ctx){ 0 };
    return rollback_write(&arena, test_exact(str_of(template)), &v, out, &ctx);
}

static const char *written(const char *template, const char *version) {
    struct str out;
    if (write_with(template, version, &out) != ERR_OK) return ctx.text;
    return str_z(&arena, out);
}

TEST(rollback_puts_in_what_is_known) {
    arena_init(&arena, SIZE_MAX, NULL);
    CHECK_STR(str_of(written("helm rollback {service} -n {environment}", "v142")),
              str_of("helm rollback shop -n production"));
    CHECK_STR(str_of(written("deploy {service}:{previous} # not {version}", "v142")),
              str_of("deploy shop:v141 # not v142"));
    CHECK_STR(str_of(written("git revert {previous_sha}..{sha}", "v142")),
              str_of("git revert 77aa01..8c1f2a"));
    CHECK_STR(str_of(written("echo '{{\"a\":1}' $(date) \"$HOME\" ${{HOME}", "")),
              str_of("echo '{\"a\":1}' $(date) \"$HOME\" ${HOME}"));
    arena_fini(&arena);
}

// What a shell makes of each is the value itself, as one word: tests/api runs them through one.
TEST(rollback_quotes_whatever_a_version_holds) {
    static const char *const rows[][2] = {
        { "v1; rm -rf /", "x 'v1; rm -rf /'" },
        { "$(id)", "x '$(id)'" },
        { "`id`", "x '`id`'" },
        { "it's", "x 'it'\\''s'" },
        { "'", "x ''\\'''" },
        { "a b", "x 'a b'" },
        { "\\", "x '\\'" },
        { "*", "x '*'" },
        { "~root", "x '~root'" },
        { "a=b", "x 'a=b'" },
        { "v1&&id|sh>f", "x 'v1&&id|sh>f'" },
        { "{previous}", "x '{previous}'" },
        { "\xc3\xa4", "x '\xc3\xa4'" },
        { "reg/a:1@sha256:0f", "x reg/a:1@sha256:0f" },
    };
    arena_init(&arena, SIZE_MAX, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(str_of(written("x {version}", rows[i][0])), str_of(rows[i][1]));
    arena_fini(&arena);
}

TEST(rollback_refuses_values_that_no_command_should_hold) {
    static const struct {
        const char *version, *why;
        enum err e;
    } rows[] = {
        { "", "{version} is not known of this rollout", ERR_NOT_FOUND },
        { "--kubeconfig=/tmp/x", "{version} begins with -, which tools take for an option", ERR_INVALID },
        { "v1\nid", "{version} has characters that cannot be seen", ERR_INVALID },
        { "v1\x1b[201~", "{version} has characters that cannot be seen", ERR_INVALID },
        { "v1\xe2\x80\xae", "{version} has characters that cannot be seen", ERR_INVALID },
        { "v1\xff", "{version} has characters that cannot be seen", ERR_INVALID },
    };
    struct str out;
    char longest[ROLLBACK_VALUE_MAX + 2];
    arena_init(&arena, SIZE_MAX, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(write_with("x {version}", rows[i].version, &out) == rows[i].e);
        CHECK_STR(str_of(ctx.text), str_of(rows[i].why));
    }
    memset(longest, 'v', sizeof longest);
    longest[ROLLBACK_VALUE_MAX + 1] = 0;
    CHECK(write_with("x {version}", longest, &out) == ERR_INVALID);
    longest[ROLLBACK_VALUE_MAX] = 0;
    CHECK_OK(write_with("x {version}", longest, &out));
    CHECK_OK(write_with("x {previous}", "", &out)); // what is not named need not be known
    arena_fini(&arena);
}

TEST(rollback_survives_each_failed_allocation) {
    struct rollback_values v = values("v 1");
    struct str out = { 0 };
    enum err e = ERR_NOMEM;
    for (uint64_t n = 1; e != ERR_OK; n++) {
        CHECK(n < 20);
        arena_init(&arena, SIZE_MAX, NULL);
        mem_fail_at(n, false);
        e = rollback_write(&arena, STR("x {version}"), &v, &out, &ctx);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        if (e == ERR_OK) CHECK_STR(out, STR("x 'v 1'"));
        arena_fini(&arena);
    }
}

TEST(rollback_templates_say_what_is_wrong_with_them) {
    static const char *const rows[][2] = {
        { "x {verison}",
          "there is no placeholder {verison}; there are {service}, {environment}, {version}, {previous}, "
          "{sha}, {previous_sha}, and {{ stands for a {" },
        { "x {version", "a { is not closed; {{ stands for a {" },
        { "x '{version}'", "a placeholder stands within quotes: Takt quotes its value itself" },
        { "x \"{version}\"", "a placeholder stands within quotes: Takt quotes its value itself" },
        { "x \"a\\\"{version}\"", "a placeholder stands within quotes: Takt quotes its value itself" },
        { "x ${version}", "a placeholder stands behind $: expected it alone, as {version}" },
        { "x $'it\\'s {version}'", "$ before a quote is no POSIX shell" },
        { "x \\{version}", "a backslash stands before {: {{ stands for a {" },
        { "x `echo {version}`", "it has a `: expected $(…)" },
        { "x \"`echo {version}`\"", "it has a `: expected $(…)" },
        { "x $(({version}))", "it has (( or $[: arithmetic would look into the values" },
        { "x $[ {version} ]", "it has (( or $[: arithmetic would look into the values" },
        { "x \"$(y \"{version}\")\"", "it has $( or ${ within quotes: expected them outside" },
        { "x \"${{X:-\"{version}\"}\"", "it has $( or ${ within quotes: expected them outside" },
        { "x 'it", "a quote is not closed" },
        { "x \\", "it ends with a backslash" },
        { "x\n{version}", "it has characters that cannot be seen" },
        { "", "it is empty" },
    };
    char longest[ROLLBACK_TEMPLATE_MAX + 2];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ctx = (struct err_ctx){ 0 };
        CHECK(rollback_check(test_exact(str_of(rows[i][0])), &ctx) == ERR_INVALID);
        CHECK(str_starts(str_of(ctx.text), str_of(rows[i][1])));
    }
    memset(longest, 'x', sizeof longest);
    longest[ROLLBACK_TEMPLATE_MAX + 1] = 0;
    CHECK(rollback_check(str_of(longest), &ctx) == ERR_INVALID);
    longest[ROLLBACK_TEMPLATE_MAX] = 0;
    CHECK_OK(rollback_check(str_of(longest), &ctx));
    CHECK_OK(rollback_check(STR("x 'a' {version} \"b $HOME\" \\' {sha} $(y {service})"), &ctx));
}
