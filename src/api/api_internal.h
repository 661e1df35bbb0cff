// SPDX-License-Identifier: Apache-2.0
// Inside `api` only.
#pragma once

#include "api/api.h"
#include "api/ask.h"
#include "api/refusals.h"
#include "base/json.h"
#include "api/tempo.h"
#include "os/thread.h"

// Why a request was refused as a whole: by a handler, or by net before a handler saw it.
#define REFUSE_TABLE(X) \
    X(TOO_LARGE, "too_large") \
    X(MEMORY, "memory") \
    X(DISK, "disk") \
    X(UNAVAILABLE, "unavailable") \
    X(MALFORMED, "malformed") \
    X(UNSUPPORTED, "unsupported") \
    X(CONTENT_TYPE, "content_type") \
    X(METHOD, "method") \
    X(PATH, "path") \
    X(ORIGIN, "origin") \
    X(SIGNAL, "signal") \
    X(TIMEOUT, "timeout") \
    X(CONNECTIONS, "too_many_connections") \
    X(TLS, "tls")
enum refuse {
#define X(name, label) REFUSE_##name,
    REFUSE_TABLE(X)
#undef X
        REFUSE_COUNT
};
const char *refuse_label(enum refuse r);

// Why a request that adds to the facts of delivery was refused.
#define HOOK_REFUSE_TABLE(X) \
    X(INVALID, "invalid") \
    X(DISK, "disk") \
    X(BUSY, "busy") \
    X(CLOSED, "closed") \
    X(FAILED, "failed")
enum hook_refuse {
#define X(name, label) HOOK_REFUSE_##name,
    HOOK_REFUSE_TABLE(X)
#undef X
        HOOK_REFUSE_COUNT
};

enum { QUERY_BUCKETS = 12, QUERY_BUCKET_SLOW = 9 }; // of times; up to that one at most WORLD_SLOW_S

struct receiver_stats {
    _Atomic uint64_t requests, spans, refused_spans, bytes, first_ns, last_ns, unknown_fields;
    _Atomic uint64_t refused[REFUSE_COUNT]; // requests
};

struct api {
    struct api_opts opts;
    const struct net_server *server;
    unsigned listener_of[API_LISTENER_COUNT]; // number of the server's listener
    bool on_loopback;                         // of the HTTP one: only this machine can ask
    _Atomic bool ready;
    uint64_t started_ns;
    struct receiver_stats receivers[API_LISTENER_COUNT];
    _Atomic uint64_t refused_by_reason[16];            // spans, by enum otlp_refuse
    _Atomic uint64_t hooks_refused[HOOK_REFUSE_COUNT]; // requests
    struct refusals refusals;
    struct workers *workers;
    _Atomic uint64_t queries_running, query_ns_total, queries_canceled_total;
    _Atomic uint64_t query_buckets[QUERY_BUCKETS];
};

