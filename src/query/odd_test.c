// SPDX-License-Identifier: Apache-2.0
#include "query/odd_test.h"

#include "span/wire.h"
#include "traceql/random.h"

#define PICK(list) (list)[test_below(sizeof(list) / sizeof *(list))]
static bool one_in(uint64_t n) {
    return test_below(n) == 0;
}

static const char *const keys[] = { "k", "n", "a.b" };
static const char *const texts[] = { "a", "b", "ab", "GET", "" };
static const char *const services[] = { "web", "api", "db", NULL };
static const char *const names[] = { "a", "b", "GET /", "c" };
static const char *const scopes[] = { "", "lib", "otel" };

// --- traces --------------------------------------------------------------------------------------

static void put_array(struct buf *out) {
    uint64_t kind = test_below(5);
    size_t array = pb_begin(out, ANY_ARRAY);
    for (uint64_t n = test_below(4); n > 0; n--) {
        size_t any = pb_begin(out, LIST_VALUES);
        uint64_t k = kind == 4 ? test_below(4) : kind;
        double f = (double)test_below(4) / 2;
        uint64_t bits;
        memcpy(&bits, &f, sizeof bits);
        if (k == 0) pb_bytes(out, ANY_STRING, str_of(PICK(texts)));
        if (k == 1) pb_varint(out, ANY_INT, test_below(3));
        if (k == 2) pb_fixed64(out, ANY_DOUBLE, bits);
        if (k == 3) pb_varint(out, ANY_BOOL, test_below(2));
        pb_end(out, any);
    }
    pb_end(out, array);
}

static void put_value(struct buf *out) {
    static const double floats[] = { 0, 0.5, 1, 2, 2.5, -1, 0.0 / 0.0 };
    static const double edges[] = { -0.0, 1.0 / 0.0, -1.0 / 0.0, 0x1p53, 0x1p63, -0x1p63 };
    static const int64_t ends[] = { INT64_MAX, INT64_MIN, (1ll << 53) + 1, -((1ll << 53) + 1) };
    double f = one_in(10) ? PICK(edges) : PICK(floats);
    uint64_t bits;
    memcpy(&bits, &f, sizeof bits);
    switch (test_below(12)) {
    case 0:
    case 1:
    case 2: pb_bytes(out, ANY_STRING, str_of(PICK(texts))); break;
    case 3:
    case 4:
    case 5: pb_varint(out, ANY_INT, one_in(20) ? (uint64_t)PICK(ends) : test_below(4) - one_in(4)); break;
    case 6: pb_fixed64(out, ANY_DOUBLE, bits); break;
    case 7: pb_varint(out, ANY_BOOL, test_below(2)); break;
    case 8:
    case 9: put_array(out); break;
    case 10: pb_bytes(out, ANY_BYTES, STR("\x01\x02")); break;
    default: break; // the empty value
    }
}

static void put_attrs(struct buf *out, uint32_t number, uint32_t percent) {
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (test_below(100) >= percent) continue;
        size_t kv = pb_begin(out, number);
        pb_bytes(out, KV_KEY, str_of(keys[i]));
        size_t any = pb_begin(out, KV_VALUE);
        put_value(out);
        pb_end(out, any);
        pb_end(out, kv);
    }
}

static void put_id(struct buf *out, uint32_t number, uint64_t id) {
    id = __builtin_bswap64(id);
    pb_bytes(out, number, (struct str){ (const char *)&id, 8 });
}

static void put_trace_id(struct buf *out, uint32_t number, uint64_t id) {
    uint8_t bytes[16];
    spec_trace_id(id, bytes);
    pb_bytes(out, number, (struct str){ (const char *)bytes, 16 });
}

static void put_children(struct buf *out, uint64_t start_ns) {
    for (uint64_t n = one_in(2) ? 0 : test_below(4); n > 0; n--) {
        size_t event = pb_begin(out, SPAN_EVENT);
        pb_fixed64(out, EVENT_TIME, start_ns + test_below(3) * 1000000 - 1000000);
        pb_bytes(out, EVENT_NAME, str_of(PICK(texts)));
        put_attrs(out, EVENT_ATTRIBUTE, 40);
        pb_end(out, event);
    }
    for (uint64_t n = one_in(2) ? 0 : test_below(3); n > 0; n--) {
        size_t link = pb_begin(out, SPAN_LINK);
        put_trace_id(out, LINK_TRACE_ID, 1 + test_below(4));
        put_id(out, LINK_SPAN_ID, 1 + test_below(4));
        put_attrs(out, LINK_ATTRIBUTE, 40);
        pb_end(out, link);
    }
}

