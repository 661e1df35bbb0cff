// SPDX-License-Identifier: Apache-2.0
// One trace of the shop: a root, then children of spans that already serve something, the newest
// most often, until it is as large as was drawn.
#include "load/load_internal.h"

#include <stdio.h>

enum { N_USERS = 200000 };
static const uint64_t slow_ns = 2500000000; // what a slow version adds

static uint16_t pod_number(uint8_t service, unsigned version) {
    return (uint16_t)(service * SHOP_VERSIONS + version);
}

// Half of the traffic goes to the oldest version, a fifth to the newest.
static unsigned some_version(struct dice *d) {
    uint32_t ten = dice_below(d, 10);
    return ten < 5 ? 0 : ten < 8 ? 1 : 2;
}

static void thread_id(struct load_gen *g, struct buf *b) {
    attr_int(b, ATTR_SPAN, "thread.id", dice_below(&g->dice, 64));
}

static void cache_hit(struct load_gen *g, struct buf *b, double share) {
    attr_bool(b, ATTR_SPAN, "cache.hit", dice_chance(&g->dice, share));
}

static void push_server(struct load_gen *g, struct server s) {
    struct trace *t = &g->trace;
    size_t at = t->n_servers < TRACE_SERVERS_MAX ? t->n_servers++ : dice_below(&g->dice, TRACE_SERVERS_MAX);
    t->servers[at] = s;
}

static void served_http(struct load_gen *g, struct buf *b, const struct shop_op *op, bool failed) {
    struct dice *d = &g->dice;
    struct trace *t = &g->trace;
    if (op->by_id)
        attr_fmt(b, ATTR_SPAN, "url.path", "%.*s%u", STR_ARG(op->prefix), dice_skewed(d, 5000, 2));
    else
        attr_fmt(b, ATTR_SPAN, "url.path", "%.*slist", STR_ARG(op->prefix));
    attr_int(b, ATTR_SPAN, "http.response.status_code", failed ? 500 : dice_chance(d, .96) ? 200 : 404);
    attr_str(b, ATTR_SPAN, "user_agent.original", t->user_agent);
    attr_str(b, ATTR_SPAN, "client.address", str_of(t->client_ip));
    uint64_t high = dice_u64(d), low = dice_u64(d);
    attr_fmt(b, ATTR_SPAN, "http.request.header.x-request-id", "%08x-%04x-4%03x-a%03x-%012llx",
             (unsigned)(high >> 32), (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff),
             (unsigned)(low >> 48 & 0xfff), (unsigned long long)(low & 0xffffffffffff));
    attr_int(b, ATTR_SPAN, "http.response.body.size", 120 + dice_skewed(d, 40000, 3));
}

static void served_rpc(struct load_gen *g, struct buf *b, struct str ip, bool failed) {
    attr_int(b, ATTR_SPAN, "rpc.grpc.status_code", failed ? 14 : 0);
    attr_str(b, ATTR_SPAN, "network.peer.address", ip);
    attr_int(b, ATTR_SPAN, "network.peer.port", 32768 + dice_below(&g->dice, 28000));
    thread_id(g, b);
}

static const struct shop_op *some_op(struct load_gen *g, const struct shop_ops *ops, double power) {
    return &ops->list[dice_skewed(&g->dice, ops->n, power)];
}

// What a request of an operation meets while the shop ships.
static struct lot draw_lot(struct load_gen *g, uint8_t service, const struct shop_op *op) {
    if (!g->serving) return (struct lot){ 0 };
    return serving_lot(g->serving, service, op == &g->shop.services[service].served.list[SHIP_ROUTE]);
}

// A call that only some versions make.
static void ask_flags(struct load_gen *g, const struct span_head *by) {
    struct span_head h = { .pod = by->pod,
                           .scope = SHOP_HTTP,
                           .id = dice_u64(&g->dice),
                           .parent = by->id,
                           .name = STR("GET"),
                           .kind = KIND_CLIENT,
                           .start_ns = by->start_ns + by->duration_ns / 100,
                           .duration_ns = by->duration_ns / 50 + 1000 };
    struct buf *b = span_open(g, &h);
    attr_str(b, ATTR_SPAN, "http.request.method", STR("GET"));
    attr_str(b, ATTR_SPAN, "server.address", STR("flags.shop.svc.cluster.local"));
    attr_str(b, ATTR_SPAN, "peer.service", STR("flags"));
    span_close(g);
}

