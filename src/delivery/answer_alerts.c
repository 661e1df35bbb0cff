// SPDX-License-Identifier: Apache-2.0
#include "delivery/alerts.h"
#include "delivery/answer_parts.h"

static const int64_t week_ns = 604800000000000;

static enum err put_team(void *ctx, const struct alert_team *t) {
    struct json_writer *w = ctx;
    jw_object(w);
    put_text(w, "team", t->team);
    jw_key(w, STR("weeks"));
    jw_array(w);
    for (int i = 0; i < ALERT_WEEKS; i++) jw_u64(w, t->weeks[i]);
    jw_array_end(w);
    put_u64(w, "firing", t->firing);
    put_u64(w, "incidents", t->incidents);
    jw_object_end(w);
    return ERR_OK;
}

static enum err alerts_of(struct db *db, struct arena *a, const void *ctx, struct json_writer *w) {
    const struct answer_ask *ask = ctx;
    (void)a;
    jw_object(w);
    put_time(w, "from", ask->to - ALERT_WEEKS * week_ns);
    put_time(w, "to", ask->to);
    jw_key(w, STR("teams"));
    jw_array(w);
    TRY(alerts_each(db, &ask->scope, ask->to, put_team, w));
    jw_array_end(w);
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_alerts(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                       struct err_ctx *ctx) {
    return answer_read(d, alerts_of, ask, w, ctx);
}
