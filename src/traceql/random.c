// SPDX-License-Identifier: Apache-2.0
#include "traceql/random.h"

#include "traceql/parse.h"
#include "traceql/print.h"

static const struct field some_fields[] = {
    { .scope = FIELD_UNSCOPED, .key = { "a", 1 } },
    { .scope = FIELD_SPAN, .key = { "http.status_code", 16 } },
    { .scope = FIELD_SPAN, .key = { "odd \"name\" {}", 13 } },
    { .scope = FIELD_RESOURCE, .key = { "service.name", 12 } },
    { .scope = FIELD_EVENT, .key = { "e", 1 } },
    { .scope = FIELD_LINK, .key = { "l", 1 } },
    { .scope = FIELD_INSTRUMENTATION, .key = { "i", 1 } },
    { .scope = FIELD_UNSCOPED, .of_parent = true, .key = { "span.p", 6 } },
    { .scope = FIELD_SPAN, .of_parent = true, .key = { "p", 1 } },
    { .scope = FIELD_UNSCOPED, .key = { "9", 1 } },
    { .scope = FIELD_UNSCOPED, .key = { "", 0 } },
    { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_DURATION, .key = { "", 0 } },
    { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME, .key = { "", 0 } },
    { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_STATUS, .key = { "", 0 } },
    { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_KIND, .key = { "", 0 } },
    { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_CHILD_COUNT, .key = { "", 0 } },
    { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_TRACE_ID, .key = { "", 0 } },
    { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_ROOT_SERVICE, .key = { "", 0 } },
    { .scope = FIELD_EVENT, .intrinsic = INTRINSIC_EVENT_TIME, .key = { "", 0 } },
    { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NESTED_PARENT, .key = { "", 0 } },
};
static const struct value some_values[] = {
    { .type = VALUE_BOOL, .i = 1 },
    { .type = VALUE_BOOL, .i = 0 },
    { .type = VALUE_INT, .i = 0 },
    { .type = VALUE_INT, .i = -7 },
    { .type = VALUE_INT, .i = INT64_MIN },
    { .type = VALUE_INT, .i = INT64_MAX },
    { .type = VALUE_FLOAT, .f = 0.5 },
    { .type = VALUE_FLOAT, .f = -1e300 },
    { .type = VALUE_FLOAT, .f = 3 },
    { .type = VALUE_DURATION, .i = 1500000 },
    { .type = VALUE_DURATION, .i = -1 },
    { .type = VALUE_DURATION, .i = 3600000000001 },
    { .type = VALUE_STATUS, .i = 2 },
    { .type = VALUE_STATUS, .i = 0 },
    { .type = VALUE_KIND, .i = 2 },
    { .type = VALUE_KIND, .i = 5 },
    { .type = VALUE_STRING, .s = { "", 0 } },
    { .type = VALUE_STRING, .s = { "GET /a", 6 } },
    { .type = VALUE_STRING, .s = { "a\"\\\n\xff|", 6 } },
    { .type = VALUE_STRING, .s = { "\xc3\xa4.*", 4 } },
};

struct gen {
    const struct ql_random_opts *o;
    struct buf *out;
    const struct field *fields;
    const struct value *values;
    uint32_t n_fields, n_values, depth, depth_max;
};

static uint32_t below(struct gen *g, uint32_t n) {
    return (uint32_t)(g->o->rand() % n);
}
static bool one_in(struct gen *g, uint32_t n) {
    return below(g, n) == 0;
}
static void put(struct gen *g, const char *text) {
    buf_str(g->out, str_of(text));
}
static bool deep(struct gen *g) {
    return g->depth >= g->depth_max;
}

static struct gen gen_of(const struct ql_random_opts *o, struct buf *out) {
    struct gen g = { .o = o, .out = out, .fields = o->fields, .values = o->values };
    g.n_fields = o->fields ? o->n_fields : sizeof some_fields / sizeof *some_fields;
    g.n_values = o->values ? o->n_values : sizeof some_values / sizeof *some_values;
    if (!o->fields) g.fields = some_fields;
    if (!o->values) g.values = some_values;
    g.depth_max = o->depth_max ? o->depth_max : 4;
    return g;
}

// --- fields and constants ----------------------------------------------------------------------------------

static enum type_class class_of(const struct field *f) {
    enum value_type t = field_type(f);
    return t == VALUE_NIL ? CLASS_ANY : value_class((int)t);
}

// A random field whose values may be of the class; NULL: there is none.
static const struct field *pick_field(struct gen *g, enum type_class c) {
    uint32_t first = below(g, g->n_fields);
    for (uint32_t i = 0; i < g->n_fields; i++) {
        const struct field *f = &g->fields[(first + i) % g->n_fields];
        enum type_class fc = class_of(f);
        if (f->intrinsic != INTRINSIC_PARENT && (fc == CLASS_ANY || c == CLASS_ANY || fc == c)) return f;
    }
    return NULL;
}