// Parents: mostly a span before; also none, one that is missing, one that comes later, itself.
static uint64_t parent_of(uint64_t id) {
    uint64_t what = test_below(20);
    if (id == 1 ? what < 14 : what == 0) return 0;
    if (what == 1) return 99;
    if (what == 2) return 1 + test_below(8);
    if (what == 3) return id;
    return id > 1 ? 1 + test_below(id - 1) : 99;
}

static void put_span(struct buf *out, uint64_t trace, uint64_t id) {
    static const uint64_t durations[] = { 0, 1000000, 5000000, 5000000, 1000000000, (uint64_t)-1000000 };
    uint64_t start = ODD_BASE_NS + test_below(ODD_RANGE_S) * 1000000000, parent = parent_of(id);
    if (one_in(15)) id = 1 + test_below(4); // as another span
    put_trace_id(out, SPAN_TRACE_ID, trace);
    put_id(out, SPAN_SPAN_ID, id);
    if (parent) put_id(out, SPAN_PARENT_ID, parent);
    pb_bytes(out, SPAN_NAME, str_of(PICK(names)));
    if (one_in(3)) pb_bytes(out, SPAN_TRACE_STATE, str_of(PICK(texts)));
    pb_varint(out, SPAN_KIND, test_below(6));
    pb_fixed64(out, SPAN_START, start);
    pb_fixed64(out, SPAN_END, start + PICK(durations));
    put_attrs(out, SPAN_ATTRIBUTE, 50);
    put_children(out, start);
    size_t status = pb_begin(out, SPAN_STATUS);
    if (one_in(4)) pb_bytes(out, STATUS_MESSAGE, str_of(PICK(texts)));
    pb_varint(out, STATUS_CODE, one_in(20) ? 7 : test_below(3));
    pb_end(out, status);
}

static void put_request(struct buf *out, uint64_t trace, uint64_t id) {
    const char *service = PICK(services);
    size_t rs = pb_begin(out, REQUEST_RESOURCE_SPANS), resource = pb_begin(out, RS_RESOURCE);
    struct attr_value v = { .type = ATTR_STRING, .text = str_of(service) };
    if (service) attr_kv_write(out, RESOURCE_ATTRIBUTE, STR("service.name"), &v);
    if (one_in(3)) put_attrs(out, RESOURCE_ATTRIBUTE, 40);
    pb_end(out, resource);
    size_t ss = pb_begin(out, RS_SCOPE_SPANS), scope = pb_begin(out, SS_SCOPE);
    const char *name = PICK(scopes);
    if (*name) pb_bytes(out, SCOPE_NAME, str_of(name));
    if (one_in(2)) pb_bytes(out, SCOPE_VERSION, STR("1"));
    if (one_in(3)) put_attrs(out, SCOPE_ATTRIBUTE, 40);
    pb_end(out, scope);
    size_t span = pb_begin(out, SS_SPANS);
    put_span(out, trace, id);
    pb_end(out, span);
    pb_end(out, ss);
    pb_end(out, rs);
}

void odd_spans_make(struct odd_spans *s, uint32_t n_traces) {
    enum { SPANS_MAX = 12 };
    struct buf b;
    *s = (struct odd_spans){ .n = 0 };
    arena_init(&s->arena, SIZE_MAX, NULL);
    buf_init(&b, SIZE_MAX);
    s->bodies = ARENA_ARRAY(&s->arena, n_traces * SPANS_MAX, struct str);
    CHECK(s->bodies);
    for (uint64_t trace = 1; trace <= n_traces; trace++)
        for (uint64_t id = 1, n = 1 + test_below(SPANS_MAX); id <= n; id++) {
            buf_reset(&b);
            put_request(&b, trace, id);
            s->bodies[s->n++] = str_dup(&s->arena, buf_view(&b));
        }
    CHECK(!b.failed && !s->arena.failed);
    buf_fini(&b);
}

void odd_spans_fini(struct odd_spans *s) {
    arena_fini(&s->arena);
}

// --- questions -----------------------------------------------------------------------------------

static void put(struct buf *out, const char *s) {
    buf_str(out, str_of(s));
}

