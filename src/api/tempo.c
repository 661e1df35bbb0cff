// SPDX-License-Identifier: Apache-2.0
#include "api/tempo.h"

#include "span/wire.h"

// --- tables ----------------------------------------------------------------------------------------------

#define FIELD OTLP_FIELD
#define LIST(num, json, msg) \
    { FIELD(num, MESSAGE, json, json), .repeated = true, .message = &(msg) }
#define ONE(num, json, msg) \
    { FIELD(num, MESSAGE, json, json), .message = &(msg) }
#define MAP(num, json, msg) \
    { FIELD(num, MESSAGE, json, json), .repeated = true, .map = true, .message = &(msg) }
#define TEXTS(num, json) \
    { FIELD(num, STRING, json, json), .repeated = true }
#define PLAIN(num, kind, json) \
    { FIELD(num, kind, json, json) }
#define PART(id, text, ...) OTLP_MESSAGE_AS(static, id, text, __VA_ARGS__)

static const struct str status_names[] = { OTLP_TEXT("COMPLETE"), OTLP_TEXT("PARTIAL") };
static const struct otlp_enum statuses = { status_names, 2 };
#define STATUS { FIELD(3, ENUM, "status", "status"), .values = &statuses }, PLAIN(4, STRING, "message")

PART(search_metrics, "SearchMetrics", PLAIN(1, UINT32, "inspectedTraces"), PLAIN(2, UINT64, "inspectedBytes"),
     PLAIN(3, UINT32, "totalBlocks"), PLAIN(4, UINT32, "completedJobs"), PLAIN(5, UINT32, "totalJobs"),
     PLAIN(7, UINT64, "inspectedSpans"));
PART(tag_metrics, "MetadataMetrics", PLAIN(1, UINT64, "inspectedBytes"), PLAIN(2, UINT32, "totalJobs"),
     PLAIN(3, UINT32, "completedJobs"), PLAIN(4, UINT32, "totalBlocks"));

PART(span, "Span", PLAIN(1, STRING, "spanID"), PLAIN(2, STRING, "name"),
     PLAIN(3, UINT64, "startTimeUnixNano"), PLAIN(4, UINT64, "durationNanos"),
     LIST(5, "attributes", otlp_key_value));
PART(span_set, "SpanSet", LIST(1, "spans", span), PLAIN(2, UINT32, "matched"),
     LIST(3, "attributes", otlp_key_value));
PART(service_stats, "ServiceStats", PLAIN(1, UINT32, "spanCount"), PLAIN(2, UINT32, "errorCount"));
PART(service_entry, "ServiceStatsEntry", PLAIN(1, STRING, "key"), ONE(2, "value", service_stats));
PART(trace, "TraceSearchMetadata", PLAIN(1, STRING, "traceID"), PLAIN(2, STRING, "rootServiceName"),
     PLAIN(3, STRING, "rootTraceName"), PLAIN(4, UINT64, "startTimeUnixNano"), PLAIN(5, UINT32, "durationMs"),
     ONE(6, "spanSet", span_set), LIST(7, "spanSets", span_set), MAP(8, "serviceStats", service_entry));
OTLP_MESSAGE(tempo_search_response, "SearchResponse", LIST(1, "traces", trace),
             ONE(2, "metrics", search_metrics));

PART(tag_scope, "SearchTagsV2Scope", PLAIN(1, STRING, "name"), TEXTS(2, "tags"));
PART(tag_value, "TagValue", PLAIN(1, STRING, "type"), PLAIN(2, STRING, "value"));
OTLP_MESSAGE(tempo_tags_response, "SearchTagsResponse", TEXTS(1, "tagNames"), ONE(2, "metrics", tag_metrics));
OTLP_MESSAGE(tempo_tags_v2_response, "SearchTagsV2Response", LIST(1, "scopes", tag_scope),
             ONE(2, "metrics", tag_metrics));
OTLP_MESSAGE(tempo_values_response, "SearchTagValuesResponse", TEXTS(1, "tagValues"),
             ONE(2, "metrics", tag_metrics));
OTLP_MESSAGE(tempo_values_v2_response, "SearchTagValuesV2Response", LIST(1, "tagValues", tag_value),
             ONE(2, "metrics", tag_metrics));

PART(sample, "Sample", PLAIN(2, INT64, "timestampMs"), PLAIN(1, DOUBLE, "value"));
PART(exemplar, "Exemplar", LIST(1, "labels", otlp_key_value), PLAIN(2, DOUBLE, "value"),
     PLAIN(3, INT64, "timestampMs"));
PART(series, "TimeSeries", LIST(1, "labels", otlp_key_value), LIST(2, "samples", sample),
     LIST(4, "exemplars", exemplar));
PART(instant, "InstantSeries", LIST(1, "labels", otlp_key_value), PLAIN(2, DOUBLE, "value"));
OTLP_MESSAGE(tempo_range_response, "QueryRangeResponse", LIST(1, "series", series),
             ONE(2, "metrics", search_metrics), STATUS);
