// SPDX-License-Identifier: Apache-2.0
#include "query/show.h"

#include "base/hash.h"
#include "exec/told.h"
#include "span/parts.h"
#include "span/services.h"

// --- what is shown ---------------------------------------------------------------------------------

// Attributes go without their scope, intrinsics by their own names. What an answer says anyway is not
// said again.
static bool is_shown(const struct field *f) {
    switch (f->intrinsic) {
    case INTRINSIC_NAME:
    case INTRINSIC_DURATION:
    case INTRINSIC_TRACE_ID:
    case INTRINSIC_TRACE_DURATION:
    case INTRINSIC_ROOT_NAME:
    case INTRINSIC_ROOT_SERVICE:
    case INTRINSIC_SPAN_ID:
    case INTRINSIC_PARENT: return false;
    default: return true;
    }
}

static enum err choose(struct arena *a, struct show *s) {
    for (uint32_t i = 0; i < s->n_fields; i++) {
        if (!s->keys[i].ptr || !told_chooses(s->plan, i)) continue;
        if (!s->chosen) s->chosen = arena_zalloc(a, s->n_fields * sizeof *s->chosen);
        if (!s->chosen) return ERR_NOMEM;
        s->chosen[i] = true;
    }
    return ERR_OK;
}

enum err show_new(struct arena *a, const struct plan *p, struct show *out) {
    const struct field *fields = p->fields;
    uint32_t n = p->n_fields;
    struct buf name;
    *out = (struct show){ .plan = p,
                          .fields = fields,
                          .n_fields = n,
                          .keys = ARENA_ARRAY(a, n + 1ull, struct str),
                          .duration = n };
    if (!out->keys) return ERR_NOMEM;
    buf_init(&name, SIZE_MAX);
    for (uint32_t i = 0; i < n; i++) {
        out->keys[i] = (struct str){ NULL, 0 };
        out->has_name |= fields[i].intrinsic == INTRINSIC_NAME && !fields[i].of_parent;
        if (fields[i].intrinsic == INTRINSIC_DURATION && !fields[i].of_parent) out->duration = i;
        if (!is_shown(&fields[i])) continue;
        buf_reset(&name);
        if (fields[i].intrinsic == INTRINSIC_NONE && !fields[i].of_parent)
            buf_str(&name, fields[i].key);
        else
            ql_print_field(&fields[i], &name);
        out->keys[i] = str_dup(a, buf_view(&name));
    }
    bool failed = name.failed || a->failed;
    buf_fini(&name);
    return failed ? ERR_NOMEM : choose(a, out);
}

struct value show_value(struct arena *a, const struct value *v) {
    struct value copy = *v;
    if (v->type == VALUE_STRING || v->type == VALUE_ANY) copy.s = str_dup(a, v->s);
    return copy;
}

// --- spans -----------------------------------------------------------------------------------------

enum { SHOW_TEXT_MAX = 128, SAME_TEXTS = 256 };

// The set bits of a bitmap, upwards. They are asked for mostly downwards: the newest traces come first.
struct places {
    uint64_t *bits;
    uint32_t *at, n;
    uint32_t last; // the one that was asked for before, or n
};

// most: how many are set at most.
static enum err places_make(struct places *p, uint32_t n_bits, uint64_t most, struct arena *a) {
    p->at = ARENA_ARRAY(a, most + 1, uint32_t);
    if (!p->at) return ERR_NOMEM;
    p->n = p->last = bits_places(p->bits, n_bits, p->at);
    return ERR_OK;
}

// Of a bit that is set: how many are set before it.
static inline uint32_t place_of(struct places *p, uint32_t bit) {
    if (p->last > 0 && p->at[p->last - 1] == bit) return --p->last;
    return p->last = rows_find(p->at, p->n, bit);
}

// A field's values by wanted row: where they lie side by side as codes, those are gathered in one pass, since
// rows here and there are seldom in the CPU's cache.
struct shown_field {
    uint32_t field;
    uint32_t *codes; // by place; NULL: ask for the row
    const struct value *dict;
};