// A server span; further spans may hang below it. op NULL: any. A shop that does not ship draws as if
// there were no lots.
static void serve(struct load_gen *g, uint8_t service, uint64_t parent, uint64_t start_ns,
                  uint64_t duration_ns, const struct shop_op *op, bool failed, struct lot lot) {
    const struct shop_service *s = &g->shop.services[service];
    unsigned version = g->serving ? lot.pod : some_version(&g->dice);
    if (!op) op = some_op(g, &s->served, 1.4);
    struct span_head h = { .pod = pod_number(service, version),
                           .scope = op->is_http ? SHOP_HTTP : SHOP_RPC,
                           .id = dice_u64(&g->dice),
                           .parent = parent,
                           .name = op->name,
                           .kind = KIND_SERVER,
                           .start_ns = start_ns,
                           .duration_ns = duration_ns,
                           .failed = failed,
                           .by_version = lot.fails };
    struct buf *b = span_open(g, &h);
    buf_str(b, op->constant);
    if (op->is_http)
        served_http(g, b, op, failed);
    else
        served_rpc(g, b, s->pods[version].ip, failed);
    buf_str(b, buf_view(&g->trace.user));
    buf_str(b, buf_view(&g->trace.session));
    if (shop_takes_orders(service)) {
        uint64_t cents = (uint64_t)dice_lognormal(&g->dice, 4940, .8);
        attr_double(b, ATTR_SPAN, "order.total", (double)cents / 100);
    }
    span_close(g);
    push_server(g, (struct server){ service, h.pod, h.id, start_ns, duration_ns });
    if (lot.asks_flags) ask_flags(g, &h);
}

// A client span, and the server span that answers it.
static void call(struct load_gen *g, const struct server *from, uint8_t to, struct span_head *h) {
    struct dice *d = &g->dice;
    const struct shop_service *s = &g->shop.services[to];
    const struct shop_op *op = some_op(g, &s->served, 1.4);
    h->scope = op->is_http ? SHOP_HTTP : SHOP_RPC;
    h->name = op->client_name;
    h->kind = KIND_CLIENT;
    struct lot lot = draw_lot(g, to, op);
    h->failed |= lot.fails;
    if (lot.is_slow) h->duration_ns = from->start_ns + from->duration_ns - h->start_ns;
    struct buf *b = span_open(g, h);
    buf_str(b, op->client_constant);
    if (op->is_http) {
        char last[16] = "list";
        if (op->by_id) (void)snprintf(last, sizeof last, "%u", dice_skewed(d, 5000, 2));
        attr_fmt(b, ATTR_SPAN, "url.full", "http://%.*s.shop.svc.cluster.local:8080%.*s%s", STR_ARG(s->name),
                 STR_ARG(op->prefix), last);
        attr_int(b, ATTR_SPAN, "http.response.status_code", h->failed ? 500 : 200);
        attr_int(b, ATTR_SPAN, "http.response.body.size", 120 + dice_skewed(d, 40000, 3));
        attr_int(b, ATTR_SPAN, "http.request.resend_count", 0);
    } else {
        attr_int(b, ATTR_SPAN, "rpc.grpc.status_code", h->failed ? 14 : 0);
        attr_str(b, ATTR_SPAN, "peer.service", s->name);
    }
    attr_str(b, ATTR_SPAN, "network.peer.address", s->pods[0].ip);
    thread_id(g, b);
    span_close(g);
    serve(g, to, h->id, h->start_ns + h->duration_ns / 50, h->duration_ns - h->duration_ns / 20, op,
          h->failed, lot);
}

static void ask_database(struct load_gen *g, const struct server *from, struct span_head *h) {
    const struct shop_service *s = &g->shop.services[from->service];
    const struct shop_op *op = some_op(g, &s->asked, 1.3);
    h->scope = SHOP_DB;
    h->name = op->name;
    h->kind = KIND_CLIENT;
    h->duration_ns = h->duration_ns / 3 + 1000;
    struct buf *b = span_open(g, h);
    buf_str(b, op->constant);
    thread_id(g, b);
    if (s->is_cache)
        cache_hit(g, b, .83);
    else
        attr_int(b, ATTR_SPAN, "db.response.returned_rows", dice_below(&g->dice, 50));
    span_close(g);
}

static void message(struct load_gen *g, struct buf *b, const uint64_t draw[2]) {
    attr_fmt(b, ATTR_SPAN, "messaging.message.id", "%08x-%04x", (unsigned)draw[0], (unsigned)(draw[0] >> 48));
    attr_fmt(b, ATTR_SPAN, "messaging.destination.partition.id", "%u", (unsigned)(draw[1] % 24));
    attr_int(b, ATTR_SPAN, "messaging.kafka.offset", 1000000 + (draw[1] >> 40));
    (void)g;
}

