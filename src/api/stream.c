// SPDX-License-Identifier: Apache-2.0
// tempopb.StreamingQuerier over gRPC: the same questions as over HTTP. While a long one runs, messages
// tell what was looked at so far (query.progress), with traces that are sure to be in the answer, as
// they will be there: a client keeps the first copy that it sees. The answer at the end is whole. It goes
// out in pieces of up to a megabyte, each with the metrics. Field numbers: the interface of Tempo 3.
#include "api/api_internal.h"
#include "api/search.h"
#include "api/series.h"
#include "api/tags.h"
#include "base/pb.h"

enum { PIECE_BYTES = 1 << 20, STREAM_RETRY_MS = 1000 };
#define MS_NS 1000000ull
#define SECOND_NS 1000000000ull

// --- requests --------------------------------------------------------------------------------------------

static enum err bad_message(struct ask *k) {
    return err_set(&k->ctx, ERR_INVALID, "the request is not the message that it should be");
}

static enum err add_tag(struct ask *k, struct search_ask *s, struct str entry) {
    struct search_tag t = { STR(""), STR("") };
    struct reader r = reader_of(entry);
    for (struct pb_field f; pb_next(&r, &f);) {
        if (f.number == 1 && f.wire == PB_BYTES) t.key = f.bytes;
        if (f.number == 2 && f.wire == PB_BYTES) t.value = f.bytes;
    }
    if (r.bad) return bad_message(k);
    if (s->n_tags == SEARCH_TAGS_MAX)
        return err_set(&k->ctx, ERR_INVALID, "more than %d tags", SEARCH_TAGS_MAX);
    s->tags[s->n_tags++] = t;
    return ERR_OK;
}

// Seconds as these messages have them; none = all time.
static enum err set_range(struct ask *k, uint64_t start_s, uint64_t end_s, uint64_t *start_ns,
                          uint64_t *end_ns) {
    if (start_s == 0 && end_s == 0) return ERR_OK;
    if (end_s == 0) return err_set(&k->ctx, ERR_INVALID, "start and end go together");
    if (end_s <= start_s) return err_set(&k->ctx, ERR_INVALID, "end must be after start");
    *start_ns = (uint32_t)start_s * SECOND_NS;
    *end_ns = (uint32_t)end_s * SECOND_NS;
    return ERR_OK;
}

static enum err search(struct ask *k, struct str message, struct tempo_pieces *out) {
    struct search_ask s = { .tags = ARENA_ARRAY(&k->arena, SEARCH_TAGS_MAX, struct search_tag) };
    struct reader r = reader_of(message);
    uint64_t start = 0, end = 0;
    if (!s.tags) return ERR_NOMEM;
    for (struct pb_field f; pb_next(&r, &f);) {
        if (f.number == 1 && f.wire == PB_BYTES) TRY(add_tag(k, &s, f.bytes));
        if (f.number == 8 && f.wire == PB_BYTES) s.q = f.bytes;
        if (f.wire != PB_VARINT) continue;
        uint64_t v = (uint32_t)f.value;
        if (f.number == 2) s.min_duration_ns = v * MS_NS;
        if (f.number == 3) s.max_duration_ns = v * MS_NS;
        if (f.number == 4) s.limit = v;
        if (f.number == 5) start = v;
        if (f.number == 6) end = v;
        if (f.number == 9) s.spss = v;
    }
    if (r.bad) return bad_message(k);
    TRY(set_range(k, start, end, &s.start_ns, &s.end_ns));
    return search_answer(k, &s, out);
}

// SearchTagsRequest and SearchTagValuesRequest differ in what their first field says.
static enum err read_tags(struct ask *k, struct str message, struct str *first, struct tags_ask *t) {
    struct reader r = reader_of(message);
    uint64_t start = 0, end = 0;
    for (struct pb_field f; pb_next(&r, &f);) {
        if (f.number == 1 && f.wire == PB_BYTES) *first = f.bytes;
        if (f.number == 2 && f.wire == PB_BYTES) t->q = f.bytes;
        if (f.wire != PB_VARINT) continue;
        if (f.number == 3) start = (uint32_t)f.value;
        if (f.number == 4) end = (uint32_t)f.value;
        if (f.number == 5) t->limit = (uint32_t)f.value;
    }
    return r.bad ? bad_message(k) : set_range(k, start, end, &t->start_ns, &t->end_ns);
}

static enum err names(struct ask *k, struct str message, enum tags_version version,
                      struct tempo_pieces *out) {
    struct tags_ask t = { .scope = STR(""), .name = STR(""), .q = STR("") };
    TRY(read_tags(k, message, &t.scope, &t));
    return tags_answer_names(k, &t, version, out);
}

static enum err values(struct ask *k, struct str message, enum tags_version version,
                       struct tempo_pieces *out) {
    struct tags_ask t = { .scope = STR(""), .name = STR(""), .q = STR("") };
    TRY(read_tags(k, message, &t.name, &t));
    return tags_answer_values(k, &t, version, out);
}

static enum err names_v1(struct ask *k, struct str message, struct tempo_pieces *out) {
    return names(k, message, TAGS_V1, out);
}
static enum err names_v2(struct ask *k, struct str message, struct tempo_pieces *out) {
    return names(k, message, TAGS_V2, out);
}
static enum err values_v1(struct ask *k, struct str message, struct tempo_pieces *out) {
    return values(k, message, TAGS_V1, out);
}
static enum err values_v2(struct ask *k, struct str message, struct tempo_pieces *out) {
    return values(k, message, TAGS_V2, out);
}