static enum err want_field(struct rows *rows, uint32_t field, const struct places *wanted, struct arena *a,
                           struct shown_field *out) {
    const uint32_t *codes;
    uint32_t n_dict;
    *out = (struct shown_field){ .field = field };
    TRY(rows_want(rows, field, wanted->bits));
    if (!rows_codes(rows, field, &codes, &out->dict, &n_dict)) return ERR_OK;
    out->codes = ARENA_ARRAY(a, wanted->n + 1ull, uint32_t);
    if (!out->codes) return ERR_NOMEM;
    for (uint32_t i = 0; i < wanted->n; i++) out->codes[i] = codes[wanted->at[i]];
    return ERR_OK;
}

static inline struct value value_at(const struct rows *rows, const struct shown_field *f, uint32_t place,
                                    uint32_t row) {
    return f->codes ? f->dict[f->codes[place]] : rows_value(rows, f->field, row);
}

// What showing needs: the fields that every span shows, beside those of the query.
struct showing {
    const struct show *show;
    struct batch *batch;
    struct rows *rows;
    struct show_into *into;
    struct shown_field name, status, *own; // own: the query's, by number
    struct places traces, wanted;          // the traces that are shown, and their rows
    const struct batch_summary *summaries; // of those traces
    uint64_t *numbers[BATCH_DURATION + 1]; // of wanted rows; NULL: a field has it
    struct find_attr *attrs;               // room for those of a span
    struct same_text {
        struct str from, copy;
    } texts[SAME_TEXTS]; // copies of bytes in the same place, as those of dictionaries are
};

void show_into_init(struct show_into *x, struct arena *a) {
    *x = (struct show_into){ .arena = a };
}

// Names of services and operations are few: one copy of each will do.
static struct str keep_again(struct show_into *x, struct str text) {
    if (text.len > SHOW_TEXT_MAX) return str_dup(x->arena, text);
    struct str *slot = &x->texts[hash_str(text) % SHOW_TEXTS];
    if (slot->ptr && str_eq(*slot, text)) return *slot;
    return *slot = str_dup(x->arena, text);
}

static inline struct str keep_text(struct showing *s, struct str text) {
    struct same_text *same = &s->texts[((uintptr_t)text.ptr >> 3) * 0x9e3779b97f4a7c15u >> 56];
    _Static_assert(SAME_TEXTS == 1 << (64 - 56), "the hash has so many values");
    if (text.len == 0) return STR("");
    if (same->from.ptr != text.ptr || same->from.len != text.len)
        *same = (struct same_text){ text, keep_again(s->into, text) };
    return same->copy;
}

static struct value keep_value(struct showing *s, const struct value *v) {
    struct value copy = *v;
    if (v->type == VALUE_STRING) copy.s = keep_text(s, v->s);
    return v->type == VALUE_ANY ? show_value(s->into->arena, v) : copy;
}

static enum err show_attrs(struct showing *s, uint32_t at, uint32_t row, struct find_span *out) {
    enum err e = ERR_OK;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->show->n_fields; i++) {
        if (!s->show->keys[i].ptr) continue;
        bool chosen = s->show->chosen && s->show->chosen[i];
        struct value v =
            chosen ? told_value(s->show->plan, s->rows, i, row, &e) : value_at(s->rows, &s->own[i], at, row);
        if (e != ERR_OK) return e;
        if (v.type == VALUE_NIL) continue;
        s->attrs[n++] = (struct find_attr){ s->show->keys[i], keep_value(s, &v) };
    }
    out->n_attrs = n;
    out->attrs = n ? arena_copy(s->into->arena, s->attrs, n * sizeof *s->attrs) : NULL;
    return out->attrs || n == 0 ? ERR_OK : ERR_NOMEM;
}

static uint64_t duration_of(const struct showing *s, uint32_t at, uint32_t row) {
    const uint64_t *all = s->numbers[BATCH_DURATION];
    return all ? all[at] : (uint64_t)value_at(s->rows, &s->own[s->show->duration], at, row).i;
}