static const struct value *pick_value(struct gen *g, enum type_class c) {
    uint32_t first = below(g, g->n_values);
    for (uint32_t i = 0; i < g->n_values; i++) {
        const struct value *v = &g->values[(first + i) % g->n_values];
        if (v->type == VALUE_NIL || v->type == VALUE_ANY) continue;
        // Statuses and kinds without a word cannot be written.
        if (v->type == VALUE_STATUS && (v->i < 0 || v->i > 2)) continue;
        if (v->type == VALUE_KIND && (v->i < 0 || v->i > 5)) continue;
        if (c == CLASS_ANY || value_class((int)v->type) == c) return v;
    }
    return NULL;
}

static void put_value(struct gen *g, enum type_class c) {
    const struct value *v = pick_value(g, c);
    if (v) {
        print_literal(v, g->out);
        return;
    }
    put(g, c == CLASS_STRING   ? "\"x\""
           : c == CLASS_NUMBER ? "1"
           : c == CLASS_STATUS ? "error"
           : c == CLASS_KIND   ? "server"
                               : "true");
}

static void put_field(struct gen *g, const struct field *f) {
    ql_print_field(f, g->out);
}

// --- numbers -----------------------------------------------------------------------------------------------

static void number(struct gen *g, bool reads_span);

static void divisor(struct gen *g) {
    const struct field *f = pick_field(g, CLASS_NUMBER);
    if (f && one_in(g, 2))
        put_field(g, f);
    else
        put(g, one_in(g, 2) ? "3" : "2.5");
}

static void calculation(struct gen *g) {
    static const char *const ops[] = { " + ", " - ", " * ", " ^ ", " / ", " % " };
    uint32_t op = below(g, 6);
    put(g, "(");
    if (one_in(g, 5)) put(g, "-");
    number(g, true);
    put(g, ops[op]);
    if (op >= 4)
        divisor(g);
    else
        number(g, false);
    put(g, ")");
}

// reads_span: not a constant, so that nothing is folded that cannot be.
static void number(struct gen *g, bool reads_span) {
    const struct field *f = pick_field(g, CLASS_NUMBER);
    if (f && !deep(g) && !g->o->no_arithmetic && one_in(g, 3)) {
        g->depth++;
        calculation(g);
        g->depth--;
    } else if (f && (reads_span || one_in(g, 2))) {
        put_field(g, f);
    } else {
        put_value(g, CLASS_NUMBER);
    }
}

// --- conditions --------------------------------------------------------------------------------------------

static void put_pattern(struct gen *g) {
    static const char *const plain[] = { "\".*\"",        "\".+\"", "\"[a-zA-Z ]+.*\"",
                                         "\"(?i)get.*\"", "\"\"",   "\"a|b|.*1\"" };
    const struct value *v = pick_value(g, CLASS_STRING);
    struct buf p;
    if (!v || !str_is_utf8(v->s) || one_in(g, 4)) {
        put(g, plain[below(g, 6)]);
        return;
    }
    buf_init(&p, 1 << 16);
    bool cut = one_in(g, 2) && v->s.len > 1;
    size_t n = cut ? v->s.len / 2 : v->s.len;
    while (n > 0 && n < v->s.len && ((unsigned char)v->s.ptr[n] & 0xc0) == 0x80) n--;
    if (one_in(g, 4)) buf_str(&p, STR(".*"));
    for (size_t i = 0; i < n; i++) {
        if (strchr("\\.+*?()|[]{}^$", v->s.ptr[i]) && v->s.ptr[i]) buf_char(&p, '\\');
        buf_char(&p, v->s.ptr[i]);
    }
    if (cut || one_in(g, 4)) buf_str(&p, STR(".*"));
    if (one_in(g, 5)) buf_str(&p, STR("|x"));
    struct value text = VALUE_OF_STR(buf_view(&p));
    print_literal(&text, g->out);
    buf_fini(&p);
}

static void nil_condition(struct gen *g) {
    const struct field *f = &g->fields[below(g, g->n_fields)];
    bool service = f->scope == FIELD_RESOURCE && str_eq(f->key, STR("service.name"));
    bool lacks =
        f->of_parent || f->intrinsic == INTRINSIC_PARENT || (f->intrinsic == INTRINSIC_NONE && !service);
    put_field(g, f);
    put(g, lacks && one_in(g, 2) ? " = nil" : " != nil");
}

