// SPDX-License-Identifier: Apache-2.0
// The handlers behind the listeners: OTLP in, Tempo's HTTP API, our own endpoints under /api/takt/,
// and the web app. Thin: parse → call → print. Errors are plain text, as Tempo's are.
// thread: api_handle on the loop threads of net; queries run on the workers.
#pragma once

#include "ingest/ingest.h"
#include "net/net.h"

enum api_listener { API_HTTP, API_OTLP_GRPC, API_OTLP_HTTP, API_LISTENER_COUNT };

struct api;
struct crew;
struct delivery;
struct untold_counts;
struct gauges_keeper;
struct secrets;

// Bodies of requests that are not events.
enum { API_BODY_MAX = 1 << 20 };

struct api_opts {
    struct ingest *ingest;
    struct clock *clock;
    struct crew *crew;                  // helps queries; NULL = none
    struct delivery *delivery;          // NULL: its requests are answered 503
    struct str delivery_closed;         // why it is NULL, for people
    struct gauges_keeper *gauges;       // of delivery, for /metrics; NULL: none
    const struct untold_counts *untold; // spans of pipelines, for figures
    const struct secrets *secrets;      // of hooks
    struct mem_budget *body_budget;     // of the server's, for figures
    struct mem_budget *work_budget;     // bodies unpacked, turned to protobuf, packed for the log
    uint32_t n_workers, max_queued;
    uint64_t max_decoded_bytes; // of a request body
    uint64_t max_trace_bytes;   // of a trace in an answer
    const struct str *cors_origins;
    uint32_t n_cors_origins;
    const struct str *hosts; // names to be asked by on a loopback address
    uint32_t n_hosts;
    struct str version, revision, data_dir;
    struct str addresses[API_LISTENER_COUNT]; // for people; "" = off
    bool tls;
    uint64_t query_timeout_ns, query_max_memory; // of one question; 0 = none
    struct query_memory *query_memory;           // of all together; outlives the api; NULL = none
    uint64_t retention_ns;                       // of traces; 0: for ever
    uint64_t query_progress_ns;                  // between messages of a stream on its way
    double price_per_gb_month;                   // of storage, for the cost figure
};

// Bytes that large answers may hold until their clients have read them, all servers of the process
// together; before they start. 0: no limit.
void api_waiting_limit(uint64_t bytes);

NODISCARD enum err api_new(const struct api_opts *opts, struct api **out);
// Ends the queries that run, and takes no new ones: before ingest is closed.
void api_stop(struct api *a); // NULL is fine
// After the server has stopped and ingest has answered everything.
void api_free(struct api *a);
// Before the server starts, after the addresses: what it listens on, for people and figures.
void api_set_server(struct api *a, const struct net_server *s,
                    const unsigned listener_of[API_LISTENER_COUNT]);
void api_set_address(struct api *a, enum api_listener l, struct str address);
void api_set_ready(struct api *a, bool ready);

void api_handle(void *api, struct net_request *rq); // a net_handler
// For net_listen.on_head: only events may be large.
void api_on_head(void *api, struct net_request *rq);
// For net_opts.on_refused.
void api_note_refused(void *api, int kind, enum net_refusal why, const char *text, struct str peer);