static enum err show_span(struct showing *s, uint32_t row, struct find_span *out) {
    uint32_t at = place_of(&s->wanted, row);
    *out = (struct find_span){ .span_id = s->numbers[BATCH_SPAN_ID][at],
                               .start_ns = s->numbers[BATCH_START][at],
                               .duration_ns = duration_of(s, at, row),
                               .has_name = s->show->has_name };
    if (out->has_name) out->name = keep_text(s, value_at(s->rows, &s->name, at, row).s);
    if (s->show->errors) {
        struct value status = value_at(s->rows, &s->status, at, row);
        out->is_error = status.type == VALUE_STATUS && status.i == 2;
    }
    return show_attrs(s, at, row, out);
}

static enum err show_set(struct showing *s, const struct shown_set *in, struct find_set *out) {
    struct find_attr *attrs = NULL;
    struct find_span *spans = ARENA_ARRAY(s->into->arena, in->n_rows, struct find_span);
    uint32_t n = 0;
    if (in->n_attrs) attrs = ARENA_ARRAY(s->into->arena, in->n_attrs, struct find_attr);
    if (!spans || (in->n_attrs && !attrs)) return ERR_NOMEM;
    for (uint32_t i = 0; i < in->n_attrs; i++)
        if (in->attrs[i].value.type != VALUE_NIL)
            attrs[n++] = (struct find_attr){ in->attrs[i].label, keep_value(s, &in->attrs[i].value) };
    for (uint32_t i = 0; i < in->n_rows; i++) TRY(show_span(s, in->rows[i], &spans[i]));
    *out = (struct find_set){ attrs, n, in->matched, spans, in->n_rows };
    return ERR_OK;
}

// --- traces ----------------------------------------------------------------------------------------

enum err show_services(struct arena *a, struct str text, struct str *out) {
    char *copy = arena_alloc(a, text.len + SERVICES_PAD);
    if (!copy) return ERR_NOMEM;
    if (text.len) memcpy(copy, text.ptr, text.len);
    memset(copy + text.len, 0, SERVICES_PAD);
    *out = (struct str){ copy, text.len };
    return ERR_OK;
}

void show_summary(const struct batch_trace *t, const struct batch_summary *s, struct trace_summary *out) {
    *out = (struct trace_summary){ .start_ns = t->start_ns,
                                   .duration_ns = t->end_ns - t->start_ns,
                                   .has_root = s->has_root,
                                   .root_service = s->root_service,
                                   .root_name = s->root_name,
                                   .spans = t->n,
                                   .services = s->services };
    memcpy(out->id, t->id, 16);
}

// Texts of traces here and there are seldom in the CPU's cache.
static void fetch(const struct batch_summary *summary) {
    enum { LINE = 64, LINES_MAX = 5 };
    struct str text = summary->services;
    if (summary->services_stay) return; // it is not looked at
    for (size_t i = 0; i < text.len && i < LINE * LINES_MAX; i += LINE) mem_fetch(text.ptr + i);
}

static enum err keep_summary(struct showing *s, uint32_t trace, struct trace_summary *out) {
    enum { FETCH_AHEAD = 8 };
    uint32_t at = place_of(&s->traces, trace);
    const struct batch_summary *summary = &s->summaries[at];
    if (at >= FETCH_AHEAD) fetch(summary - FETCH_AHEAD);
    show_summary(&s->batch->traces[trace], summary, out);
    out->root_service = keep_text(s, out->root_service);
    out->root_name = keep_text(s, out->root_name);
    if (!summary->services_stay) return show_services(s->into->arena, out->services, &out->services);
    s->into->needs_pins = true;
    return ERR_OK;
}

