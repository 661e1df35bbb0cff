// SPDX-License-Identifier: Apache-2.0
// The wiring: disk → store → ingest → api → net.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "app/app.h"
#include "app/catalogue.h"
#include "app/pipelines.h"
#include "base/log.h"
#include "base/pool.h"
#include "delivery/delivery.h"
#include "delivery/gauges_keeper.h"
#include "impact/keeper.h"
#include "delivery/neighbours_keeper.h"
#include "intake/secrets.h"
#include "os/lock.h"
#include "os/random.h"
#include "os/thread.h"
#include "query/answers.h"
#include "query/crew.h"
#include "query/memory.h"
#include "query/source.h"
#include "query/trace.h"

enum { STOP_MS = 1000, TENANT_ROOM = 64, URL_MAX = 128, QUEUE_MAX = 2000, KEEP_BYTES = 32 << 20 };
#define DAY_NS (24 * 3600 * 1000000000ull)
#define MEMORY_LEAST (256ull << 20)
#define QUERY_MEMORY_LEAST (64ull << 20)

struct server {
    struct config config;
    struct mem_budget bodies, work, heads, building;
    struct query_memory *query_memory;
    struct lock *lock;
    struct object_store *store;
    struct ingest *ingest;
    struct crew *crew;
    struct delivery *delivery; // NULL: closed says why
    struct err_ctx delivery_closed;
    struct pipelines *pipelines;
    struct untold_counts untold; // of pipelines
    struct impact_keeper *impact;
    struct gauges_keeper *gauges;
    struct neighbours_keeper *neighbours;
    struct catalogue_watch *catalogue;
    struct secrets *secrets;
    struct api *api;
    struct net_server *net;
    char wal_dir[1024];
    char url[API_LISTENER_COUNT][URL_MAX];
    unsigned listener_of[API_LISTENER_COUNT];
};

// --- budgets -----------------------------------------------------------------------------------------------

static uint64_t memory_budget(const struct config *c) {
    uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (c->memory_budget) return c->memory_budget;
    return ram / 4 > MEMORY_LEAST ? ram / 4 : MEMORY_LEAST;
}

// Bodies in flight and what is made of them, heads (one filling, some waiting for their blocks), a
// block being built; the rest is for queries, what they leave for the next one, connections and the
// program itself.
static void share_memory(struct server *s, struct config *c) {
    uint64_t all = memory_budget(c), answers = c->query_cache < all / 32 ? c->query_cache : all / 32;
    s->bodies.limit = all / 8;
    s->work.limit = all / 8;
    s->heads.limit = all * 2 / 5;
    s->building.limit = all / 5;
    block_memo_limit(all / 32);
    query_layout_limit(all / 64);
    block_cache_limit(c->query_column_cache ? c->query_column_cache : all / 16 - answers);
    answers_limit(answers);
    arena_pool_limit(all / 32);
    pool_limit(all / 32);
    api_waiting_limit(all / 8);
    if (c->head_cut_bytes > all / 8) c->head_cut_bytes = all / 8;
    if (c->ingest_max_request_bytes > s->bodies.limit / 2) c->ingest_max_request_bytes = s->bodies.limit / 2;
    if (c->ingest_max_decoded_bytes > s->work.limit / 3 * 2) // the rest: its protobuf, when it is JSON
        c->ingest_max_decoded_bytes = s->work.limit / 3 * 2;
}

// What one question may hold, unless it is set.
static uint64_t query_memory(const struct config *c) {
    uint64_t share = memory_budget(c) / 8;
    uint64_t own = share > QUERY_MEMORY_LEAST ? share : QUERY_MEMORY_LEAST;
    uint64_t most = c->query_max_memory_total ? query_memory_most(c->query_max_memory_total) : UINT64_MAX;
    if (c->query_max_memory) own = c->query_max_memory;
    return own < most ? own : most;
}