static void text_condition(struct gen *g, const struct field *f) {
    static const char *const ops[] = { " = ", " != ", " < ", " <= ", " > ", " >= " };
    const struct field *other = pick_field(g, CLASS_STRING);
    put_field(g, f);
    if (!g->o->no_regex && one_in(g, 3)) {
        put(g, one_in(g, 2) ? " =~ " : " !~ ");
        put_pattern(g);
        return;
    }
    put(g, ops[below(g, one_in(g, 2) ? 2 : 6)]);
    if (other && one_in(g, 6))
        put_field(g, other);
    else
        put_value(g, CLASS_STRING);
}

static void number_condition(struct gen *g) {
    static const char *const ops[] = { " = ", " != ", " < ", " <= ", " > ", " >= " };
    bool mirrored = one_in(g, 6);
    number(g, !mirrored);
    put(g, ops[below(g, 6)]);
    number(g, mirrored);
}

static void word_condition(struct gen *g, const struct field *f, enum type_class c) {
    put_field(g, f);
    put(g, one_in(g, 2) ? " = " : " != ");
    put_value(g, c);
}

static void comparison(struct gen *g) {
    static const enum type_class classes[] = { CLASS_STRING, CLASS_NUMBER, CLASS_BOOL, CLASS_STATUS,
                                               CLASS_KIND };
    const struct field *f = &g->fields[below(g, g->n_fields)];
    enum type_class c = class_of(f);
    if (f->intrinsic == INTRINSIC_PARENT || one_in(g, 10)) {
        nil_condition(g);
        return;
    }
    if (c == CLASS_ANY) c = classes[below(g, one_in(g, 3) ? 5 : 2)];
    switch (c) {
    case CLASS_STRING: text_condition(g, f); break;
    case CLASS_NUMBER: number_condition(g); break;
    default: word_condition(g, f, c);
    }
}

static void condition(struct gen *g) {
    uint32_t n = deep(g) ? 0 : below(g, 8);
    g->depth++;
    const struct field *flag = pick_field(g, CLASS_BOOL);
    switch (n) {
    case 1:
        put(g, "!(");
        condition(g);
        put(g, ")");
        break;
    case 2:
    case 3:
        condition(g);
        put(g, " && ");
        condition(g);
        break;
    case 4:
        condition(g);
        put(g, " || ");
        condition(g);
        break;
    case 5:
        put(g, "(");
        condition(g);
        put(g, one_in(g, 2) ? " || " : " && ");
        condition(g);
        put(g, ")");
        break;
    case 6:
        if (flag && class_of(flag) == CLASS_ANY && one_in(g, 2))
            put_field(g, flag);
        else
            put(g, one_in(g, 3) ? "true" : "1 = 1.0");
        break;
    default: comparison(g);
    }
    g->depth--;
}

static void filter(struct gen *g) {
    if (one_in(g, 8)) {
        put(g, one_in(g, 6) ? "{ false }" : "{ }");
        return;
    }
    put(g, "{ ");
    condition(g);
    put(g, " }");
}

// --- sets and pipelines ------------------------------------------------------------------------------------

static void pipeline(struct gen *g, bool single);

static void spanset(struct gen *g) {
    static const char *const ops[] = { " && ",  " || ",  " >> ",  " > ",   " << ", " < ",
                                       " ~ ",   " !>> ", " !> ",  " !<< ", " !< ", " !~ ",
                                       " &>> ", " &> ",  " &<< ", " &< ",  " &~ " };
    uint32_t n = deep(g) ? 0 : below(g, 6);
    g->depth++;
    if (n == 1 || n == 2) {
        spanset(g);
        put(g, ops[below(g, 17)]);
        spanset(g);
    } else if (n == 3) {
        put(g, "(");
        spanset(g);
        put(g, ")");
    } else if (n == 4) {
        put(g, "(");
        pipeline(g, true);
        put(g, ")");
    } else {
        filter(g);
    }
    g->depth--;
}

static void aggregate(struct gen *g) {
    static const char *const names[] = { "min(", "max(", "avg(", "sum(" };
    const struct field *f = pick_field(g, CLASS_NUMBER);
    if (!f || one_in(g, 2)) {
        put(g, "count()");
        return;
    }
    put(g, names[below(g, 4)]);
    number(g, true);
    put(g, ")");
}

static void scalar(struct gen *g) {
    static const char *const ops[] = { " + ", " - ", " * " };
    uint32_t n = deep(g) ? 0 : below(g, 5);
    g->depth++;
    if (n == 1 && !g->o->no_arithmetic) {
        put(g, "(");
        scalar(g);
        put(g, ops[below(g, 3)]);
        if (one_in(g, 2))
            put(g, "2");
        else
            aggregate(g);
        put(g, ")");
    } else if (n == 2 && one_in(g, 3)) {
        put(g, "(");
        pipeline(g, false);
        put(g, " | ");
        aggregate(g);
        put(g, ")");
    } else {
        aggregate(g);
    }
    g->depth--;
}

