// SPDX-License-Identifier: Apache-2.0
#include "app/pipelines.h"

#include <stdio.h>

#include "base/log.h"
#include "base/pb.h"
#include "os/thread.h"
#include "span/wire.h"
#include "span/canon.h"

enum {
    MARKED_MAX = 64,            // columns of a table whose key marks
    EVENT_MAX = 1 << 20,        // bytes
    EVENT_MEMORY_MAX = 4 << 20, // of its claims
    ROOT_ROWS_MAX = 4096,       // of a trace that are looked at for its root
    LOOKS_PER_SPAN = 64,        // rows looked at for others' sake, on average of a request
    WAITING_MAX = 32 << 20,     // bytes of events that are not durable yet: beyond it, ingest waits
    SETTLE_MS = 20,
    SETTLE_TRIES = 500,
};
#define SAY_EVERY_NS (60 * 1000000000ull) // that spans are not told

// An event on its way. Freed by the writer of the facts.
struct pipeline_event {
    struct delivery_call call;
    struct pipelines *owner;
    struct intake_request request;
    struct intake in;
    struct arena arena;
    struct buf body;
    struct pipeline_event *next; // while it waits
};

struct pipelines {
    struct delivery *delivery; // NULL: not open, nothing is told
    struct clock *clock;
    struct untold_counts *untold;
    uint64_t said_ns; // when it was last logged that nothing is told; 0: never
    // Of the table at hand; the caller's thread.
    const struct span_table *table;
    uint32_t n_resources, n_columns; // looked at
    uint32_t marked[MARKED_MAX], n_marked;
    struct buf is_marked; // a byte for each resource
    bool any_resource;
    struct arena scratch;
    uint64_t looks; // left in this call
    struct {        // the trace that was looked at last: its run, or SPAN_NONE
        bool known;
        uint8_t trace_id[16];
        uint32_t row;
    } run_of;
    struct pipeline_attributes own, resource, root;

    struct mutex lock; // of all below
    struct cond changed;
    struct pipeline_event *first, **last;
    uint32_t n_flying;
    uint64_t bytes; // of all events that are there
    bool stopping;
    enum err failure; // of an event that could not be kept, since the last settle
};

// --- events ------------------------------------------------------------------------------------------------

static uint64_t event_bytes(const struct pipeline_event *e) {
    return sizeof *e + e->body.cap + e->arena.used;
}

static void event_free(struct pipeline_event *e) {
    buf_fini(&e->body);
    arena_fini(&e->arena);
    mem_free(e);
}

static void wait_again(struct pipelines *p, struct pipeline_event *e) {
    e->next = NULL;
    *p->last = e;
    p->last = &e->next;
}

// What another try may mend.
static bool may_pass(enum err e) {
    return e == ERR_IO || e == ERR_NOMEM || e == ERR_AGAIN || e == ERR_UNAVAILABLE || e == ERR_TIMEOUT;
}

// Hands over what waits, until the writer has too much of it; event_done goes on then. Holding the lock.
static void hand_over(struct pipelines *p) {
    while (p->first) {
        struct pipeline_event *e = p->first;
        p->n_flying++;
        if (delivery_submit(p->delivery, &e->call) != ERR_OK) {
            p->n_flying--;
            return;
        }
        p->first = e->next;
        if (!p->first) p->last = &p->first;
    }
}

static void event_done(void *ctx, enum err err, const struct delivery_taken *taken) {
    struct pipeline_event *e = ctx;
    struct pipelines *p = e->owner;
    bool again = may_pass(err);
    (void)taken;
    mutex_lock(&p->lock);
    if (again) {
        p->failure = err;
        wait_again(p, e);
    } else {
        p->bytes -= event_bytes(e);
        if (err != ERR_OK) p->untold->of[UNTOLD_LOST]++;
    }
    p->n_flying--;
    if (!again && !p->stopping) hand_over(p);
    cond_broadcast(&p->changed);
    mutex_unlock(&p->lock); // p may be gone from here on
    if (again) return;
    if (err != ERR_OK) log_error("pipeline.event_lost", KV_Z("error", err_text(err)));
    event_free(e);
}

// Back-pressure: what comes faster than it can be kept holds up ingest, not memory. Holding the lock.
static void wait_for_room(struct pipelines *p) {
    while (p->bytes > WAITING_MAX && !p->stopping) {
        hand_over(p);
        (void)cond_wait_for(&p->changed, &p->lock, SETTLE_MS * 1000000ull);
    }
}