// What all of them may hold.
static uint64_t query_memory_total(const struct config *c) {
    uint64_t share = memory_budget(c) / 4, least = query_memory(c) * 2;
    if (c->query_max_memory_total) return c->query_max_memory_total;
    return share > least ? share : least;
}

// What was free at the first start may be too little; config_check has looked at what is set.
static enum err check_free(const struct server *s, uint64_t budget, struct err_ctx *ctx) {
    uint64_t least = config_disk_least(&s->config);
    if (budget >= least) return ERR_OK;
    return err_set(
        ctx, ERR_LIMIT,
        "80 %% of what was free at the first start on the disk of %s are %llu MiB, too little for a disk "
        "budget: %llu MiB are needed; make room, or set disk.budget and a smaller head.cut_bytes",
        s->config.data_dir.ptr, (unsigned long long)budget >> 20,
        (unsigned long long)(least + (1 << 20) - 1) >> 20);
}

// 80 % of what is free at the first start; kept in the store, so that it does not shrink with it.
static enum err disk_budget(struct server *s, uint64_t *out, struct err_ctx *ctx) {
    struct disk *d = disk_real();
    uint64_t free_bytes, total;
    char text[32] = "";
    *out = s->config.disk_budget;
    if (*out) return ERR_OK;
    enum err e = s->store->ops->size(s->store, STR("disk-budget"), &total);
    if (e == ERR_OK && total < sizeof text) {
        TRY(s->store->ops->read(s->store, STR("disk-budget"), 0, text, total));
        if (str_u64(str_of(text), out)) return check_free(s, *out, ctx);
    }
    TRY(d->ops->space(d, s->config.data_dir.ptr, &free_bytes, &total));
    *out = free_bytes / 5 * 4;
    TRY(check_free(s, *out, ctx));
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)*out);
    e = s->store->ops->put_if_absent(s->store, STR("disk-budget"), str_of(text));
    return e == ERR_EXISTS ? ERR_OK : e;
}

// --- start -------------------------------------------------------------------------------------------------

static enum err take_directory(struct server *s, struct err_ctx *ctx) {
    struct disk *d = disk_real();
    const char *dir = s->config.data_dir.ptr;
    int64_t pid;
    enum err e = d->ops->mkdir(d, dir);
    if (e != ERR_OK) return err_set(ctx, e, "cannot create the data directory %s: %s", dir, err_text(e));
    e = lock_take(dir, &s->lock, &pid);
    if (e == ERR_EXISTS)
        return err_set(
            ctx, e,
            "the data directory %s is in use by process %lld; give another one with --data, or ask that "
            "server with --server URL",
            dir, (long long)pid);
    if (e != ERR_OK) return err_set(ctx, e, "cannot lock the data directory %s: %s", dir, err_text(e));
    return object_file_open(d, dir, &s->store);
}

// The facts lie in the same directory, and count.
static uint64_t facts_bytes(void *ctx) {
    static const char *const names[] = { "facts.db", "facts.db-wal", "facts.db-shm" };
    struct server *s = ctx;
    struct disk *d = disk_real();
    uint64_t bytes = 0;
    char path[4096];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct disk_stat st;
        (void)snprintf(path, sizeof path, "%s/%s", s->config.data_dir.ptr, names[i]);
        if (d->ops->stat(d, path, &st) == ERR_OK) bytes += st.size_bytes;
    }
    return bytes;
}

// Facts are never deleted: the room that they leave comes back only with a larger budget. What is there can
// still be read, so the server starts.
static void warn_of_facts(struct server *s, uint64_t budget) {
    uint64_t facts = facts_bytes(s), least = facts + config_disk_least(&s->config);
    if (facts + s->config.head_cut_bytes < budget) return;
    log_error("disk.full_of_facts", KV_U64("budget", budget), KV_U64("facts", facts), KV_U64("least", least),
              KV_Z("help", "all new data is refused until disk.budget is at least that"));
}

