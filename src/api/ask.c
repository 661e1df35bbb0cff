// SPDX-License-Identifier: Apache-2.0
#include "api/ask.h"

#include <stdio.h>

#include "os/clock.h"

enum { QUESTION_BYTES_MAX = 64 << 20 }; // of what is parsed and decoded of one question

void ask_init(struct ask *k, struct view *view, const struct ask_limits *limits, struct str query) {
    memset(k, 0, sizeof *k);
    arena_init(&k->arena, QUESTION_BYTES_MAX, NULL);
    k->view = view;
    k->limits = limits;
    k->params = (struct params){ query, &k->arena };
    if (limits->timeout_ns) k->deadline_ns = clock_mono_ns(limits->clock) + limits->timeout_ns;
    if (limits->deadline_ns && (k->deadline_ns == 0 || limits->deadline_ns < k->deadline_ns))
        k->deadline_ns = limits->deadline_ns;
}

void ask_fini(struct ask *k) {
    for (uint32_t i = 0; i < k->n_queries; i++) ql_free(k->queries[i]);
    arena_fini(&k->arena);
}

enum err ask_parse(struct ask *k, struct str text, struct ql_query **out) {
    ASSERT(k->n_queries < ASK_QUERIES_MAX);
    k->text = text;
    TRY(ql_parse(&k->arena, text, out, &k->ctx));
    k->queries[k->n_queries++] = *out;
    return ERR_OK;
}

enum err ask_parse_search(struct ask *k, struct str text, struct ql_query **out) {
    TRY(ask_parse(k, text, out));
    if (!(*out)->is_metrics) return ERR_OK;
    return err_set(&k->ctx, ERR_INVALID,
                   "this is a metrics query; /api/metrics/query_range and /api/metrics/query answer it");
}

enum err ask_parse_metrics(struct ask *k, struct str text, struct ql_query **out) {
    TRY(ask_parse(k, text, out));
    if ((*out)->is_metrics) return ERR_OK;
    return err_set(&k->ctx, ERR_INVALID,
                   "this is a search; a metrics query ends in a function, as in { } | rate()");
}

struct query_bounds ask_bounds(const struct ask *k, uint64_t start_ns, uint64_t end_ns) {
    return (struct query_bounds){ .start_ns = start_ns,
                                  .end_ns = end_ns,
                                  .clock = k->limits->clock,
                                  .crew = k->limits->crew,
                                  .deadline_ns = k->deadline_ns,
                                  .memory_max = k->limits->memory_max,
                                  .memory = k->limits->memory,
                                  .canceled = k->limits->canceled,
                                  .canceled_ctx = k->limits->canceled_ctx };
}

void ask_note_scan(struct ask *k, const struct query_stats *s) {
    (void)snprintf(k->scan, sizeof k->scan, "traces=%llu, spans=%llu, bytes=%llu, blocks=%u/%u, groups=%u/%u",
                   (unsigned long long)s->traces, (unsigned long long)s->spans, (unsigned long long)s->bytes,
                   s->blocks, s->blocks_total, s->groups, s->groups_total);
}

enum err ask_note_partial(struct ask *k, const char *why, const struct query_stats *s) {
    bool late = k->deadline_ns && clock_mono_ns(k->limits->clock) >= k->deadline_ns;
    if (late && s->traces == 0 && s->spans == 0)
        return err_set(&k->ctx, ERR_TIMEOUT, "nothing could be looked at within query.timeout");
    size_t n = 0;
    for (const char *c = why; *c && n + 1 < sizeof k->partial; c++)
        k->partial[n++] = *c >= 0x20 && *c < 0x7f ? *c : '?';
    k->partial[n] = '\0';
    return ERR_OK;
}

// Of what is stored; a question that is wrong has a text of its own.
static const char *text_of(enum err e) {
    if (e == ERR_CORRUPT) return "a block that the question needs is damaged";
    if (e == ERR_UNSUPPORTED) return "a block that the question needs is damaged, or of a newer version";
    return err_text(e);
}

void ask_explain(const struct ask *k, enum err e, struct buf *out) {
    if (k->ctx.line && k->text.len)
        ql_explain(k->text, &k->ctx, out);
    else
        buf_str(out, str_of(k->ctx.text[0] ? k->ctx.text : text_of(e)));
    while (out->len && out->ptr[out->len - 1] == '\n') out->len--;
    buf_char(out, '\n');
}

int ask_status(enum err e) {
    switch (e) {
    case ERR_OK: return 200;
    case ERR_INVALID:
    case ERR_LIMIT: return 400;
    case ERR_NOT_FOUND: return 404;
    case ERR_AGAIN: return 429; // others have the memory
    case ERR_CANCELED: return 499;
    case ERR_NOMEM:
    case ERR_UNAVAILABLE: return 503;
    case ERR_TIMEOUT: return 504;
    case ERR_IO:
    case ERR_CORRUPT:
    case ERR_UNSUPPORTED: // what is stored
    case ERR_EXISTS:
    case ERR_COUNT:
    default: return 500;
    }
}