static void link_to_previous(struct load_gen *g, struct buf *b) {
    size_t link = pb_begin(b, 13);
    uint64_t span = dice_u64(&g->dice);
    pb_bytes(b, 1, (struct str){ (const char *)g->previous_trace, 16 });
    pb_bytes(b, 2, (struct str){ (const char *)&span, 8 });
    attr_int(b, ATTR_LINK, "messaging.batch.index", dice_below(&g->dice, 10));
    pb_end(b, link);
}

// A message, and the service that consumes it later; often linked to the previous trace.
static void publish(struct load_gen *g, struct span_head *h) {
    struct dice *d = &g->dice;
    const struct shop_topic *topic = &g->shop.topics[dice_below(d, SHOP_TOPICS)];
    const uint64_t draw[2] = { dice_u64(d), dice_u64(d) };
    uint64_t consumed_ns = h->start_ns + h->duration_ns + (uint64_t)dice_lognormal(d, 40e6, 1);
    char name[64];
    h->scope = SHOP_KAFKA;
    h->name = (struct str){ name, (size_t)snprintf(name, sizeof name, "send %.*s", STR_ARG(topic->name)) };
    h->kind = KIND_PRODUCER;
    h->duration_ns = h->duration_ns / 6 + 1000;
    h->failed = false;
    struct buf *b = span_open(g, h);
    buf_str(b, topic->publish);
    message(g, b, draw);
    span_close(g);

    struct span_head consumer = *h;
    consumer.pod = pod_number(topic->consumer, dice_below(d, SHOP_VERSIONS));
    consumer.id = dice_u64(d);
    consumer.parent = h->id;
    consumer.name.len = (size_t)snprintf(name, sizeof name, "process %.*s", STR_ARG(topic->name));
    consumer.kind = KIND_CONSUMER;
    consumer.start_ns = consumed_ns;
    consumer.duration_ns = (uint64_t)dice_lognormal(d, 12e6, .9);
    b = span_open(g, &consumer);
    buf_str(b, topic->consume);
    message(g, b, draw);
    attr_int(b, ATTR_SPAN, "messaging.message.body.size", 200 + dice_below(d, 4000));
    if (g->previous_trace[0] && dice_chance(d, .5)) link_to_previous(g, b);
    span_close(g);
    push_server(g, (struct server){ topic->consumer, consumer.pod, consumer.id, consumer.start_ns,
                                    consumer.duration_ns });
}

// An internal span.
static void work(struct load_gen *g, const struct server *from, struct span_head *h) {
    struct dice *d = &g->dice;
    const struct shop_ops *ops = &g->shop.services[from->service].done;
    const struct shop_op *op = &ops->list[dice_below(d, ops->n)];
    h->scope = SHOP_OWN;
    h->name = op->name;
    h->kind = KIND_INTERNAL;
    struct buf *b = span_open(g, h);
    buf_str(b, op->constant);
    thread_id(g, b);
    attr_fmt(b, ATTR_SPAN, "thread.name", "worker-%u", dice_below(d, 16));
    buf_str(b, buf_view(&g->trace.user));
    attr_fmt(b, ATTR_SPAN, "feature_flag.key", "exp-%u", dice_below(d, 12));
    attr_str(b, ATTR_SPAN, "feature_flag.result.variant", dice_below(d, 2) ? STR("B") : STR("A"));
    attr_int(b, ATTR_SPAN, "app.items.count", dice_below(d, 40));
    buf_str(b, buf_view(&g->trace.session));
    if (shop_keeps_cache(from->service)) cache_hit(g, b, .7);
    if (dice_chance(d, .1)) {
        size_t event = pb_begin(b, 11);
        pb_fixed64(b, 1, h->start_ns + h->duration_ns / 2);
        pb_bytes(b, 2, STR("rules.evaluated"));
        attr_int(b, ATTR_EVENT, "rules.count", dice_below(d, 90));
        pb_end(b, event);
    }
    span_close(g);
}

