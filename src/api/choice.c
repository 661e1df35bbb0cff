// SPDX-License-Identifier: Apache-2.0
#include "api/choice.h"

enum err choice_read(struct ask *k, struct choice *c) {
    const struct params *p = &k->params;
    struct selection *s = &c->selection;
    *c = (struct choice){ 0 };
    TRY(params_range(p, k->limits->clock, &c->start_ns, &c->end_ns, &k->ctx));
    TRY(params_time(p, STR("from"), &s->from_ns, &k->ctx));
    TRY(params_time(p, STR("to"), &s->to_ns, &k->ctx));
    TRY(params_duration(p, STR("min"), &s->min_ns, &k->ctx));
    TRY(params_duration(p, STR("max"), &s->max_ns, &k->ctx));
    if (c->end_ns == INT64_MAX) c->end_ns = clock_unix_ns(k->limits->clock);
    if (c->end_ns == 0) return err_set(&k->ctx, ERR_INVALID, "start and end (or since) are missing");
    if ((s->from_ns || s->to_ns) && s->to_ns <= s->from_ns)
        return err_set(&k->ctx, ERR_INVALID, "to must be after from");
    if (s->max_ns && s->max_ns < s->min_ns) return err_set(&k->ctx, ERR_INVALID, "max is less than min");
    if (s->from_ns || s->min_ns || s->max_ns) return ERR_OK;
    return err_set(&k->ctx, ERR_INVALID, "nothing is selected: give from and to, or min, or max");
}

enum err choice_search(struct ask *k, struct ql_query **out, struct str *text) {
    struct str asked = params_get(&k->params, STR("q"));
    struct buf plain;
    TRY(ask_parse_search(k, asked.len ? asked : STR("{ }"), out));
    (*out)->n_hints = 0;
    buf_init(&plain, 2 * QL_TEXT_MAX);
    ql_print(*out, &plain);
    *text = str_dup(&k->arena, buf_view(&plain));
    bool failed = plain.failed || !text->ptr;
    buf_fini(&plain);
    return failed ? ERR_NOMEM : ERR_OK;
}