static enum err open_ingest(struct server *s, struct err_ctx *ctx) {
    const struct config *c = &s->config;
    struct ingest_replay replay;
    uint64_t disk;
    TRY(disk_budget(s, &disk, ctx));
    warn_of_facts(s, disk);
    (void)snprintf(s->wal_dir, sizeof s->wal_dir, "%s/wal", c->data_dir.ptr);
    struct ingest_opts o = { .disk = disk_real(),
                             .clock = clock_real(),
                             .store = s->store,
                             .wal_dir = s->wal_dir,
                             .tenant = STR("single-tenant"),
                             .version = STR(TAKT_VERSION),
                             .wal_segment_bytes = c->wal_segment_bytes,
                             .wal_limit_bytes = c->wal_limit_bytes,
                             .wal_pack = (enum wal_pack)c->wal_compression,
                             .cut_spans = (uint32_t)c->head_cut_spans,
                             .cut_bytes = c->head_cut_bytes,
                             .cut_age_ns = c->head_cut_age,
                             .head_budget = &s->heads,
                             .build_budget = &s->building,
                             .retention_ns = c->retention,
                             .disk_budget_bytes = disk,
                             .beside = facts_bytes,
                             .beside_ctx = s,
                             .drop_oldest = c->disk_when_full == CONFIG_WHEN_FULL_DROP_OLDEST,
                             .merge = c->merge_enabled,
                             .is_whole = trace_is_whole,
                             .sink = pipelines_sink(s->pipelines),
                             .should_stop = signals_pending };
    TRY(ingest_open(&o, &s->ingest, &replay, ctx));
    if (replay.spans || replay.wal.tail_bytes_cut || replay.wal.quarantined_bytes)
        log_info("wal.replayed", KV_U64("spans", replay.spans), KV_U64("records", replay.wal.n_records),
                 KV_U64("ms", replay.ns / 1000000), KV_U64("tail_bytes_cut", replay.wal.tail_bytes_cut));
    if (replay.wal.quarantined_bytes)
        log_error("wal.quarantined", KV_U64("bytes", replay.wal.quarantined_bytes),
                  KV_U64("pieces", replay.wal.quarantined_pieces), KV_Z("dir", s->wal_dir));
    return ERR_OK;
}

// Damaged facts keep nobody from sending traces: all that needs them is answered 503 until they are whole.
static enum err open_facts(struct server *s, struct err_ctx *ctx) {
    struct delivery_opts o = { .dir = s->config.data_dir.ptr,
                               .failure_severity = (unsigned)s->config.delivery_failure_severity,
                               .flag_days = (unsigned)(s->config.delivery_flag_age / DAY_NS) };
    enum err e = delivery_open(&o, &s->delivery, &s->delivery_closed);
    if (e == ERR_CORRUPT) {
        log_error(
            "delivery.closed", KV_Z("why", s->delivery_closed.text),
            KV_Z("help",
                 "stop, put a backup (takt backup) in the place of facts.db or move that file away, start"));
        delivery_close(TAKE(s->delivery));
        return ERR_OK;
    }
    *ctx = s->delivery_closed;
    return e;
}

static enum err open_delivery(struct server *s, struct err_ctx *ctx) {
    TRY(secrets_read(disk_real(), s->config.hooks_secrets_dir, &s->secrets, ctx));
    TRY(open_facts(s, ctx));
    if (s->delivery)
        TRY(catalogue_watch_start(s->delivery, s->config.delivery_catalogue.ptr, &s->catalogue, ctx));
    return pipelines_new(s->delivery, clock_real(), &s->untold, &s->pipelines);
}

static struct view *take_view(void *ctx) {
    return ingest_view(ctx);
}
static enum err open_impact(struct server *s) {
    struct impact_keeper_opts o = { .delivery = s->delivery,
                                    .clock = clock_real(),
                                    .take = take_view,
                                    .give = view_unref,
                                    .ctx = s->ingest,
                                    .after_ns = (int64_t)s->config.impact_after };
    return s->config.impact_enabled && s->delivery ? impact_keeper_start(&o, &s->impact) : ERR_OK;
}

