// SPDX-License-Identifier: Apache-2.0
// What one span of a trace says for all of them stands in one filter; what any span may say, in one each.
#include "query/search.h"

#include "traceql/traceql.h"

// Written by the printer of the language, so that nothing in a name can be anything but a name.
static void compare(struct buf *out, enum ql_op op, struct field f, struct value v) {
    struct ql_expr field = { .kind = QL_FIELD, .type = QL_UNKNOWN, .field = f },
                   constant = { .kind = QL_CONST, .type = (int)v.type, .value = v },
                   all = {
                       .kind = QL_BINARY, .op = op, .type = VALUE_BOOL, .left = &field, .right = &constant
                   };
    ql_print_expr(&all, out);
}

static struct field intrinsic(enum intrinsic i) {
    return (struct field){ .scope = FIELD_SPAN, .intrinsic = i };
}

static struct value duration(uint64_t ns) {
    return (struct value){ .type = VALUE_DURATION, .i = ns < INT64_MAX ? (int64_t)ns : INT64_MAX };
}

static void write_trace(const struct search *s, struct buf *out) {
    const char *and = "";
    if (s->operation.len) {
        compare(out, QL_EQ, intrinsic(INTRINSIC_ROOT_NAME), VALUE_OF_STR(s->operation));
        and = " && ";
    }
    if (s->min_duration_ns) {
        buf_str(out, str_of(and));
        compare(out, QL_GE, intrinsic(INTRINSIC_TRACE_DURATION), duration(s->min_duration_ns));
        and = " && ";
    }
    if (s->max_duration_ns) {
        buf_str(out, str_of(and));
        compare(out, QL_LE, intrinsic(INTRINSIC_TRACE_DURATION), duration(s->max_duration_ns));
    }
}

static void write(const struct search *s, struct buf *out) {
    static const struct field service = { .scope = FIELD_RESOURCE, .key = { "service.name", 12 } };
    bool of_trace = s->operation.len || s->min_duration_ns || s->max_duration_ns;
    const char *before = "{ ";
    if (!of_trace && !s->service.len && !s->errors) {
        buf_str(out, STR("{ }"));
        return;
    }
    if (of_trace) {
        buf_str(out, STR("{ "));
        write_trace(s, out);
        before = " } && { ";
    }
    if (s->service.len) {
        buf_str(out, str_of(before));
        compare(out, QL_EQ, service, VALUE_OF_STR(s->service));
        before = " } && { ";
    }
    if (s->errors) {
        buf_str(out, str_of(before));
        compare(out, QL_EQ, intrinsic(INTRINSIC_STATUS), (struct value){ .type = VALUE_STATUS, .i = 2 });
    }
    buf_str(out, STR(" }"));
}

enum err search_text(struct arena *a, const struct search *s, struct str *out) {
    struct buf text;
    if (!str_is_utf8(s->service) || !str_is_utf8(s->operation)) return ERR_INVALID;
    buf_init(&text, SIZE_MAX);
    write(s, &text);
    *out = str_dup(a, buf_view(&text));
    bool failed = text.failed || a->failed;
    buf_fini(&text);
    return failed ? ERR_NOMEM : ERR_OK;
}