static enum err event_new(struct pipelines *p, const struct pipeline_span *s, enum pipeline_what what,
                          struct pipeline_event **out) {
    struct pipeline_event *e = mem_zalloc(sizeof *e);
    struct err_ctx why = { 0 };
    if (!e) return ERR_NOMEM;
    e->owner = p;
    arena_init(&e->arena, EVENT_MEMORY_MAX, NULL);
    buf_init(&e->body, EVENT_MAX);
    pipeline_write(s, what, &e->body);
    e->request = (struct intake_request){ .source = STR("otlp"),
                                          .body = buf_view(&e->body),
                                          .received = (int64_t)clock_unix_ns(p->clock) };
    enum err err = e->body.failed ? ERR_NOMEM : intake_read(&e->request, &e->arena, &e->in, &why);
    if (err != ERR_OK) {
        log_warn("pipeline.span_unread", KV_Z("why", why.text[0] ? why.text : err_text(err)));
        event_free(e);
        return err;
    }
    e->call = (struct delivery_call){ .request = &e->request, .in = &e->in, .done = event_done, .ctx = e };
    *out = e;
    return ERR_OK;
}

static void note_closed(struct pipelines *p) {
    uint64_t now = clock_mono_ns(p->clock), n = ++p->untold->of[UNTOLD_CLOSED];
    if (p->said_ns && now - p->said_ns < SAY_EVERY_NS) return;
    p->said_ns = now;
    log_warn("pipeline.untold", KV_Z("why", "delivery is closed"), KV_U64("spans", n));
}

static void tell(struct pipelines *p, const struct pipeline_span *s, enum pipeline_what what) {
    struct pipeline_event *e;
    if (!p->delivery) {
        note_closed(p);
        return;
    }
    if (event_new(p, s, what, &e) != ERR_OK) {
        p->untold->of[UNTOLD_UNREAD]++;
        return;
    }
    mutex_lock(&p->lock);
    p->bytes += event_bytes(e);
    wait_again(p, e);
    hand_over(p);
    wait_for_room(p);
    mutex_unlock(&p->lock);
}

// --- spans -------------------------------------------------------------------------------------------------

static void add_value(struct pipelines *p, struct pipeline_attributes *to, struct str key,
                      const struct attr_value *v) {
    double number;
    if (v->type == ATTR_STRING)
        pipeline_add(to, key, v->text);
    else if (v->type == ATTR_INT)
        pipeline_add(to, key, str_fmt(&p->scratch, "%lld", (long long)v->bits));
    else if (v->type == ATTR_BOOL)
        pipeline_add(to, key, v->bits ? STR("true") : STR("false"));
    else if (v->type == ATTR_FLOAT) {
        memcpy(&number, &v->bits, sizeof number);
        pipeline_add(to, key, str_fmt(&p->scratch, "%.17g", number));
    }
}

static void read_resource(struct pipelines *p, uint32_t i, struct pipeline_attributes *to) {
    struct str message, url, key, any;
    canon_entity_split(span_resource_at(p->table, i)->bytes, &message, &url);
    struct reader r = reader_of(message);
    struct pb_field f;
    to->n = 0;
    while (pb_next(&r, &f)) {
        if (f.number != RESOURCE_ATTRIBUTE || f.wire != PB_BYTES || !attr_kv(f.bytes, &key, &any)) continue;
        struct attr_value v = attr_value_of(any);
        add_value(p, to, key, &v);
    }
}

static void read_own(struct pipelines *p, uint32_t row, struct pipeline_attributes *to) {
    const struct attr_table *t = &p->table->attrs;
    struct str shape = attrs_shape(t, row);
    to->n = 0;
    for (size_t i = 0; i + 1 < shape.len; i += 2) {
        uint16_t column;
        memcpy(&column, shape.ptr + i, 2);
        const struct attr_column *c = attrs_column(t, column);
        if (pipeline_key(c->key) == PIPELINE_KEY_NONE) continue;
        struct attr_value v = attr_column_value(c, attr_column_find(c, c->n, row));
        add_value(p, to, c->key, &v);
    }
}