static enum err open_api(struct server *s) {
    const struct config *c = &s->config;
    TRY(crew_new(thread_cores() - 1, &s->crew));
    TRY(query_memory_new(query_memory_total(c), &s->query_memory));
    crew_lower_callers(s->crew);
    if (s->delivery)
        TRY(gauges_keeper_start(
            &(struct gauges_keeper_opts){ .delivery = s->delivery, .clock = clock_real() }, &s->gauges));
    struct api_opts o = { .ingest = s->ingest,
                          .clock = clock_real(),
                          .crew = s->crew,
                          .delivery = s->delivery,
                          .delivery_closed = str_of(s->delivery_closed.text),
                          .gauges = s->gauges,
                          .untold = &s->untold,
                          .secrets = s->secrets,
                          .body_budget = &s->bodies,
                          .work_budget = &s->work,
                          .n_workers = thread_cores() > 2 ? thread_cores() : 2,
                          .max_queued = QUEUE_MAX,
                          .max_decoded_bytes = c->ingest_max_decoded_bytes,
                          .max_trace_bytes = c->query_max_trace_bytes,
                          .cors_origins = c->otlp_http_cors_origins.items,
                          .n_cors_origins = c->otlp_http_cors_origins.n,
                          .hosts = c->http_hosts.items,
                          .n_hosts = c->http_hosts.n,
                          .version = STR(TAKT_VERSION),
                          .revision = STR(TAKT_REVISION),
                          .data_dir = c->data_dir,
                          .tls = c->tls_cert_file.len > 0,
                          .query_timeout_ns = c->query_timeout,
                          .query_progress_ns = c->query_progress,
                          .retention_ns = c->retention,
                          .query_max_memory = query_memory(c),
                          .query_memory = s->query_memory,
                          .price_per_gb_month = (double)c->storage_price / 1000 };
    return api_new(&o, &s->api);
}

static enum err open_neighbours(struct server *s) {
    struct neighbours_keeper_opts o = { .delivery = s->delivery,
                                        .clock = clock_real(),
                                        .take = take_view,
                                        .give = view_unref,
                                        .ctx = s->ingest,
                                        .every_ns = s->config.delivery_traces_every };
    return s->delivery ? neighbours_keeper_start(&o, &s->neighbours) : ERR_OK;
}

static void make_url(struct server *s, enum api_listener l, const struct config_address *a, uint16_t port) {
    struct str host = a->text;
    while (host.len && host.ptr[host.len - 1] != ':') host.len--;
    if (host.len) host.len--;
    bool any = host.len == 0 || str_eq(host, STR("0.0.0.0")) || str_eq(host, STR("[::]"));
    if (any) host = STR("localhost");
    const char *scheme = s->config.tls_cert_file.len ? "https" : "http";
    (void)snprintf(s->url[l], URL_MAX, "%s://%.*s:%u", scheme, STR_ARG(host), port);
}

static enum err listen_on(struct server *s, enum api_listener l, const struct config_address *a,
                          const char *flag, unsigned *n, struct err_ctx *ctx) {
    const struct config *c = &s->config;
    struct err_ctx inner = { 0 };
    struct net_listen o = { .address = a->text.ptr,
                            .kind = (int)l,
                            .cert_file = c->tls_cert_file.len ? c->tls_cert_file.ptr : NULL,
                            .key_file = c->tls_key_file.len ? c->tls_key_file.ptr : NULL,
                            .client_ca_file = c->tls_client_ca_file.len ? c->tls_client_ca_file.ptr : NULL,
                            .max_body_bytes = l == API_HTTP ? INTAKE_BODY_MAX : c->ingest_max_request_bytes,
                            .handler = api_handle,
                            .on_head = l == API_HTTP ? api_on_head : NULL,
                            .ctx = s->api };
    if (a->off) return ERR_OK;
    enum err e = net_server_listen(s->net, &o, &inner);
    if (e == ERR_EXISTS)
        return err_set(ctx, e, "%s is in use by another program; choose another address with %s HOST:PORT",
                       a->text.ptr, flag);
    if (e != ERR_OK)
        return err_set(ctx, e, "cannot listen on %s: %s", a->text.ptr,
                       inner.text[0] ? inner.text : err_text(e));
    make_url(s, l, a, net_server_port(s->net, *n));
    api_set_address(s->api, l, str_of(s->url[l]));
    s->listener_of[l] = (*n)++;
    return ERR_OK;
}

