// SPDX-License-Identifier: Apache-2.0
// POST /events and /hooks/<source>: what tools send about delivery. Checked on its raw bytes, read,
// kept durably, then answered. What is refused is kept as well, with the reason.
#include <stdio.h>

#include "api/api_internal.h"
#include "api/guard.h"
#include "base/log.h"
#include "delivery/delivery.h"
#include "intake/secrets.h"

enum { HOOK_CLAIMS_MAX = 256 << 20 };

static bool is_local(struct str peer) {
    return str_starts(peer, STR("127.")) || str_starts(peer, STR("[::1]")) ||
           str_starts(peer, STR("[::ffff:127."));
}

// "null" is a page too: of a file, or in a frame that its site has put into a sandbox.
bool is_page(const struct net_request *rq) {
    return net_request_header(rq, STR("origin")).len > 0;
}

bool reply_unless_tool(struct net_request *rq) {
    if (is_page(rq)) reply_error(rq, 403, "web pages may not ask for this");
    return !is_page(rq);
}

// A page of this server, opened on this machine by a name that nobody else can point here: a page of
// another site, whose name was made to lead to 127.0.0.1, has an origin like its host too.
static bool is_own_page(const struct net_request *rq) {
    return guard_is_same_origin(rq) && guard_is_loopback(rq->host);
}

static void note_refused(struct api *a, struct net_request *rq, const struct intake_request *r, int status,
                         const char *why) {
    enum err e = delivery_refuse(a->opts.delivery, r, str_of(why));
    a->hooks_refused[HOOK_REFUSE_INVALID]++; // also where it cannot be kept
    if (e != ERR_OK) log_warn("hook.refusal_not_kept", KV_Z("error", err_text(e)));
    log_warn("hook.refused", KV_STR("source", r->source), KV_Z("why", why), KV_STR("peer", rq->peer));
    reply_error(rq, status, "%s", why);
}

enum err hook_may_send(struct api *a, struct net_request *rq, const struct intake_request *r,
                       struct err_ctx *why) {
    const struct intake_secret *secrets;
    struct str name, more; // "devlake/connections/1/deployments" has the secrets of devlake
    (void)str_cut(r->source, '/', &name, &more);
    unsigned n = secrets_of(a->opts.secrets, name, &secrets);
    // What a proxy on this machine hands on comes from elsewhere.
    bool handed_on =
        net_request_header(rq, STR("x-forwarded-for")).len || net_request_header(rq, STR("forwarded")).len;
    if (n == 0 && (!is_local(rq->peer) || handed_on))
        return err_set(why, ERR_INVALID,
                       "the hook \"%.*s\" has no secret, so it takes events from this machine only; put one "
                       "into the folder that hooks.secrets_dir names",
                       STR_ARG(name));
    if (n == 0 && is_page(rq) && !is_own_page(rq))
        return err_set(why, ERR_INVALID, "a hook without a secret takes nothing from web pages");
    return intake_check(r, secrets, n, why);
}

static void reply_taken(struct net_request *rq, const struct delivery_taken *t) {
    struct buf body;
    buf_init(&body, 4096);
    struct json_writer w = json_writer_on(&body);
    jw_object(&w);
    jw_key(&w, STR("events"));
    jw_u64(&w, t->events);
    jw_key(&w, STR("known_before"));
    jw_u64(&w, t->again);
    jw_key(&w, STR("unknown_type"));
    jw_u64(&w, t->unknown);
    jw_key(&w, STR("set_aside"));
    jw_u64(&w, t->aside);
    jw_object_end(&w);
    reply_buf(rq, 202, TYPE_JSON, &body);
}

// An event on its way: read on a worker, answered by the writer of the facts once it is durable, so
// that many share a commit however few workers there are.
struct hook_call {
    struct delivery_call call; // the first member
    struct api *api;
    struct net_request *rq;
    struct intake_request request;
    struct intake_header headers[INTAKE_HEADERS_MAX];
    struct intake in;
    struct arena arena;
};

static void reply_kept(struct api *a, struct net_request *rq, enum err e,
                       const struct delivery_taken *taken) {
    if (e != ERR_OK) a->hooks_refused[e == ERR_AGAIN ? HOOK_REFUSE_BUSY : HOOK_REFUSE_FAILED]++;
    if (e == ERR_OK)
        reply_taken(rq, taken);
    else if (e == ERR_AGAIN)
        reply_busy(rq, "the facts have too much to write; try again\n");
    else
        reply_error(rq, status_of(e), "the event was not kept: %s", err_text(e));
}

static void hook_free(struct hook_call *h) {
    arena_fini(&h->arena);
    mem_free(h);
}

static void hook_done(void *ctx, enum err e, const struct delivery_taken *taken) {
    struct hook_call *h = ctx;
    reply_kept(h->api, h->rq, e, taken);
    hook_free(h);
}

static void take(struct api *a, struct hook_call *h) {
    struct err_ctx why = { 0 };
    h->call = (struct delivery_call){ .request = &h->request, .in = &h->in, .done = hook_done, .ctx = h };
    enum err e = hook_may_send(a, h->rq, &h->request, &why);
    int refusal = e == ERR_NOT_FOUND ? 404 : 401;
    if (e == ERR_OK) {
        e = intake_read(&h->request, &h->arena, &h->in, &why);
        refusal = e == ERR_NOT_FOUND ? 404 : 400;
    }
    if (e == ERR_OK && (e = delivery_submit(a->opts.delivery, &h->call)) == ERR_OK) return;
    if (e == ERR_INVALID || e == ERR_NOT_FOUND)
        note_refused(a, h->rq, &h->request, refusal, why.text);
    else
        reply_kept(a, h->rq, e, NULL);
    hook_free(h);
}

static void handle(struct api *a, struct net_request *rq, struct str source) {
    if (!reply_unless_room(a, rq)) return;
    struct hook_call *h = mem_zalloc(sizeof *h);
    if (!h) {
        reply_kept(a, rq, ERR_NOMEM, NULL);
        return;
    }
    h->api = a;
    h->rq = rq;
    h->request = (struct intake_request){ .source = source,
                                          .query = rq->query,
                                          .headers = h->headers,
                                          .body = rq->body,
                                          .received = (int64_t)clock_unix_ns(a->opts.clock) };
    for (size_t i = 0; i < rq->n_headers && h->request.n_headers < INTAKE_HEADERS_MAX; i++)
        h->headers[h->request.n_headers++] =
            (struct intake_header){ rq->headers[i].name, rq->headers[i].value };
    arena_init(&h->arena, HOOK_CLAIMS_MAX, a->opts.work_budget);
    take(a, h);
}

void events_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, STR("events"));
}
void hooks_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, str_sub(rq->path, strlen("/hooks/"), rq->path.len));
}

// The handshake of the CloudEvents web hook specification: may this origin send here?
void events_options_handle(struct api *a, struct net_request *rq) {
    (void)a;
    struct str origin = net_request_header(rq, STR("webhook-request-origin"));
    struct net_header h[] = { { STR("allow"), STR("POST, OPTIONS") },
                              { STR("webhook-allowed-origin"), origin.len ? origin : STR("*") },
                              { STR("webhook-allowed-rate"), STR("*") } };
    net_reply(rq, &(struct net_reply){ .status = 200, .headers = h, .n_headers = 3 });
}

void api_on_head(void *api, struct net_request *rq) {
    (void)api;
    bool takes = str_eq(rq->path, STR("/events")) || str_starts(rq->path, STR("/hooks/"));
    if (!takes && rq->max_body_bytes > API_BODY_MAX) rq->max_body_bytes = API_BODY_MAX;
}