// The span of a row, without the root of its trace.
static struct pipeline_span span_of(struct pipelines *p, uint32_t row) {
    const struct span_table *t = p->table;
    struct pipeline_span s = { .span_id = SEG_AT(&t->span_id, row, uint64_t),
                               .parent_id = SEG_AT(&t->parent_id, row, uint64_t),
                               .start_ns = SEG_AT(&t->start_ns, row, uint64_t),
                               .end_ns = SEG_AT(&t->end_ns, row, uint64_t),
                               .name = span_name(t, row),
                               .failed = SEG_AT(&t->status, row, uint8_t) == 2,
                               .own = &p->own,
                               .resource = &p->resource };
    memcpy(s.trace_id, span_trace_id(t, row), 16);
    read_own(p, row, &p->own);
    read_resource(p, SEG_AT(&t->resource, row, uint32_t), &p->resource);
    return s;
}

// Another row may be looked at. A trace that is made to cost too much is told in part, and that is counted.
static bool may_look(struct pipelines *p, unsigned i) {
    if (i < ROOT_ROWS_MAX && p->looks > 0) {
        p->looks--;
        return true;
    }
    p->untold->of[UNTOLD_COSTLY]++;
    return false;
}

static uint32_t search_root(struct pipelines *p, const uint8_t id[16], uint32_t n_rows) {
    uint32_t row = span_table_find(p->table, n_rows, id);
    for (unsigned i = 0; row != SPAN_NONE; i++, row = span_table_prev(p->table, row)) {
        if (!may_look(p, i)) return SPAN_NONE;
        if (SEG_AT(&p->table->parent_id, row, uint64_t)) continue;
        struct pipeline_span s = span_of(p, row);
        if (pipeline_what(&s) == PIPELINE_RUN) return row;
    }
    return SPAN_NONE;
}

// The row of a trace that is its run, or SPAN_NONE.
static uint32_t find_root(struct pipelines *p, const uint8_t id[16], uint32_t n_rows) {
    if (p->run_of.known && memcmp(p->run_of.trace_id, id, 16) == 0) return p->run_of.row;
    uint32_t row = search_root(p, id, n_rows);
    p->run_of.known = true;
    memcpy(p->run_of.trace_id, id, 16);
    p->run_of.row = row;
    return row;
}

static void tell_with_root(struct pipelines *p, uint32_t row) {
    struct pipeline_span s = span_of(p, row);
    s.root = &p->root;
    enum pipeline_what what = pipeline_what(&s);
    if (what == PIPELINE_TASK) tell(p, &s, what);
}

// A run has come: tasks of its trace that came before it and do not name it.
static void tell_earlier(struct pipelines *p, uint32_t row, uint32_t n_rows) {
    uint32_t at = span_table_find(p->table, n_rows, span_trace_id(p->table, row));
    read_own(p, row, &p->root);
    for (unsigned i = 0; at != SPAN_NONE && may_look(p, i); i++, at = span_table_prev(p->table, at)) {
        if (at >= row) continue;
        struct pipeline_span s = span_of(p, at);
        if (pipeline_what(&s) == PIPELINE_NEEDS_RUN) tell_with_root(p, at);
    }
}

static void tell_row(struct pipelines *p, uint32_t row, uint32_t n_rows) {
    arena_reset(&p->scratch);
    struct pipeline_span s = span_of(p, row);
    enum pipeline_what what = pipeline_what(&s);
    if (what == PIPELINE_NOTHING) return;
    if (what == PIPELINE_NEEDS_RUN) {
        uint32_t root = find_root(p, s.trace_id, n_rows);
        if (root == SPAN_NONE) return; // told when it comes
        read_own(p, root, &p->root);
        tell_with_root(p, row);
        return;
    }
    tell(p, &s, what);
    if (what == PIPELINE_RUN) tell_earlier(p, row, n_rows);
}

// --- the table ---------------------------------------------------------------------------------------------

static void look_at_resources(struct pipelines *p) {
    uint32_t n = p->table->n_resources;
    for (; p->n_resources < n; p->n_resources++) {
        bool marks = false;
        arena_reset(&p->scratch);
        read_resource(p, p->n_resources, &p->resource);
        for (unsigned i = 0; i < p->resource.n && !marks; i++)
            marks = pipeline_key(p->resource.items[i].key) == PIPELINE_KEY_MARKS;
        buf_char(&p->is_marked, marks);
        p->any_resource |= marks;
    }
}

