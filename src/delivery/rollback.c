// SPDX-License-Identifier: Apache-2.0
#include "delivery/rollback.h"

static const char *const names[] = { "service", "environment", "version", "previous", "sha", "previous_sha" };
#define NAMES_LISTED "{service}, {environment}, {version}, {previous}, {sha}, {previous_sha}"

struct filling {
    struct str rest;                      // of the template
    char quote;                           // that is open: ' or "; 0: none
    char last;                            // before the rest; 0: nothing
    const struct rollback_values *values; // NULL: the template is only checked
    struct buf *out;
    struct err_ctx *ctx;
};

static enum err wrong(struct filling *f, const char *why) {
    return err_set(f->ctx, ERR_INVALID, "%s", why);
}

static bool starts(const struct filling *f, const char *text) {
    return str_starts(f->rest, str_of(text));
}

// Copies so many bytes.
static void copy(struct filling *f, size_t n) {
    if (f->values) buf_str(f->out, str_sub(f->rest, 0, n));
    f->last = f->rest.ptr[n - 1];
    f->rest = str_sub(f->rest, n, f->rest.len);
}

// --- values ------------------------------------------------------------------------------------------------

// Whatever a shell takes as it is.
static bool is_plain(struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && !strchr("._/:@+-", c)) return false;
    }
    return true;
}

static bool is_shown(struct str s) {
    for (size_t i = 0, n; i < s.len; i += n) {
        struct str at = str_sub(s, i, s.len);
        n = str_utf8_len(at);
        unsigned char c = (unsigned char)at.ptr[0];
        if (!n || c < 0x20 || c == 0x7f || str_is_unseen(str_sub(at, 0, n))) return false;
    }
    return true;
}

static enum err check_value(struct filling *f, enum rollback_name name, struct str v) {
    if (!v.len) return err_set(f->ctx, ERR_NOT_FOUND, "{%s} is not known of this rollout", names[name]);
    if (v.len > ROLLBACK_VALUE_MAX)
        return err_set(f->ctx, ERR_INVALID, "{%s} is longer than %d bytes", names[name], ROLLBACK_VALUE_MAX);
    if (v.ptr[0] == '-')
        return err_set(f->ctx, ERR_INVALID, "{%s} begins with -, which tools take for an option",
                       names[name]);
    if (!is_shown(v))
        return err_set(f->ctx, ERR_INVALID, "{%s} has characters that cannot be seen", names[name]);
    return ERR_OK;
}

static void put_quoted(struct buf *out, struct str v) {
    struct str part;
    buf_char(out, '\'');
    for (bool more = true; more;) {
        more = str_cut(v, '\'', &part, &v);
        buf_str(out, part);
        if (more) buf_str(out, STR("'\\''"));
    }
    buf_char(out, '\'');
}

static enum err put_value(struct filling *f, enum rollback_name name) {
    if (!f->values) return ERR_OK;
    struct str v = f->values->of[name];
    TRY(check_value(f, name, v));
    if (is_plain(v))
        buf_str(f->out, v);
    else
        put_quoted(f->out, v);
    return ERR_OK;
}

// --- the template ------------------------------------------------------------------------------------------

static enum err take_placeholder(struct filling *f) {
    struct str name, rest;
    bool closed = str_cut(str_sub(f->rest, 1, f->rest.len), '}', &name, &rest);
    for (unsigned i = 0; closed && i < ROLLBACK_NAMES; i++) {
        if (!str_eq(name, str_of(names[i]))) continue;
        if (f->quote) return wrong(f, "a placeholder stands within quotes: Takt quotes its value itself");
        if (f->last == '$') return wrong(f, "a placeholder stands behind $: expected it alone, as {version}");
        f->last = '}';
        f->rest = rest;
        return put_value(f, (enum rollback_name)i);
    }
    if (!closed) return wrong(f, "a { is not closed; {{ stands for a {");
    struct str shown = str_sub(name, 0, 40);
    return err_set(f->ctx, ERR_INVALID,
                   "there is no placeholder {%.*s}; there are " NAMES_LISTED ", and {{ stands for a {",
                   STR_ARG(shown));
}

static enum err take_backslash(struct filling *f) {
    if (f->rest.len < 2) return wrong(f, "it ends with a backslash");
    if (f->rest.ptr[1] == '{') return wrong(f, "a backslash stands before {: {{ stands for a {");
    copy(f, 2);
    f->last = 0; // what was escaped opens nothing
    return ERR_OK;
}

static enum err take_quote(struct filling *f) {
    char c = f->rest.ptr[0];
    if (!f->quote && f->last == '$') return wrong(f, "$ before a quote is no POSIX shell");
    if (!f->quote)
        f->quote = c;
    else if (f->quote == c)
        f->quote = 0;
    copy(f, 1);
    return ERR_OK;
}

static enum err take_char(struct filling *f) {
    char c = f->rest.ptr[0];
    if (c == '{' && starts(f, "{{")) {
        f->rest = str_sub(f->rest, 1, f->rest.len);
        copy(f, 1);
        return ERR_OK;
    }
    if (c == '{') return take_placeholder(f);
    if (c == '\'' || c == '"') return take_quote(f);
    if (f->quote != '\'') {
        if (c == '\\') return take_backslash(f);
        if (c == '`') return wrong(f, "it has a `: expected $(…)");
        if (starts(f, "((") || starts(f, "$["))
            return wrong(f, "it has (( or $[: arithmetic would look into the values");
        // Quotes begin anew inside these, so that what looks quoted is not.
        if (f->quote && (starts(f, "$(") || starts(f, "${")))
            return wrong(f, "it has $( or ${ within quotes: expected them outside");
    }
    copy(f, 1);
    return ERR_OK;
}

static enum err fill(struct filling *f) {
    if (!f->rest.len) return wrong(f, "it is empty");
    if (f->rest.len > ROLLBACK_TEMPLATE_MAX)
        return err_set(f->ctx, ERR_INVALID, "longer than %d bytes", ROLLBACK_TEMPLATE_MAX);
    if (!is_shown(f->rest)) return wrong(f, "it has characters that cannot be seen");
    while (f->rest.len) TRY(take_char(f));
    return f->quote ? wrong(f, "a quote is not closed") : ERR_OK;
}

enum err rollback_check(struct str template, struct err_ctx *ctx) {
    struct filling f = { .rest = template, .ctx = ctx };
    return fill(&f);
}

enum err rollback_write(struct arena *a, struct str template, const struct rollback_values *v,
                        struct str *out, struct err_ctx *ctx) {
    struct buf b;
    buf_init(&b, ROLLBACK_COMMAND_MAX);
    struct filling f = { .rest = template, .values = v, .out = &b, .ctx = ctx };
    enum err e = fill(&f);
    if (e == ERR_OK && b.failed) e = ERR_NOMEM;
    if (e == ERR_OK) *out = str_dup(a, buf_view(&b));
    buf_fini(&b);
    return e == ERR_OK && a->failed ? ERR_NOMEM : e;
}