OTLP_MESSAGE(tempo_instant_response, "QueryInstantResponse", LIST(1, "series", instant),
             ONE(2, "metrics", search_metrics), STATUS);

// --- parts -----------------------------------------------------------------------------------------------

static void write_plain(struct message *m, const struct value *v) {
    message_begin(m, KV_VALUE);
    if (v->type == VALUE_BOOL)
        message_number(m, ANY_BOOL, v->i != 0);
    else if (v->type == VALUE_INT)
        message_number(m, ANY_INT, (uint64_t)v->i);
    else
        message_double(m, ANY_DOUBLE, v->f);
    message_end(m);
}

static void write_word(struct message *m, const struct value *v) {
    buf_reset(&m->scratch);
    value_text(v, &m->scratch);
    message_text_in(m, KV_VALUE, ANY_STRING, buf_view(&m->scratch));
    m->buf.failed |= m->scratch.failed;
}

void tempo_attribute(struct message *m, uint32_t number, struct str key, const struct value *v) {
    message_begin(m, number);
    message_text(m, KV_KEY, key);
    switch (v->type) {
    case VALUE_STRING: message_text_in(m, KV_VALUE, ANY_STRING, v->s); break;
    case VALUE_ANY: message_whole(m, KV_VALUE, v->s); break;
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT: write_plain(m, v); break;
    case VALUE_NIL:
    case VALUE_DURATION:
    case VALUE_STATUS:
    case VALUE_KIND:
    case VALUE_TYPE_COUNT:
    default: write_word(m, v);
    }
    message_end(m);
}

static uint64_t u32_of(uint64_t n) {
    return n < UINT32_MAX ? n : UINT32_MAX;
}

void tempo_search_metrics(struct message *m, const struct query_stats *s) {
    message_begin(m, TEMPO_METRICS);
    message_number(m, 1, u32_of(s->traces));
    message_number(m, 2, s->bytes);
    message_number(m, 3, s->blocks_total);
    message_number(m, 4, s->blocks + 1ull); // what is in memory is a job too
    message_number(m, 5, s->blocks_total + 1ull);
    message_number(m, 7, s->spans);
    message_end(m);
}

void tempo_tag_metrics(struct message *m, const struct query_stats *s) {
    message_begin(m, TEMPO_METRICS);
    message_number(m, 1, s->bytes);
    message_number(m, 2, s->blocks_total + 1ull);
    message_number(m, 3, s->blocks + 1ull);
    message_number(m, 4, s->blocks_total);
    message_end(m);
}

void tempo_status(struct message *m, const char *partial) {
    if (!partial[0]) return;
    message_number(m, TEMPO_STATUS, 1);
    message_text(m, TEMPO_MESSAGE, str_of(partial));
}

// --- pieces ----------------------------------------------------------------------------------------------

void tempo_pieces_init(struct tempo_pieces *p, const struct otlp_message *type, bool is_json) {
    *p = (struct tempo_pieces){ .most = 0 };
    message_init(&p->message, type, is_json);
}

void tempo_pieces_fini(struct tempo_pieces *p) {
    message_fini(&p->message);
}

static enum err state_of(const struct message *m) {
    return m->buf.failed ? ERR_NOMEM : m->err;
}

static enum err send_piece(struct tempo_pieces *p, bool last) {
    TRY(state_of(&p->message));
    return p->send ? p->send(p->send_ctx, &p->message.buf, last) : ERR_OK;
}

void tempo_item_begin(struct tempo_pieces *p) {
    p->mark = p->message.buf.len;
}

// An item that makes the piece too large begins the next one.
static enum err send_items_before(struct tempo_pieces *p) {
    struct buf *b = &p->message.buf, item;
    buf_init(&item, SIZE_MAX);
    buf_add(&item, b->ptr + p->mark, b->len - p->mark);
    b->len = p->mark;
    p->tail(p->tail_ctx, &p->message, false);
    enum err e = item.failed ? ERR_NOMEM : send_piece(p, false);
    if (e == ERR_OK) buf_str(b, buf_view(&item));
    buf_fini(&item);
    return e == ERR_OK && b->failed ? ERR_NOMEM : e;
}

enum err tempo_item_end(struct tempo_pieces *p) {
    TRY(state_of(&p->message));
    if (p->most == 0 || p->message.buf.len <= p->most) return ERR_OK;
    if (p->message.is_json) return send_piece(p, false);
    return p->mark ? send_items_before(p) : ERR_OK;
}

enum err tempo_pieces_end(struct tempo_pieces *p) {
    message_list(&p->message, TEMPO_LIST);
    if (p->tail) p->tail(p->tail_ctx, &p->message, true);
    message_close(&p->message);
    return send_piece(p, true);
}