// QueryRangeRequest, and QueryInstantRequest, which has the first three of its fields.
static enum err read_series(struct ask *k, struct str message, struct series_ask *s) {
    struct reader r = reader_of(message);
    *s = (struct series_ask){ .q = STR("") };
    for (struct pb_field f; pb_next(&r, &f);) {
        if (f.number == 1 && f.wire == PB_BYTES) s->q = f.bytes;
        if (f.wire != PB_VARINT) continue;
        if (f.number == 2) s->start_ns = f.value;
        if (f.number == 3) s->end_ns = f.value;
        if (f.number == 4) s->step_ns = f.value;
        if (f.number == 16) s->exemplars = (uint32_t)f.value;
        if (f.number == 17) s->max_series = (uint32_t)f.value;
    }
    return r.bad ? bad_message(k) : ERR_OK;
}

static enum err range(struct ask *k, struct str message, struct tempo_pieces *out) {
    struct series_ask s;
    TRY(read_series(k, message, &s));
    return series_answer_range(k, &s, out);
}

static enum err instant(struct ask *k, struct str message, struct tempo_pieces *out) {
    struct series_ask s;
    TRY(read_series(k, message, &s));
    return series_answer_instant(k, &s, out);
}

// --- the stream ------------------------------------------------------------------------------------------

struct stream {
    struct net_request *rq;
    bool begun;
};

static enum err send_piece(void *ctx, struct buf *pb, bool last) {
    struct stream *s = ctx;
    (void)last;
    if (!s->begun) TRY(net_reply_begin(s->rq, &(struct net_reply){ .status = 200 }));
    s->begun = true;
    return reply_write(s->rq, pb);
}

static enum net_grpc_status grpc_status(enum err e) {
    if (e == ERR_LIMIT) return NET_GRPC_INVALID_ARGUMENT; // of the question, as over HTTP
    return e == ERR_UNSUPPORTED ? NET_GRPC_INTERNAL : grpc_status_of(e);
}

static void end_stream(struct stream *s, const struct ask *k, enum err e) {
    struct buf text;
    buf_init(&text, 64 << 10);
    if (e != ERR_OK)
        ask_explain(k, e, &text);
    else if (k->partial[0]) // the messages have no field for it
        buf_fmt(&text, "partial: %s", k->partial);
    struct str said = buf_view(&text);
    if (str_ends(said, STR("\n"))) said.len--; // a text of HTTP's ends its last line
    struct net_reply end = { .grpc_status = grpc_status(e),
                             .grpc_message = said,
                             .retry_after_ms = e == ERR_AGAIN ? STREAM_RETRY_MS : 0 };
    if (s->begun)
        net_reply_end(s->rq, &end, false);
    else
        net_reply(s->rq, &end);
    buf_fini(&text);
}

struct method {
    struct str path;
    const struct otlp_message *response;
    enum err (*answer)(struct ask *k, struct str message, struct tempo_pieces *out);
};
static const struct method methods[] = {
#define METHOD(name) OTLP_TEXT("/tempopb.StreamingQuerier/" name)
    { METHOD("Search"), &tempo_search_response, search },
    { METHOD("SearchTags"), &tempo_tags_response, names_v1 },
    { METHOD("SearchTagsV2"), &tempo_tags_v2_response, names_v2 },
    { METHOD("SearchTagValues"), &tempo_values_response, values_v1 },
    { METHOD("SearchTagValuesV2"), &tempo_values_v2_response, values_v2 },
    { METHOD("MetricsQueryRange"), &tempo_range_response, range },
    { METHOD("MetricsQueryInstant"), &tempo_instant_response, instant },
#undef METHOD
};

static const struct method *method_of(struct str path) {
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (str_eq(path, methods[i].path)) return &methods[i];
    return NULL;
}

static enum err unpack(const struct net_request *rq, struct ask *k, struct buf *plain, struct str *out) {
    *out = rq->body;
    if (!rq->grpc_compressed) return ERR_OK;
    if (!str_eq_nocase(rq->grpc_encoding, STR("gzip")))
        return err_set(&k->ctx, ERR_INVALID, "messages may be packed with gzip, or not at all");
    TRY(body_unpack(BODY_GZIP, rq->body, plain->limit, plain, &k->ctx));
    *out = buf_view(plain);
    return ERR_OK;
}

bool stream_knows(struct str path) {
    return method_of(path) != NULL;
}

void stream_handle(struct api *a, struct net_request *rq) {
    struct view *v = ingest_view(a->opts.ingest);
    struct ask_limits limits = limits_of(a, rq);
    const struct method *method = method_of(rq->path);
    struct stream s = { .rq = rq };
    struct tempo_pieces out;
    struct buf plain;
    struct str message;
    struct ask k;
    ask_init(&k, v, &limits, STR(""));
    tempo_pieces_init(&out, method->response, false);
    out.most = PIECE_BYTES;
    out.send = send_piece;
    out.send_ctx = &s;
    buf_init(&plain, a->opts.max_decoded_bytes);
    enum err e = unpack(rq, &k, &plain, &message);
    if (e == ERR_OK) e = method->answer(&k, message, &out);
    metrics_note_end(a, e);
    end_stream(&s, &k, e);
    buf_fini(&plain);
    tempo_pieces_fini(&out);
    ask_fini(&k);
    view_unref(v);
}
