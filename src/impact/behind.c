// SPDX-License-Identifier: Apache-2.0
#include "impact/behind.h"

#include "impact/scan_internal.h"

#define ENVIRONMENT "resource.deployment.environment.name"
#define OLD_ENVIRONMENT "resource.deployment.environment"
#define TYPE "event.exception.type"
#define STACK "event.exception.stacktrace"
#define SAYS_ANYTHING " =~ \".+\""

// --- texts -------------------------------------------------------------------------------------------------

static void put_is(struct buf *b, const char *field, struct str text) {
    buf_fmt(b, "%s = ", field);
    visit_quote(b, text);
}

static void put_literally(struct buf *regex, struct str text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] && strchr("\\.+*?()|[]{}^$", text.ptr[i])) buf_char(regex, '\\');
        buf_char(regex, text.ptr[i]);
    }
}

static void put_matches(struct buf *b, const char *field, struct buf *regex) {
    buf_fmt(b, "%s =~ ", field);
    visit_quote(b, buf_view(regex));
    b->failed |= regex->failed;
    buf_fini(regex);
}

static void put_is_or_begins(struct buf *b, const char *field, struct str text, bool cut) {
    struct buf regex;
    if (!cut) {
        put_is(b, field, text);
        return;
    }
    buf_init(&regex, VISIT_REGEX_MAX);
    put_literally(&regex, text);
    buf_str(&regex, STR(".*"));
    put_matches(b, field, &regex);
}

// Between the members of an alternative: the first begins it. && and || bind alike, so each that is more
// than one condition has parentheses of its own.
static void put_or(struct buf *b, bool *first) {
    buf_str(b, *first ? STR("(") : STR(" || "));
    *first = false;
}

// --- of which spans ----------------------------------------------------------------------------------------

static void put_environments(struct buf *b, const struct scan_environments *e) {
    bool first = true;
    if (!e->others) return;
    buf_str(b, STR(" && "));
    for (uint32_t i = 0; i < e->n; i++) {
        put_or(b, &first);
        if (e->items[i].by_old) buf_str(b, STR("(!(" ENVIRONMENT SAYS_ANYTHING ") && "));
        put_is(b, e->items[i].by_old ? OLD_ENVIRONMENT : ENVIRONMENT, e->items[i].name);
        if (e->items[i].by_old) buf_char(b, ')');
    }
    if (e->untold) {
        put_or(b, &first);
        buf_str(b, STR("!(" ENVIRONMENT SAYS_ANYTHING " || " OLD_ENVIRONMENT SAYS_ANYTHING ")"));
    }
    buf_char(b, ')');
}

static bool begin(struct buf *b, const struct impact_report *r, const struct scan_environments *e,
                  enum arm arm) {
    if (r->ask->flag.len || r->where_cut[arm] || (e->others && (e->cut || (!e->n && !e->untold))))
        return false;
    impact_put_service(b, "=", &r->ask->of);
    if (r->where[arm].len) buf_fmt(b, " && %.*s", STR_ARG(r->where[arm]));
    put_environments(b, e);
    return true;
}

// --- kinds of errors ---------------------------------------------------------------------------------------

// As signature_frame reads lines: blanks at their ends do not count. One that begins with none of the
// words, which is told by their letters one after the other.
static void put_line_without(struct buf *regex, const char *const *words, unsigned n) {
    buf_str(regex, STR("[ \\t]*(?:[^ \\t\\n"));
    for (unsigned i = 0; i < n; i++) buf_char(regex, words[i][0]);
    buf_str(regex, STR("][^\\n]*"));
    for (unsigned i = 0; i < n; i++)
        for (size_t k = 1; words[i][k]; k++)
            buf_fmt(regex, "|%.*s[^%c\\n][^\\n]*|%.*s[ \\t]*", (int)k, words[i], words[i][k], (int)k,
                    words[i]);
    buf_str(regex, STR(")?"));
}

// Lines that are no "at …", up to one that is or may be the innermost frame.
static void put_lines_before_frame(struct buf *regex) {
    static const char *const words[] = { "at " };
    buf_str(regex, STR("(?:"));
    put_line_without(regex, words, 1);
    buf_str(regex, STR("\\n)*[ \\t]*"));
}

// Of a stack whose innermost frame is this: the first line "at …", or without any the last one "File "…"".
static void put_frame(struct buf *b, struct str frame) {
    static const char *const words[] = { "at ", "File \"" };
    struct buf regex;
    bool file = str_starts(frame, STR("\""));
    buf_init(&regex, VISIT_REGEX_MAX);
    put_lines_before_frame(&regex);
    buf_str(&regex, file ? STR("File ") : STR("at [ \\t]*"));
    put_literally(&regex, frame);
    if (file) {
        buf_str(&regex, STR("(?:, line[^\\n]*)?[ \\t]*(?:\\n"));
        put_line_without(&regex, words, 2);
        buf_str(&regex, STR(")*"));
    } else {
        buf_str(&regex, STR("[ \\t]*(?:[(\\n].*)?"));
    }
    put_matches(b, STACK, &regex);
}