static void look_at_columns(struct pipelines *p) {
    uint32_t n = p->table->attrs.n_columns;
    for (; p->n_columns < n; p->n_columns++)
        if (p->n_marked < MARKED_MAX &&
            pipeline_key(attrs_column(&p->table->attrs, p->n_columns)->key) == PIPELINE_KEY_MARKS)
            p->marked[p->n_marked++] = p->n_columns;
}

static bool has_mark(const struct pipelines *p, uint32_t row) {
    uint32_t resource = SEG_AT(&p->table->resource, row, uint32_t);
    if (p->any_resource && resource < p->is_marked.len && p->is_marked.ptr[resource]) return true;
    for (uint32_t i = 0; i < p->n_marked; i++) {
        const struct attr_column *c = attrs_column(&p->table->attrs, p->marked[i]);
        uint32_t at = attr_column_find(c, c->n, row);
        if (at < c->n && attr_column_row(c, at) == row) return true;
    }
    return false;
}

// Has any of the marked columns a value from this row on?
static bool columns_grew(const struct pipelines *p, uint32_t from) {
    for (uint32_t i = 0; i < p->n_marked; i++) {
        const struct attr_column *c = attrs_column(&p->table->attrs, p->marked[i]);
        if (c->n && attr_column_row(c, c->n - 1) >= from) return true;
    }
    return false;
}

static void take(void *ctx, const struct span_table *t, uint32_t from, uint32_t to) {
    struct pipelines *p = ctx;
    if (from == 0 || t != p->table) {
        p->table = t;
        p->n_resources = p->n_columns = p->n_marked = 0;
        p->any_resource = false;
        buf_reset(&p->is_marked);
    }
    if (p->n_resources < t->n_resources) look_at_resources(p);
    if (p->n_columns < t->attrs.n_columns) look_at_columns(p);
    if (!p->any_resource && !columns_grew(p, from)) return;
    p->run_of.known = false;
    p->looks = ROOT_ROWS_MAX + (uint64_t)(to - from) * LOOKS_PER_SPAN;
    for (uint32_t row = from; row < to; row++)
        if (has_mark(p, row)) tell_row(p, row, to);
}

static enum err settle(void *ctx) {
    struct pipelines *p = ctx;
    mutex_lock(&p->lock);
    for (unsigned i = 0; (p->first || p->n_flying) && i < SETTLE_TRIES && !p->stopping; i++) {
        hand_over(p);
        (void)cond_wait_for(&p->changed, &p->lock, SETTLE_MS * 1000000ull);
    }
    enum err e = !p->first && !p->n_flying ? ERR_OK
                 : p->stopping             ? ERR_CANCELED
                 : p->failure              ? p->failure
                                           : ERR_TIMEOUT;
    p->failure = ERR_OK;
    mutex_unlock(&p->lock);
    if (e != ERR_OK) log_warn("pipeline.not_kept", KV_Z("error", err_text(e)));
    return e;
}

struct batch_sink pipelines_sink(struct pipelines *p) {
    return (struct batch_sink){ take, settle, p };
}

enum err pipelines_new(struct delivery *d, struct clock *c, struct untold_counts *untold,
                       struct pipelines **out) {
    struct pipelines *p = mem_zalloc(sizeof *p);
    if (!p) return ERR_NOMEM;
    p->delivery = d;
    p->clock = c;
    p->untold = untold;
    p->last = &p->first;
    buf_init(&p->is_marked, RESOURCES_MAX);
    arena_init(&p->scratch, EVENT_MEMORY_MAX, NULL);
    mutex_init(&p->lock);
    cond_init(&p->changed);
    *out = p;
    return ERR_OK;
}

void pipelines_stop(struct pipelines *p) {
    if (!p) return;
    mutex_lock(&p->lock);
    p->stopping = true;
    cond_broadcast(&p->changed);
    mutex_unlock(&p->lock);
}

void pipelines_free(struct pipelines *p) {
    if (!p) return;
    mutex_lock(&p->lock);
    while (p->n_flying) (void)cond_wait_for(&p->changed, &p->lock, SETTLE_MS * 1000000ull);
    for (struct pipeline_event *e; (e = p->first);) { // the log has their spans
        p->first = e->next;
        event_free(e);
    }
    mutex_unlock(&p->lock);
    arena_fini(&p->scratch);
    buf_fini(&p->is_marked);
    cond_fini(&p->changed);
    mutex_fini(&p->lock);
    mem_free(p);
}