static void scalar_filter(struct gen *g) {
    static const char *const ops[] = { " = ", " != ", " < ", " <= ", " > ", " >= " };
    scalar(g);
    put(g, ops[below(g, 6)]);
    if (one_in(g, 6))
        scalar(g);
    else if (one_in(g, 3))
        put(g, one_in(g, 2) ? "1ms" : "2.5");
    else
        buf_u64(g->out, below(g, 5));
}

static void select_stage(struct gen *g) {
    put(g, "select(");
    for (uint32_t i = 0, n = 1 + below(g, 3); i < n; i++) {
        const struct field *f = pick_field(g, CLASS_ANY);
        if (i) put(g, ", ");
        if (f)
            put_field(g, f);
        else
            put(g, "name");
    }
    put(g, ")");
}

static void by_stage(struct gen *g) {
    const struct field *f = pick_field(g, CLASS_ANY);
    put(g, "by(");
    if (!f)
        put(g, "name");
    else if (one_in(g, 4) && pick_field(g, CLASS_NUMBER))
        number(g, true);
    else
        put_field(g, f);
    put(g, ")");
}

// single: leaves one set, as an operand must.
static void pipeline(struct gen *g, bool single) {
    bool several = false;
    g->depth++;
    spanset(g);
    for (uint32_t n = below(g, 4); n > 0 && g->depth <= g->depth_max + 1; n--) {
        uint32_t kind = below(g, 6);
        put(g, " | ");
        if (kind == 0 || kind == 1)
            scalar_filter(g);
        else if (kind == 2)
            select_stage(g);
        else if (kind == 3) {
            by_stage(g);
            several = true;
        } else if (kind == 4 && several) {
            put(g, "coalesce()");
            several = false;
        } else
            filter(g);
    }
    if (single && several) put(g, " | coalesce()");
    g->depth--;
}

void ql_random_filter(const struct ql_random_opts *o, struct buf *out) {
    struct gen g = gen_of(o, out);
    filter(&g);
}

void ql_random_search(const struct ql_random_opts *o, struct buf *out) {
    struct gen g = gen_of(o, out);
    pipeline(&g, false);
    if (one_in(&g, 8)) put(&g, " with(most_recent=true, sample=0.5)");
}

// --- metrics -----------------------------------------------------------------------------------------------

static void function(struct gen *g, bool arithmetic) {
    static const char *const names[] = {
        "rate(",          "count_over_time(", "min_over_time(",      "max_over_time(",
        "avg_over_time(", "sum_over_time(",   "quantile_over_time(", "histogram_over_time("
    };
    const struct field *f = pick_field(g, CLASS_NUMBER);
    uint32_t n = below(g, f ? 8 : 2), by = below(g, 4);
    pipeline(g, false);
    put(g, " | ");
    if (!arithmetic && one_in(g, 10)) {
        put(g, "compare(");
        filter(g);
        put(g, one_in(g, 2) ? ")" : ", 5)");
        return;
    }
    put(g, names[n]);
    if (n >= 2) put_field(g, f);
    if (n == 6) put(g, one_in(g, 2) ? ", 0.5, 0.99" : ", 0, 0.9, 1");
    put(g, ")");
    for (uint32_t i = 0; i < by; i++) {
        const struct field *key = pick_field(g, CLASS_ANY);
        put(g, i ? ", " : " by(");
        if (key)
            put_field(g, key);
        else
            put(g, "name");
    }
    if (by) put(g, ")");
    if (one_in(g, 5)) put(g, one_in(g, 2) ? " > 0.5" : " | topk(2) <= 10 | bottomk(1)");
}

static void metric(struct gen *g) {
    static const char *const ops[] = { " + ", " - ", " * ", " / " };
    if (deep(g) || !one_in(g, 3)) {
        function(g, g->depth > 0);
        return;
    }
    g->depth++;
    for (int side = 0; side < 2; side++) {
        if (side) put(g, ops[below(g, 4)]);
        if (side && one_in(g, 3)) {
            put(g, one_in(g, 2) ? "100" : "(-0.5)");
            continue;
        }
        put(g, "(");
        metric(g);
        put(g, ")");
    }
    g->depth--;
}

void ql_random_metrics(const struct ql_random_opts *o, struct buf *out) {
    struct gen g = gen_of(o, out);
    metric(&g);
    if (one_in(&g, 8)) put(&g, " with(exemplars=true)");
}