static void put_attribute(struct buf *out) {
    static const char *const prefixes[] = {
        "span.",   "span.",        "resource.",        ".",
        ".",       "event.",       "event.",           "link.",
        "parent.", "parent.span.", "parent.resource.", "instrumentation."
    };
    put(out, PICK(prefixes));
    put(out, PICK(keys));
}

static void put_text(struct buf *out) {
    buf_fmt(out, "\"%s\"", PICK(texts));
}

static void put_number_literal(struct buf *out) {
    static const char *const numbers[] = { "0", "1", "2", "0.5", "1.0", "2.5", "-1" };
    put(out, PICK(numbers));
}

static const char *const orders[] = { " = ", " != ", " < ", " <= ", " > ", " >= " };
static const char *const equals[] = { " = ", " != " };
static const char *const matches[] = { " =~ ", " !~ " };

static void put_number(struct buf *out, int depth) {
    static const char *const ops[] = { " + ", " - ", " * ", " / ", " % ", " ^ " };
    static const char *const intrinsics[] = { "duration",        "span:childCount", "nestedSetLeft",
                                              "nestedSetParent", "traceDuration",   "event:timeSinceStart",
                                              "nestedSetRight" };
    static const char *const durations[] = { "1ms", "5ms", "1s", "0s" };
    uint64_t what = test_below(depth > 0 ? 10 : 8);
    if (what < 4)
        put_attribute(out);
    else if (what == 4)
        put(out, PICK(intrinsics));
    else if (what == 5)
        put(out, PICK(durations));
    else if (what < 8)
        put_number_literal(out);
    else {
        buf_char(out, '(');
        bool negated = one_in(6);
        put(out, negated ? one_in(3) ? "-(-" : "-(" : "");
        put_number(out, depth - 1);
        put(out, negated ? ")" : "");
        put(out, PICK(ops));
        put_number(out, depth - 1);
        buf_char(out, ')');
    }
}

static void put_intrinsic_condition(struct buf *out) {
    static const char *const conditions[] = { "name =~ \"a|b\"",
                                              "name != \"a\"",
                                              "duration >= 5ms",
                                              "status = error",
                                              "status != ok",
                                              "status = 7",
                                              "kind = server",
                                              "kind != client",
                                              "statusMessage = \"a\"",
                                              "statusMessage != nil",
                                              "span:traceState = \"a\"",
                                              "span:traceState != \"\"",
                                              "rootName = \"a\"",
                                              "rootName != \"b\"",
                                              "rootServiceName =~ \"w.*\"",
                                              "traceDuration > 10s",
                                              "trace:id = \"3\"",
                                              "trace:id != \"0002\"",
                                              "span:id = \"0000000000000001\"",
                                              "span:parentID = \"\"",
                                              "span:parentID != \"0000000000000002\"",
                                              "span:childCount > 1",
                                              "event:name = \"a\"",
                                              "event:name != \"b\"",
                                              "event:name != nil",
                                              "event:timeSinceStart > 0s",
                                              "link:traceID = \"2\"",
                                              "link:spanID = \"0000000000000001\"",
                                              "instrumentation:name = \"lib\"",
                                              "instrumentation:version != \"1\"",
                                              "nestedSetParent < 0",
                                              "nestedSetLeft = 0",
                                              "nestedSetRight > 3",
                                              "parent = nil",
                                              "parent != nil",
                                              "resource.service.name = \"api\"",
                                              "resource.service.name != \"web\"",
                                              ".service.name = parent.service.name",
                                              "status = .n",
                                              "span.n != status",
                                              "status = event.n",
                                              "status = parent.n + 1",
                                              "kind = .k",
                                              ".k != kind",
                                              "name = .k",
                                              "event.k >= name",
                                              "name = rootName",
                                              "event:name = name",
                                              "event:name != statusMessage",
                                              "event:name = event.k",
                                              "instrumentation:name < name",
                                              "trace:id = link:traceID",
                                              "trace:id != link:traceID",
                                              "trace:id =~ \".*2\"",
                                              "span:id = link:spanID",
                                              "span:parentID = link:spanID",
                                              "span:id =~ \".*[13]\"",
                                              "span:parentID < span:id",
                                              "event:timeSinceStart < duration",
                                              "event:timeSinceStart = parent.n",
                                              "duration * 2 > traceDuration",
                                              "nestedSetRight - nestedSetLeft = 1",
                                              "parent.k = event.k",
                                              "event.n = link.n" };
    put(out, PICK(conditions));
}