// --- answers ---
// Text of an error; 4xx and 5xx.
void reply_error(struct net_request *rq, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
// The facts of delivery are open, or the request was answered: 503, with the reason.
bool reply_unless_delivery(struct api *a, struct net_request *rq);
// The same, and 429 while the disk budget is used up: for what adds to the facts. Counted.
bool reply_unless_room(struct api *a, struct net_request *rq);
void reply_method(struct net_request *rq, const char *allowed); // 405
void reply_busy(struct net_request *rq, const char *why);       // 429 with a retry hint
// Takes the buffer's bytes. Packed with gzip where the client takes it. 429 while what large answers hold
// until their clients have read them is at api_waiting_limit.
void reply_buf(struct net_request *rq, int status, struct str content_type, struct buf *body);
void reply_buf_with(struct net_request *rq, int status, struct str content_type, struct buf *body,
                    const struct net_header *more, size_t n_more);
uint64_t reply_waiting_bytes(void);   // of such answers, now
uint64_t reply_waiting_refused(void); // answers, since the start
bool reply_takes_gzip(const struct net_request *rq);
// The head of an answer in pieces, which are not packed; then as net.h has it.
NODISCARD enum err reply_begin(struct net_request *rq, int status, struct str content_type,
                               const struct net_header *more, size_t n_more);
// The next piece of it, whose bytes it takes; errors of net_reply_write. While what waits for slow readers is
// below half of api_waiting_limit it does not wait for this one, so that few of them do not hold all workers.
NODISCARD enum err reply_write(struct net_request *rq, struct buf *piece);
// Room for the next piece, in an empty buffer: out of the pool, so that a long answer meets the memory of the
// one before. false: no memory.
NODISCARD bool reply_piece(struct buf *b);
// A good answer of many items whose size is not known: what it will hold is worked out when the first
// REPLY_PIECE_BYTES are written, and taken of api_waiting_limit before a byte is sent; 429 where there is no
// room. In pieces it goes out while it is written, as far as it need not be packed.
enum { REPLY_PIECE_BYTES = 96 << 10 };
struct long_reply {
    struct net_request *rq;
    struct str content_type;
    struct buf buf;    // the answer goes here
    uint64_t reserved; // bytes taken for what is not handed out yet
    uint32_t n_items;
    bool packed, in_pieces, begun, refused;
};
void long_reply_init(struct long_reply *l, struct net_request *rq, struct str content_type, uint32_t n_items,
                     bool in_pieces);
// After each item, with how many are done (1 …): struct long_reply is ctx. In pieces it may empty the buffer.
// The error ends the answer: hand it to the end.
NODISCARD enum err long_reply_step(void *ctx, uint32_t done);
// Answers, or ends the answer. busy: what ERR_AGAIN of others than this answer is told with.
void long_reply_end(struct long_reply *l, enum err e, const char *busy);
void reply_static(struct net_request *rq, int status, struct str content_type, struct str body);
int status_of(enum err e); // HTTP
enum net_grpc_status grpc_status_of(enum err e);
#define TYPE_TEXT STR("text/plain; charset=utf-8")
#define TYPE_JSON STR("application/json")
#define TYPE_PROTOBUF STR("application/protobuf")

// --- answers to questions ---
// Asks for the request, with the limits of the server, until its client goes away; then prints.
// A Tempo message: as protobuf where the client takes it, else as JSON, which goes out in pieces when
// it is long and need not be packed.
void reply_tempo(struct api *a, struct net_request *rq, const struct otlp_message *m,
                 enum err (*answer)(struct ask *k, struct tempo_pieces *out));
// JSON of our own.
void reply_asked(struct api *a, struct net_request *rq,
                 enum err (*answer)(struct ask *k, struct json_writer *w));
void reply_failed(struct api *a, struct net_request *rq, const struct ask *k, enum err e);
// How near to refusing data ingest is.
double saturation_of(const struct api *a, const struct ingest_stats *s);
struct ask_limits limits_of(struct api *a, struct net_request *rq);
bool wants_protobuf(const struct net_request *rq);

// --- parameters ---
static inline struct params params_of(const struct net_request *rq) {
    return (struct params){ rq->query, rq->arena };
}
static inline struct str param(const struct net_request *rq, struct str name) {
    struct params p = params_of(rq);
    return params_get(&p, name);
}

// A web page sent it, from its reader's browser: never a tool. (Ours send a test span and a person's
// verdict.)
bool is_page(const struct net_request *rq);
// No page, or the request was answered: 403.
bool reply_unless_tool(struct net_request *rq);

// --- workers ---
struct workers;
NODISCARD enum err workers_new(uint32_t n, uint32_t max_queued, struct workers **out);
void workers_stop(struct workers *w); // runs what is queued first; takes no more
void workers_free(struct workers *w);
// Runs `run` with the request on a worker; ERR_LIMIT when too many wait.
NODISCARD enum err workers_run(struct workers *w, void (*run)(struct api *a, struct net_request *rq),
                               struct api *a, struct net_request *rq);

// --- handlers ---
void otlp_handle(struct api *a, struct net_request *rq); // anything on the OTLP listeners
void trace_v1_handle(struct api *a, struct net_request *rq);
void trace_v2_handle(struct api *a, struct net_request *rq);
void search_handle(struct api *a, struct net_request *rq);
void takt_search_handle(struct api *a, struct net_request *rq);
void takt_explain_handle(struct api *a, struct net_request *rq);
void takt_cohorts_handle(struct api *a, struct net_request *rq);
void takt_analyze_handle(struct api *a, struct net_request *rq);
void series_range_handle(struct api *a, struct net_request *rq);
void series_instant_handle(struct api *a, struct net_request *rq);
void tags_v1_handle(struct api *a, struct net_request *rq);
void tags_v2_handle(struct api *a, struct net_request *rq);
void values_v1_handle(struct api *a, struct net_request *rq); // …/tag/{name}/values
void values_v2_handle(struct api *a, struct net_request *rq);
bool stream_knows(struct str path);
void stream_handle(struct api *a, struct net_request *rq); // gRPC: tempopb.StreamingQuerier
void flush_handle(struct api *a, struct net_request *rq);
void metrics_handle(struct api *a, struct net_request *rq);
void metrics_note_query(struct api *a, uint64_t ns);
void metrics_note_end(struct api *a, enum err e); // of any query
void status_text_handle(struct api *a, struct net_request *rq);
void buildinfo_handle(struct api *a, struct net_request *rq);
void takt_status_handle(struct api *a, struct net_request *rq);
void takt_traces_handle(struct api *a, struct net_request *rq);
void takt_services_handle(struct api *a, struct net_request *rq);
void takt_trace_handle(struct api *a, struct net_request *rq); // …/{id}/skeleton and …/{id}/spans
void takt_test_span_handle(struct api *a, struct net_request *rq);
void takt_measures_handle(struct api *a, struct net_request *rq);
void takt_deploys_handle(struct api *a, struct net_request *rq);
void takt_deploy_handle(struct api *a, struct net_request *rq);
void takt_changed_handle(struct api *a, struct net_request *rq);
void takt_why_handle(struct api *a, struct net_request *rq);
void takt_delivery_services_handle(struct api *a, struct net_request *rq);
void takt_trend_handle(struct api *a, struct net_request *rq);
void takt_profile_handle(struct api *a, struct net_request *rq);
void takt_report_handle(struct api *a, struct net_request *rq);
void takt_ready_handle(struct api *a, struct net_request *rq);
void takt_incidents_handle(struct api *a, struct net_request *rq);
void takt_alerts_handle(struct api *a, struct net_request *rq);
void takt_calendar_handle(struct api *a, struct net_request *rq);
void takt_incident_handle(struct api *a, struct net_request *rq);
void takt_catalogue_handle(struct api *a, struct net_request *rq);
void takt_history_handle(struct api *a, struct net_request *rq);
void takt_history_post_handle(struct api *a, struct net_request *rq);
struct intake_request;
// By its signature or token, else because it comes from this machine: ERR_INVALID says why not.
NODISCARD enum err hook_may_send(struct api *a, struct net_request *rq, const struct intake_request *r,
                                 struct err_ctx *why);
void takt_catalogue_put_handle(struct api *a, struct net_request *rq);
void takt_catalogue_service_put_handle(struct api *a, struct net_request *rq); // …/catalogue/{service}
void takt_catalogue_service_delete_handle(struct api *a, struct net_request *rq);
void takt_intake_handle(struct api *a, struct net_request *rq);
void takt_impact_handle(struct api *a, struct net_request *rq);
void takt_versions_handle(struct api *a, struct net_request *rq);
void takt_compare_handle(struct api *a, struct net_request *rq);
void takt_reprocess_handle(struct api *a, struct net_request *rq);
void events_handle(struct api *a, struct net_request *rq);
void events_options_handle(struct api *a, struct net_request *rq);
void hooks_handle(struct api *a, struct net_request *rq); // /hooks/{source}
void app_handle(struct api *a, struct net_request *rq);   // the web app