void trace_grow(struct load_gen *g) {
    struct trace *t = &g->trace;
    struct dice *d = &g->dice;
    // A copy: growing may move or replace what it points to.
    struct server from = t->servers[t->n_servers - 1 - dice_skewed(d, (uint32_t)t->n_servers, 1.7)];
    const struct shop_service *s = &g->shop.services[from.service];
    struct span_head h = { .pod = from.pod, .id = dice_u64(d), .parent = from.id };
    h.start_ns = from.start_ns + (uint64_t)((double)from.duration_ns * dice_unit(d) * .85);
    uint64_t left_ns = from.start_ns + from.duration_ns - h.start_ns;
    h.duration_ns = (uint64_t)((double)left_ns * (.08 + .85 * pow(dice_unit(d), 1.5))) + 1000;
    h.failed = t->bad && dice_chance(d, .32);
    double what = dice_unit(d);
    bool room_for_two = t->n + 2 <= t->n_wanted;
    if (what < .52 && s->n_calls && room_for_two)
        call(g, &from, s->calls[dice_below(d, s->n_calls)], &h);
    else if (what < .86 && s->asked.n)
        ask_database(g, &from, &h);
    else if (what < .91 && room_for_two)
        publish(g, &h);
    else
        work(g, &from, &h);
}

// Draws what all spans of a trace have in common.
static void draw(struct load_gen *g, uint64_t start_ns, uint64_t n_wanted) {
    struct trace *t = &g->trace;
    struct dice *d = &g->dice;
    memcpy(g->previous_trace, t->id, sizeof t->id);
    t->id[0] = dice_u64(d) | 1; // never zero
    t->id[1] = dice_u64(d);
    t->start_ns = start_ns;
    t->n = t->n_servers = 0;
    t->n_wanted = n_wanted;
    t->failure = (uint8_t)dice_below(d, SHOP_FAILURE_OF_VERSION);
    t->user_agent = g->shop.user_agents[dice_skewed(d, SHOP_USER_AGENTS, 2)];
    (void)snprintf(t->client_ip, sizeof t->client_ip, "81.%u.%u.%u", dice_below(d, 256), dice_below(d, 256),
                   dice_below(d, 256));
    buf_reset(&t->user);
    buf_reset(&t->session);
    attr_fmt(&t->user, ATTR_SPAN, "user.id", "user-%06u", dice_skewed(d, N_USERS, 1.6));
    uint64_t high = dice_u64(d), low = dice_u64(d);
    attr_fmt(&t->session, ATTR_SPAN, "session.id", "%016llx%016llx", (unsigned long long)high,
             (unsigned long long)low);
    attr_fmt(&t->session, ATTR_SPAN, "tenant.id", "tenant-%02u", dice_skewed(d, 20, 2));
    g->failed |= t->user.failed || t->session.failed;
    g->n_traces++;
}

// The root of a trace.
static void begin_at(struct load_gen *g, uint8_t service, bool failed) {
    struct trace *t = &g->trace;
    if (!g->serving) {
        serve(g, service, 0, t->start_ns, t->duration_ns, NULL, failed, (struct lot){ 0 });
        return;
    }
    int partner = serving_entry(g->serving);
    if (partner >= 0) service = (uint8_t)partner;
    const struct shop_ops *ops = &g->shop.services[service].served;
    const struct shop_op *op = partner >= 0 ? &ops->list[SHIP_ROUTE] : some_op(g, ops, 1.4);
    struct lot lot = draw_lot(g, service, op);
    if (lot.is_slow) t->duration_ns += slow_ns;
    serve(g, service, 0, t->start_ns, t->duration_ns, op, failed || lot.fails, lot);
}

void trace_begin(struct load_gen *g, uint64_t start_ns, uint64_t n_wanted) {
    struct trace *t = &g->trace;
    struct dice *d = &g->dice;
    if (!n_wanted) {
        n_wanted = (uint64_t)dice_lognormal(d, 11.8, 1.03);
        n_wanted = n_wanted < 1 ? 1 : n_wanted > TRACE_SPANS_MAX ? TRACE_SPANS_MAX : n_wanted;
    }
    draw(g, start_ns, n_wanted);
    double growth = 1 + (double)(n_wanted < TRACE_SPANS_MAX ? n_wanted : TRACE_SPANS_MAX) / 40;
    t->duration_ns = (uint64_t)fmin(dice_lognormal(d, 90e6, 1.25) * growth, 60e9) + 100000;
    t->bad = dice_chance(d, .085);
    bool lone = n_wanted == 1 && dice_chance(d, .5), failed = t->bad && (lone || dice_chance(d, .6));
    begin_at(g, lone ? shop_lone_entry(d) : shop_entry(d), failed);
}

void trace_begin_bad(struct load_gen *g, uint64_t start_ns) {
    draw(g, start_ns, 24);
    g->trace.duration_ns = 400000000;
    g->trace.bad = true;
    begin_at(g, 0, true);
}

void trace_begin_slow(struct load_gen *g, uint64_t start_ns) {
    draw(g, start_ns, 40);
    g->trace.duration_ns = 3000000000;
    g->trace.bad = false;
    begin_at(g, 0, false);
}
