// SPDX-License-Identifier: Apache-2.0
// Which traces count as whole, partial or rebuilt: judged by all their spans, a minute after the cut.
#include "query/fixture_test.h"
#include "span/wire.h"

#define MINUTE_NS 60000000000ull

// Appends a request with one span; parent 0 = a root.
static void put_span(struct buf *b, char trace, uint64_t id, uint64_t parent, bool error) {
    char trace_id[16];
    memset(trace_id, trace, sizeof trace_id);
    size_t rs = pb_begin(b, REQUEST_RESOURCE_SPANS), ss = pb_begin(b, RS_SCOPE_SPANS);
    size_t span = pb_begin(b, SS_SPANS);
    pb_bytes(b, SPAN_TRACE_ID, (struct str){ trace_id, sizeof trace_id });
    pb_bytes(b, SPAN_SPAN_ID, (struct str){ (char *)&id, sizeof id });
    if (parent) pb_bytes(b, SPAN_PARENT_ID, (struct str){ (char *)&parent, sizeof parent });
    pb_fixed64(b, SPAN_START, TRIAL_NOW_NS - id);
    pb_fixed64(b, SPAN_END, TRIAL_NOW_NS);
    size_t status = pb_begin(b, SPAN_STATUS);
    if (error) pb_varint(b, STATUS_CODE, 2);
    pb_end(b, status);
    pb_end(b, span);
    pb_end(b, ss);
    pb_end(b, rs);
}

static void send(struct trial *t, char trace, uint64_t id, uint64_t parent, bool error) {
    struct buf b;
    buf_init(&b, 4096);
    put_span(&b, trace, id, parent, error);
    CHECK_OK(trial_submit(t, buf_view(&b)));
    buf_fini(&b);
}

static struct ingest_stats stats(struct trial *t) {
    struct ingest_stats s;
    ingest_stats(t->in, &s);
    return s;
}

// Time passes, and the keeper is woken by a cut of something that is whole.
static void pass(struct trial *t, uint64_t ns, char trace) {
    t->now_ns += ns;
    send(t, trace, 1, 0, false);
    CHECK_OK(trial_flush(t));
    trial_settle(t);
}

TEST(judge_waits_for_late_spans) {
    struct trial t;
    CHECK_OK(trial_init(&t, (struct trial_opts){ .rand = test_rand }));
    t.opts.is_whole = trace_is_whole;
    t.opts.merge = false;
    CHECK_OK(trial_open(&t));
    send(&t, 'w', 1, 0, false); // whole
    send(&t, 'w', 2, 1, true);
    send(&t, 'r', 2, 1, false); // its root comes late
    send(&t, 'p', 1, 0, false); // has a root, but misses a parent for ever
    send(&t, 'p', 2, 7, true);
    send(&t, 'n', 1, 7, false); // no root at all
    CHECK_OK(trial_flush(&t));
    struct ingest_stats s = stats(&t);
    CHECK_U64(s.cut_traces_total, 4);
    CHECK_U64(s.error_traces_total, 2);
    CHECK_U64(s.suspect_traces, 3);
    CHECK_U64(s.partial_traces_total, 0);
    send(&t, 'r', 1, 0, false);
    pass(&t, MINUTE_NS / 2, 'x'); // too early; 'r' is known already and does not count again
    s = stats(&t);
    CHECK_U64(s.cut_traces_total, 5);
    CHECK_U64(s.suspect_traces, 3);
    pass(&t, MINUTE_NS, 'y');
    s = stats(&t);
    CHECK_U64(s.suspect_traces, 0);
    CHECK_U64(s.rebuilt_traces_total, 1);
    CHECK_U64(s.partial_traces_total, 2);
    CHECK_U64(s.unknown_traces_total, 0);
    trial_fini(&t);
}

TEST(judge_asks_nobody_when_nobody_can_tell) {
    struct trial t;
    CHECK_OK(trial_init(&t, (struct trial_opts){ .rand = test_rand }));
    CHECK_OK(trial_open(&t));
    send(&t, 'n', 1, 7, false);
    CHECK_OK(trial_flush(&t));
    CHECK_U64(stats(&t).partial_traces_total, 1);
    trial_fini(&t);
}