static void put_condition(struct buf *out, int depth);

// A condition is a value too: true or false.
static void put_comparison_of_conditions(struct buf *out) {
    put(out, "(");
    put_condition(out, 1);
    put(out, ")");
    put(out, PICK(equals));
    if (one_in(3)) {
        put(out, one_in(2) ? "true" : "false");
    } else if (one_in(3)) {
        put_attribute(out);
    } else {
        put(out, "(");
        put_condition(out, 0);
        put(out, ")");
    }
}

static void put_comparison(struct buf *out) {
    static const char *const patterns[] = { "\"a\"", "\"a|b\"", "\".*b\"", "\"\"", "\"G.*\"" };
    switch (test_below(9)) {
    case 0: put_attribute(out), put(out, PICK(orders)), put_text(out); break;
    case 1: put_attribute(out), put(out, PICK(matches)), put(out, PICK(patterns)); break;
    case 2: put_text(out), put(out, PICK(orders)), put_attribute(out); break;
    case 3: put_attribute(out), put(out, PICK(equals)), put(out, one_in(2) ? "true" : "nil"); break;
    case 4: put_attribute(out), put(out, PICK(orders)), put_attribute(out); break;
    case 5:
    case 6: put_number(out, 2), put(out, PICK(orders)), put_number(out, 2); break;
    default: put_intrinsic_condition(out); break;
    }
}

static void put_condition(struct buf *out, int depth) {
    uint64_t what = test_below(depth > 0 ? 10 : 6);
    if (what == 0) {
        if (one_in(2)) put(out, "!");
        put_attribute(out);
    } else if (what < 6) {
        put_comparison(out);
    } else if (what == 6) {
        put(out, "!(");
        put_condition(out, depth - 1);
        put(out, ")");
    } else if (what == 7 && one_in(3)) {
        put_comparison_of_conditions(out);
    } else {
        bool parens = one_in(2);
        put(out, parens ? "(" : "");
        put_condition(out, depth - 1);
        put(out, one_in(3) ? " || " : " && ");
        put_condition(out, depth - 1);
        put(out, parens ? ")" : "");
    }
}

static void put_filter(struct buf *out) {
    put(out, "{ ");
    if (!one_in(5)) put_condition(out, 3);
    put(out, " }");
}

static void put_any(struct buf *out) {
    if (one_in(3))
        put_condition(out, 1);
    else if (one_in(2))
        put_number(out, 1);
    else
        put_attribute(out);
}

static void put_by(struct buf *out) {
    static const char *const fields[] = { "name",     "status",   "kind",       "resource.service.name",
                                          "rootName", "duration", "event:name", "span:childCount" };
    put(out, "by(");
    if (one_in(2))
        put(out, PICK(fields));
    else
        put_any(out);
    put(out, ")");
}

static void put_aggregate(struct buf *out) {
    static const char *const functions[] = { "min(", "max(", "avg(", "sum(" };
    if (one_in(3)) {
        put(out, "count()");
        return;
    }
    put(out, PICK(functions));
    if (one_in(2))
        put(out, "duration");
    else
        put_number(out, 1);
    put(out, ")");
}

// Of a pipeline of its own, over the whole trace.
static void put_own_aggregate(struct buf *out) {
    put(out, "(");
    put_filter(out);
    put(out, " | ");
    put_aggregate(out);
    put(out, ")");
}

static void put_scalar_filter(struct buf *out) {
    static const char *const ops[] = { " + ", " - ", " * ", " / ", " % ", " ^ " };
    if (one_in(8)) put_own_aggregate(out), put(out, PICK(ops));
    put_aggregate(out);
    if (one_in(4)) put(out, PICK(ops)), put_aggregate(out);
    put(out, PICK(orders));
    if (one_in(4))
        put_aggregate(out);
    else if (one_in(8))
        put_own_aggregate(out);
    else if (one_in(3))
        put(out, "2ms");
    else
        put_number_literal(out);
}

static void put_by(struct buf *out);
static void put_spanset(struct buf *out, int depth);

// In parentheses a whole pipeline, which leaves one set.
static void put_operand(struct buf *out, int depth, bool is_wrapped) {
    put(out, is_wrapped ? "(" : "");
    put_spanset(out, depth);
    if (!is_wrapped) return;
    bool is_split = one_in(3);
    if (is_split) put(out, " | "), put_by(out);
    put(out, " | ");
    put_scalar_filter(out);
    put(out, is_split ? " | coalesce())" : ")");
}