static enum err show_trace(struct showing *s, struct shown_trace *t) {
    t->out = ARENA_NEW(s->into->arena, struct find_trace);
    struct find_set *sets = ARENA_ARRAY(s->into->arena, t->n_sets, struct find_set);
    if (!t->out || !sets) return ERR_NOMEM;
    TRY(keep_summary(s, t->trace, &t->out->summary));
    for (uint32_t i = 0; i < t->n_sets; i++) TRY(show_set(s, &t->sets[i], &sets[i]));
    if (s->into->arena->failed) return ERR_NOMEM; // a text of it
    t->out->sets = sets;
    t->out->n_sets = t->n_sets;
    return ERR_OK;
}

static enum err want_fields(struct showing *s) {
    static const struct field name = { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME },
                              status = { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_STATUS };
    const struct show *show = s->show;
    const struct places *wanted = &s->wanted;
    struct arena *a = s->batch->arena;
    uint32_t field;
    if (show->has_name) {
        TRY(rows_field_of(s->rows, &name, &field));
        TRY(want_field(s->rows, field, wanted, a, &s->name));
    }
    if (show->errors) {
        TRY(rows_field_of(s->rows, &status, &field));
        TRY(want_field(s->rows, field, wanted, a, &s->status));
    }
    for (uint32_t i = 0; i < show->n_fields; i++)
        if (show->keys[i].ptr || i == show->duration) TRY(want_field(s->rows, i, wanted, a, &s->own[i]));
    return show->chosen ? told_want(show->plan, s->rows, wanted->bits) : ERR_OK;
}

static enum err want_rows(struct showing *s, const struct shown_trace *traces, uint32_t n) {
    struct batch *b = s->batch;
    uint64_t n_rows = 0;
    s->wanted.bits = arena_zalloc(b->arena, (bits_words(b->n_rows) + 1) * 8);
    if (!s->wanted.bits) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < traces[i].n_sets; k++) {
            const struct shown_set *set = &traces[i].sets[k];
            for (uint32_t r = 0; r < set->n_rows; r++) bit_set(s->wanted.bits, set->rows[r]);
            n_rows += set->n_rows;
        }
    return places_make(&s->wanted, b->n_rows, n_rows, b->arena);
}

static enum err want_summaries(struct showing *s, const struct shown_trace *traces, uint32_t n) {
    struct batch *b = s->batch;
    s->traces.bits = arena_zalloc(b->arena, (bits_words(b->n_traces) + 1) * 8);
    if (!s->traces.bits) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) bit_set(s->traces.bits, traces[i].trace);
    TRY(places_make(&s->traces, b->n_traces, n, b->arena));
    return b->ops->summaries(b, s->traces.bits, &s->summaries);
}

// What every span has of its own, for the wanted rows alone.
static enum err want_numbers(struct showing *s) {
    struct batch *b = s->batch;
    for (int what = BATCH_SPAN_ID; what <= BATCH_DURATION; what++) {
        if (what == BATCH_DURATION && s->show->duration < s->show->n_fields) continue;
        s->numbers[what] = ARENA_ARRAY(b->arena, s->wanted.n + 1ull, uint64_t);
        if (!s->numbers[what]) return ERR_NOMEM;
        TRY(b->ops->numbers(b, (enum batch_number)what, s->wanted.at, s->wanted.n, s->numbers[what]));
    }
    return ERR_OK;
}

enum err show_traces(const struct show *show, struct batch *b, struct rows *rows, struct shown_trace *traces,
                     uint32_t n, struct show_into *into) {
    struct showing s = { .show = show, .batch = b, .rows = rows, .into = into };
    s.attrs = ARENA_ARRAY(b->arena, show->n_fields + 1ull, struct find_attr);
    s.own = ARENA_ARRAY(b->arena, show->n_fields + 1ull, struct shown_field);
    if (!s.attrs || !s.own) return ERR_NOMEM;
    TRY(want_summaries(&s, traces, n));
    TRY(want_rows(&s, traces, n));
    TRY(want_fields(&s));
    TRY(want_numbers(&s));
    for (uint32_t i = 0; i < n; i++) TRY(show_trace(&s, &traces[i]));
    return ERR_OK;
}