// Of a stack without a frame: none of its lines is one, or the first line "at …" names none ("at (native)").
static void put_no_line_of_frame(struct buf *b) {
    buf_str(b, STR(STACK " !~ \"(?:.*\\\\n)?[ \\\\t]*(?:at [ \\\\t]*[^ \\\\t\\\\n]|File \\\").*\""));
}
static void put_frame_without_name(struct buf *b) {
    struct buf regex;
    buf_init(&regex, VISIT_REGEX_MAX);
    put_lines_before_frame(&regex);
    buf_str(&regex, STR("at [ \\t]*\\(.*"));
    put_matches(b, STACK, &regex);
}

// Is it told from another kind by its frame alone?
static bool needs_frame(const struct signatures *all, const struct signature_seen *s) {
    if (all->cut) return true;
    for (uint32_t i = 0; i < all->n; i++) {
        const struct signature_seen *x = &all->items[i];
        if (x != s && x->by_event && str_eq(x->type, s->type) && str_eq(x->span, s->span)) return true;
    }
    return false;
}

// Conditions that && joins are asked of one event, those that || joins each of its own: so the type comes
// with each of them.
static void put_of_event(struct buf *b, const struct signatures *all, const struct signature_seen *s,
                         bool *first) {
    bool frame = needs_frame(all, s);
    put_or(b, first);
    if (frame) buf_char(b, '(');
    put_is(b, TYPE, s->type);
    if (frame && s->frame.len) {
        buf_str(b, STR(" && "));
        put_frame(b, s->frame);
    } else if (frame) {
        buf_str(b, STR(" && " STACK " = nil) || ("));
        put_is(b, TYPE, s->type);
        buf_str(b, STR(" && "));
        put_no_line_of_frame(b);
        buf_str(b, STR(") || ("));
        put_is(b, TYPE, s->type);
        buf_str(b, STR(" && "));
        put_frame_without_name(b);
    }
    if (frame) buf_char(b, ')');
}

static void put_of_span(struct buf *b, const struct signatures *all, const struct signature_seen *s,
                        bool *first) {
    put_or(b, first);
    if (all->differ) buf_str(b, STR("(!(" TYPE SAYS_ANYTHING ") && "));
    put_is(b, "span.error.type", s->type);
    if (all->differ) buf_char(b, ')');
}

bool behind_error(struct buf *b, const struct impact_report *r, const struct signature_seen *s,
                  enum arm arm) {
    bool first = true;
    if (!begin(b, r, &r->signatures->environments, arm)) return false;
    buf_str(b, STR(" && status = error && "));
    if (s->by_event) put_of_event(b, r->signatures, s, &first);
    if (s->by_span) put_of_span(b, r->signatures, s, &first);
    buf_str(b, STR(") && "));
    put_is(b, "name", s->span);
    buf_str(b, STR(" }"));
    return true;
}

// --- calls -------------------------------------------------------------------------------------------------

static void put_attribute(struct buf *b, const struct callees *all, const struct callee_seen *s, unsigned i,
                          bool alone) {
    uint8_t hidden_by = all->hidden_by[i];
    if (hidden_by && !alone) buf_char(b, '(');
    put_is_or_begins(b, callees_attributes[i], s->to, s->to_cut);
    for (unsigned k = 0; k < i; k++)
        if (hidden_by & 1u << k) buf_fmt(b, " && !(%s" SAYS_ANYTHING ")", callees_attributes[k]);
    if (hidden_by && !alone) buf_char(b, ')');
}

bool behind_call(struct buf *b, const struct impact_report *r, const struct callee_seen *s, enum arm arm) {
    bool first = true, several = s->by & (s->by - 1);
    if (!begin(b, r, &r->callees->environments, arm)) return false;
    buf_str(b, STR(" && "));
    for (unsigned i = 0; i < CALLEES_ATTRIBUTES; i++) {
        if (!(s->by & 1u << i)) continue;
        if (several) put_or(b, &first);
        put_attribute(b, r->callees, s, i, !several);
    }
    if (several) buf_char(b, ')');
    buf_str(b, STR(" && (kind = client || kind = producer)"));
    if (s->operation.len) {
        buf_str(b, STR(" && "));
        put_is_or_begins(b, "name", s->operation, s->operation_cut);
    }
    buf_str(b, STR(" }"));
    return true;
}