static void put_spanset(struct buf *out, int depth) {
    static const char *const relations[] = { " && ",  " || ",  " >> ",  " > ",   " << ", " < ",
                                             " ~ ",   " !>> ", " !> ",  " !<< ", " !< ", " !~ ",
                                             " &>> ", " &> ",  " &<< ", " &< ",  " &~ " };
    if (depth == 0 || one_in(2)) {
        put_filter(out);
        return;
    }
    if (one_in(4)) {
        bool wraps_right = one_in(2), wraps_left = !wraps_right || one_in(3);
        put_operand(out, depth - 1, wraps_left);
        put(out, PICK(relations));
        put_operand(out, 0, wraps_right);
        return;
    }
    bool parens = one_in(2);
    put(out, parens ? "(" : "");
    put_spanset(out, depth - 1);
    put(out, PICK(relations));
    put_spanset(out, depth - 1);
    put(out, parens ? ")" : "");
}

static void put_stage(struct buf *out) {
    put(out, " | ");
    switch (test_below(8)) {
    case 0:
    case 1: put_by(out); break;
    case 2:
    case 3: put_scalar_filter(out); break;
    case 4: put(out, "coalesce()"); break;
    case 5:
        put(out, "select(");
        put_attribute(out);
        put(out, ", name, status, ");
        put_attribute(out);
        put(out, ")");
        break;
    case 6: put_spanset(out, 1); break;
    default: put_filter(out); break;
    }
}

void odd_search(struct buf *out) {
    put_spanset(out, 2);
    for (uint64_t n = one_in(2) ? 0 : test_below(4); n > 0; n--) put_stage(out);
}

static void put_function(struct buf *out) {
    static const char *const intrinsics[] = { "span:childCount", "nestedSetLeft", "nestedSetParent",
                                              "traceDuration", "event:timeSinceStart" };
    static const char *const functions[] = { "min_over_time(", "max_over_time(", "avg_over_time(",
                                             "sum_over_time(" };
    if (one_in(3)) {
        put(out, one_in(2) ? "rate()" : "count_over_time()");
        return;
    }
    bool quantile = one_in(4), histogram = one_in(5);
    put(out, quantile ? "quantile_over_time(" : histogram ? "histogram_over_time(" : PICK(functions));
    if (one_in(3))
        put(out, "duration");
    else if (one_in(3))
        put(out, PICK(intrinsics));
    else
        put_attribute(out);
    put(out, quantile ? one_in(3) ? ", 0, 1)" : ", 0.5, 0.9)" : ")");
}

static void put_labels(struct buf *out) {
    static const char *const fields[] = { "name",     "status",      "kind",       "resource.service.name",
                                          "rootName", "duration",    "event:name", "event:timeSinceStart",
                                          "trace:id", "link:spanID", "span:id",    "span:childCount" };
    uint64_t n = test_below(4);
    if (n == 0) return;
    put(out, " by(");
    for (uint64_t i = 0; i < n; i++) {
        put(out, i ? ", " : "");
        if (one_in(2))
            put(out, PICK(fields));
        else
            put_attribute(out);
    }
    put(out, ")");
}

static void put_second(struct buf *out) {
    static const char *const numbers[] = { "1", "0.05", "1ms", "-1", "0" };
    if (one_in(2)) {
        put(out, PICK(orders));
        put(out, PICK(numbers));
    } else {
        buf_fmt(out, " | %s(%u)", one_in(2) ? "topk" : "bottomk", 1 + (unsigned)test_below(4));
    }
}

static void put_metric(struct buf *out) {
    if (one_in(2))
        put(out, "{ }");
    else
        put_spanset(out, 1);
    if (one_in(3)) put_stage(out);
    put(out, " | ");
    put_function(out);
    put_labels(out);
}

static void put_compare(struct buf *out) {
    uint64_t from = ODD_BASE_NS + test_below(ODD_RANGE_S) * 1000000000;
    put_spanset(out, 1);
    if (one_in(3)) put_stage(out);
    put(out, " | compare(");
    put_filter(out);
    if (one_in(4)) {
        put(out, ")");
        return;
    }
    buf_fmt(out, ", %u", 1 + (unsigned)test_below(6));
    if (one_in(3))
        buf_fmt(out, ", %llu, %llu", (unsigned long long)from,
                (unsigned long long)(from + 1 + test_below(ODD_RANGE_S) * 1000000000));
    put(out, ")");
}

