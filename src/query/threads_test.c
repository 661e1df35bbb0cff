// SPDX-License-Identifier: Apache-2.0
// Writers, readers, flushes and merges at the same time. ThreadSanitizer looks on; what is checked
// here is that a reader sees every span from the moment it was acknowledged, and each once.
#include "os/thread.h"
#include "query/fixture_test.h"

enum { WRITERS = 2, READERS = 2, ROUNDS = 120, SPANS = 5 };

struct crowd {
    struct trial t;
    _Atomic uint64_t acknowledged[WRITERS]; // traces of the writer: its numbers go up to here
    _Atomic uint32_t writing, wrong;
};

struct member {
    struct crowd *c;
    struct thread thread;
    uint64_t number;
};

static uint64_t trace_of(uint64_t writer, uint64_t i) {
    return writer << 32 | i;
}

static void write_all(void *arg) {
    struct member *m = arg;
    struct buf body;
    buf_init(&body, SIZE_MAX);
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        struct spec s[SPANS];
        for (uint64_t k = 0; k < SPANS; k++)
            s[k] =
                (struct spec){ trace_of(m->number, i), k + 1, k,     TRIAL_NOW_NS + i, TRIAL_NOW_NS + i + 9,
                               m->number ? "a" : "b",  "op",  k == 2 };
        buf_reset(&body);
        spec_body(s, SPANS, &body);
        enum err e = trial_send(m->c->t.in, buf_view(&body), m->c->t.now_ns);
        // Once more, so that there are duplicates in other places.
        if (e == ERR_OK && i % 5 == 0) e = trial_send(m->c->t.in, buf_view(&body), m->c->t.now_ns);
        m->c->wrong += e != ERR_OK;
        m->c->acknowledged[m->number] = i;
        if (i % 13 == 0) m->c->wrong += trial_flush(&m->c->t) != ERR_OK;
    }
    buf_fini(&body);
    m->c->writing--;
}

static void read_trace(struct crowd *c, struct view *v, uint64_t trace) {
    struct trace tr;
    uint8_t id[16];
    spec_trace_id(trace, id);
    if (trace_load(v, id, &(struct trace_limits){ 0 }, &tr) == ERR_OK) {
        uint32_t errors = 0;
        for (uint32_t i = 0; i < tr.n; i++) errors += SEG_AT(&tr.table.status, tr.rows[i], uint8_t) == 2;
        c->wrong += tr.n != SPANS || errors != 1;
        trace_fini(&tr);
    } else {
        c->wrong++;
    }
}

static void search_all(struct crowd *c, struct view *v, uint64_t at_least) {
    struct find_result r;
    struct listing l = { .how = { .errors = true, .operation = STR("op") }, .limit = 20 };
    list_traces(v, &l, NULL, &r);
    c->wrong += r.total < at_least;
    for (uint32_t i = 0; i < r.n; i++) c->wrong += r.traces[i].summary.spans != SPANS;
    for (uint32_t i = 1; i < r.n; i++)
        c->wrong += r.traces[i].summary.start_ns > r.traces[i - 1].summary.start_ns;
    find_fini(&r);
}

static void read_all(void *arg) {
    struct member *m = arg;
    struct crowd *c = m->c;
    for (uint64_t i = 0; c->writing > 0 || i < 5; i++) {
        uint64_t seen[WRITERS], sum = 0;
        for (int w = 0; w < WRITERS; w++) sum += seen[w] = c->acknowledged[w];
        struct view *v = ingest_view(c->t.in);
        for (uint64_t w = 0; w < WRITERS; w++)
            if (seen[w]) read_trace(c, v, trace_of(w, i % 2 ? seen[w] : 1 + i % seen[w]));
        if (i % 3 == 0) search_all(c, v, sum);
        struct ingest_stats s;
        ingest_stats(c->t.in, &s);
        view_unref(v);
    }
}

TEST(threads_readers_see_what_was_acknowledged_at_any_moment) {
    static struct crowd c;
    struct member writers[WRITERS], readers[READERS];
    memset(&c, 0, sizeof c);
    trial_start(&c.t, (struct trial_opts){ .cut_spans = 60 });
    c.writing = WRITERS;
    for (uint64_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct member){ .c = &c, .number = i };
        CHECK_OK(thread_start(&writers[i].thread, "writer", write_all, &writers[i]));
    }
    for (uint64_t i = 0; i < READERS; i++) {
        readers[i] = (struct member){ .c = &c, .number = i };
        CHECK_OK(thread_start(&readers[i].thread, "reader", read_all, &readers[i]));
    }
    for (int i = 0; i < WRITERS; i++) thread_join(&writers[i].thread);
    for (int i = 0; i < READERS; i++) thread_join(&readers[i].thread);
    CHECK_U64(c.wrong, 0);
    trial_settle(&c.t);
    for (uint64_t w = 0; w < WRITERS; w++)
        for (uint64_t i = 1; i <= ROUNDS; i++) CHECK_U64(spans_now(&c.t, trace_of(w, i)), SPANS);
    trial_fini(&c.t);
}

// Whoever waits when the ingest stops gets an answer, and what was acknowledged is there afterwards.
TEST(threads_a_stop_answers_everybody) {
    for (int round = 0; round < 12; round++) {
        enum { N = 16 };
        struct trial t;
        struct str bodies[N];
        trial_start(&t, (struct trial_opts){ .random = { .spans_max = 3 }, .cut_spans = 20 });
        struct buf all[N];
        for (int i = 0; i < N; i++) {
            buf_init(&all[i], SIZE_MAX);
            trial_random_body(&t, &all[i]);
            bodies[i] = buf_view(&all[i]);
        }
        trial_submit_and_close(&t, bodies, N);
        CHECK_U64(t.n_unanswered, 0);
        CHECK_OK(trial_open(&t));
        check_traces(&t);
        for (int i = 0; i < N; i++) buf_fini(&all[i]);
        trial_fini(&t);
    }
}
