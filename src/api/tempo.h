// SPDX-License-Identifier: Apache-2.0
// The answers of Tempo's API: messages of the package tempopb, by the tables below, so that protobuf
// and JSON say the same and neither holds a field that a strict client does not know. Names and
// numbers: the interface of Tempo 3. thread: any.
#pragma once

#include "api/message.h"
#include "query/stats.h"
#include "span/value.h"

extern const struct otlp_message tempo_search_response;
extern const struct otlp_message tempo_tags_response;      // v1
extern const struct otlp_message tempo_tags_v2_response;   //
extern const struct otlp_message tempo_values_response;    // v1
extern const struct otlp_message tempo_values_v2_response; //
extern const struct otlp_message tempo_range_response;
extern const struct otlp_message tempo_instant_response;

enum { TEMPO_LIST = 1, TEMPO_METRICS = 2, TEMPO_STATUS = 3, TEMPO_MESSAGE = 4 }; // of every answer
enum {
    TEMPO_TRACE_ID = 1,
    TEMPO_ROOT_SERVICE = 2,
    TEMPO_ROOT_NAME = 3,
    TEMPO_START = 4,
    TEMPO_DURATION_MS = 5,
    TEMPO_SPAN_SET = 6,
    TEMPO_SPAN_SETS = 7,
    TEMPO_SERVICE_STATS = 8,
};
enum { TEMPO_SET_SPANS = 1, TEMPO_SET_MATCHED = 2, TEMPO_SET_ATTRIBUTES = 3 };
enum {
    TEMPO_SPAN_ID = 1,
    TEMPO_SPAN_NAME = 2,
    TEMPO_SPAN_START = 3,
    TEMPO_SPAN_DURATION = 4,
    TEMPO_SPAN_ATTRIBUTES = 5
};
enum { TEMPO_SERIES_LABELS = 1, TEMPO_SERIES_SAMPLES = 2, TEMPO_SERIES_EXEMPLARS = 4 };
enum { TEMPO_INSTANT_VALUE = 2 };
enum { TEMPO_SAMPLE_VALUE = 1, TEMPO_SAMPLE_TIME = 2 };
enum { TEMPO_EXEMPLAR_LABELS = 1, TEMPO_EXEMPLAR_VALUE = 2, TEMPO_EXEMPLAR_TIME = 3 };
enum { TEMPO_SCOPE_NAME = 1, TEMPO_SCOPE_TAGS = 2 };
enum { TEMPO_VALUE_TYPE = 1, TEMPO_VALUE_TEXT = 2 };

// A KeyValue. Durations, status and kind as their text; nil as "nil".
void tempo_attribute(struct message *m, uint32_t number, struct str key, const struct value *v);
void tempo_search_metrics(struct message *m, const struct query_stats *s); // SearchMetrics
void tempo_tag_metrics(struct message *m, const struct query_stats *s);    // MetadataMetrics
void tempo_status(struct message *m, const char *partial);                 // "" = complete

// An answer on its way out: whole, or in pieces of about `most` bytes. Protobuf: each piece is a
// message by itself, of as many items as fit (a single one may be larger), with the same end. JSON:
// pieces are stretches of one text.
struct tempo_pieces {
    struct message message;
    size_t most; // 0: one piece
    size_t mark; // where the item at hand begins
    // What follows the items of a piece (JSON: of the answer).
    void (*tail)(const void *ctx, struct message *m, bool last);
    const void *tail_ctx;
    // Takes the bytes of a piece, which is empty afterwards; NULL: it stays in message.buf.
    enum err (*send)(void *ctx, struct buf *piece, bool last);
    void *send_ctx;
};
void tempo_pieces_init(struct tempo_pieces *p, const struct otlp_message *type, bool is_json);
void tempo_pieces_fini(struct tempo_pieces *p);
// Around each item, an element of TEMPO_LIST: what is written to p->message between the two. A list
// without elements is still there in JSON.
void tempo_item_begin(struct tempo_pieces *p);
NODISCARD enum err tempo_item_end(struct tempo_pieces *p);
NODISCARD enum err tempo_pieces_end(struct tempo_pieces *p);