static void put_seconds(struct buf *out) {
    for (uint64_t n = one_in(3) ? 1 + test_below(3) : 0; n > 0; n--) put_second(out);
}

// Metrics joined by arithmetic, in parentheses.
static void put_arithmetic(struct buf *out, int depth) {
    static const char *const ops[] = { " + ", " - ", " * ", " / " };
    bool number_first = one_in(8);
    for (int side = 0; side < 2; side++) {
        if (side) put(out, PICK(ops));
        if (number_first ? side == 0 : side == 1 && one_in(3)) {
            put(out, one_in(3) ? "0" : one_in(3) ? "-2" : "2");
            continue;
        }
        put(out, one_in(8) ? "-(" : "(");
        if (depth > 0 && one_in(3))
            put_arithmetic(out, depth - 1);
        else
            put_metric(out);
        put_seconds(out);
        put(out, ")");
    }
}

void odd_metrics(struct buf *out) {
    if (one_in(8)) {
        put_compare(out);
        return;
    }
    if (one_in(5)) {
        put(out, "(");
        put_arithmetic(out, 1);
        put(out, ")");
    } else {
        put_metric(out);
    }
    put_seconds(out);
}

// --- the language's own generator ----------------------------------------------------------------

static void write_by_language(struct buf *out,
                              void (*write)(const struct ql_random_opts *o, struct buf *out)) {
    static const char *const others[] = { "name",
                                          "duration",
                                          "status",
                                          "kind",
                                          "statusMessage",
                                          "rootName",
                                          "rootServiceName",
                                          "traceDuration",
                                          "span:childCount",
                                          "span:traceState",
                                          "span:parentID",
                                          "event:name",
                                          "event:timeSinceStart",
                                          "link:spanID",
                                          "instrumentation:name",
                                          "nestedSetParent",
                                          "nestedSetLeft",
                                          "nestedSetRight",
                                          "trace:id",
                                          "span:id",
                                          "link:traceID",
                                          "instrumentation:version",
                                          "resource.service.name" };
    static const char *const prefixes[] = { "span.", ".",       "resource.",       "event.",
                                            "link.", "parent.", "instrumentation." };
    static const char *const values[] = { "a", "b", "ab", "GET", "", "0000000000000001" };
    enum { OTHERS = sizeof others / sizeof *others, PREFIXES = sizeof prefixes / sizeof *prefixes, KEYS = 3 };
    struct field fields[OTHERS + PREFIXES * KEYS];
    struct value constants[16];
    uint32_t n = 0, n_values = 0;
    struct arena a;
    struct err_ctx ctx = { 0 };
    arena_init(&a, SIZE_MAX, NULL);
    for (int i = 0; i < OTHERS; i++) CHECK_OK(ql_parse_field(&a, str_of(others[i]), &fields[n++], &ctx));
    for (int i = 0; i < PREFIXES * KEYS; i++)
        CHECK_OK(
            ql_parse_field(&a, str_fmt(&a, "%s%s", prefixes[i / KEYS], keys[i % KEYS]), &fields[n++], &ctx));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        constants[n_values++] = VALUE_OF_STR(str_of(values[i]));
    for (int i = 0; i < 4; i++) constants[n_values++] = VALUE_OF_INT(i - 1);
    constants[n_values++] = VALUE_OF_FLOAT(0.5);
    constants[n_values++] = VALUE_OF_BOOL(true);
    constants[n_values++] = (struct value){ .type = VALUE_DURATION, .i = 5000000 };
    constants[n_values++] = (struct value){ .type = VALUE_STATUS, .i = 2 };
    constants[n_values++] = (struct value){ .type = VALUE_KIND, .i = 2 };
    write(&(struct ql_random_opts){ .rand = test_rand,
                                    .fields = fields,
                                    .n_fields = n,
                                    .values = constants,
                                    .n_values = n_values,
                                    .depth_max = 3 },
          out);
    arena_fini(&a);
}

void odd_search_of_language(struct buf *out) {
    write_by_language(out, ql_random_search);
}

void odd_metrics_of_language(struct buf *out) {
    write_by_language(out, ql_random_metrics);
}
