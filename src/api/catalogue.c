// SPDX-License-Identifier: Apache-2.0
// The catalogue of services by the API: the whole of it, or one service.
#include "api/api_internal.h"
#include "delivery/catalogue_store.h"
#include "delivery/delivery.h"

enum { DEPTH_MAX = 16 };

static const char prefix[] = "/api/takt/delivery/catalogue/";

struct change {
    struct catalogue catalogue;
    struct catalogue_service service;
    struct str name;
    struct err_ctx ctx;
};

static enum err keep_all(struct db *db, void *ctx) {
    struct change *c = ctx;
    return catalogue_keep(db, &c->catalogue, STR(""), &c->ctx);
}
static enum err keep_one(struct db *db, void *ctx) {
    struct change *c = ctx;
    return catalogue_keep_service(db, &c->service, &c->ctx);
}
static enum err drop_one(struct db *db, void *ctx) {
    struct change *c = ctx;
    return catalogue_drop_service(db, c->name, &c->ctx);
}

static enum err read_body(struct net_request *rq, struct change *c, bool one) {
    struct document d;
    TRY(document_read(rq->body, DEPTH_MAX, rq->arena, &d, &c->ctx));
    return one ? catalogue_read_service(&d, c->name, &c->service) : catalogue_read(&d, &c->catalogue);
}

static void write_change(struct api *a, struct net_request *rq, struct change *c,
                         enum err (*job)(struct db *db, void *ctx), bool reads, bool one) {
    enum err e = ERR_OK;
    if (!reply_unless_tool(rq) || !reply_unless_delivery(a, rq)) return;
    if (reads) e = read_body(rq, c, one);
    if (e == ERR_OK) e = delivery_write(a->opts.delivery, job, c);
    if (e == ERR_OK)
        reply_static(rq, 200, TYPE_TEXT, STR("the catalogue was changed\n"));
    else
        reply_error(rq, e == ERR_EXISTS ? 409 : status_of(e), "%s",
                    c->ctx.text[0] ? c->ctx.text : err_text(e));
}

void takt_catalogue_put_handle(struct api *a, struct net_request *rq) {
    struct change c = { .name = STR("") };
    write_change(a, rq, &c, keep_all, true, false);
}
void takt_catalogue_service_put_handle(struct api *a, struct net_request *rq) {
    struct change c = { .name = str_sub(rq->path, sizeof prefix - 1, rq->path.len) };
    write_change(a, rq, &c, keep_one, true, true);
}
void takt_catalogue_service_delete_handle(struct api *a, struct net_request *rq) {
    struct change c = { .name = str_sub(rq->path, sizeof prefix - 1, rq->path.len) };
    write_change(a, rq, &c, drop_one, false, true);
}