static enum err open_net(struct server *s, struct err_ctx *ctx) {
    const struct config *c = &s->config;
    unsigned n = 0;
    struct net_opts o = { .body_budget = &s->bodies,
                          .n_loops = (uint32_t)c->net_threads,
                          .max_connections = (uint32_t)c->net_max_connections,
                          .drain_grace_ms = 100,
                          .on_refused = api_note_refused,
                          .on_refused_ctx = s->api };
    TRY(net_server_new(&o, &s->net));
    TRY(listen_on(s, API_HTTP, &c->http_address, "--http", &n, ctx));
    TRY(listen_on(s, API_OTLP_GRPC, &c->otlp_grpc_address, "--otlp-grpc", &n, ctx));
    TRY(listen_on(s, API_OTLP_HTTP, &c->otlp_http_address, "--otlp-http", &n, ctx));
    api_set_server(s->api, s->net, s->listener_of);
    api_set_ready(s->api, true);
    return net_server_start(s->net);
}

enum err server_start(const struct config *c, struct server **out, struct err_ctx *ctx) {
    struct server *s = mem_zalloc(sizeof *s);
    if (!s) return ERR_NOMEM;
    s->config = *c; // its memory stays the caller's
    // Heads come and go by the same sizes: their memory is kept for the next one instead of being
    // unmapped and faulted in again. The keeper gives back what stays unused.
    mallopt(M_MMAP_THRESHOLD, KEEP_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
    hash_seed(random_u64());
    share_memory(s, &s->config);
    enum err e = take_directory(s, ctx);
    if (e == ERR_OK) e = open_delivery(s, ctx);
    if (e == ERR_OK) e = open_ingest(s, ctx); // whose replay tells of pipelines again
    if (e == ERR_OK) e = open_api(s);
    if (e == ERR_OK) e = open_net(s, ctx);
    if (e == ERR_OK) e = open_impact(s);
    if (e == ERR_OK) e = open_neighbours(s);
    if (e != ERR_OK)
        server_stop(s);
    else
        *out = s;
    return e;
}

// First no new requests, then what waits is answered, then the rest.
void server_stop(struct server *s) {
    if (!s) return;
    pipelines_stop(s->pipelines);
    if (s->net && net_server_stop(s->net, STOP_MS) != ERR_OK) log_warn("server.connections_cut");
    impact_keeper_stop(s->impact);
    neighbours_keeper_stop(s->neighbours);
    api_stop(s->api);
    ingest_close(s->ingest);
    pipelines_free(s->pipelines);
    catalogue_watch_stop(s->catalogue);
    gauges_keeper_stop(s->gauges);
    delivery_close(s->delivery); // answers the events that wait
    api_free(s->api);
    secrets_free(s->secrets);
    crew_free(s->crew);
    query_memory_free(s->query_memory);
    net_server_free(s->net);
    if (s->store) s->store->ops->close(s->store);
    lock_release(s->lock);
    mem_free(s);
}

const char *server_url(const struct server *s) {
    return s->url[API_HTTP];
}

const char *server_otlp_url(const struct server *s) {
    return s->url[API_OTLP_HTTP];
}

const char *server_grpc_url(const struct server *s) {
    return s->url[API_OTLP_GRPC];
}

struct delivery *server_delivery(const struct server *s) {
    return s->delivery;
}
