// SPDX-License-Identifier: Apache-2.0
#include "block/any.h"

#include "block/gather.h"
#include "otlp/json.h"

struct converter {
    struct buf text, back;
};

// The buffers are as large as they may become: then whatever does not fit is too large, and not a
// lack of memory.
static bool converter_init(struct converter *c) {
    buf_init(&c->text, LARGE_VALUE_BYTES);
    buf_init(&c->back, LARGE_VALUE_BYTES * 2);
    return buf_reserve(&c->text, LARGE_VALUE_BYTES) && buf_reserve(&c->back, LARGE_VALUE_BYTES * 2);
}

static void converter_fini(struct converter *c) {
    buf_fini(&c->text);
    buf_fini(&c->back);
}

static bool convert(struct converter *c, struct str any) {
    struct err_ctx ctx = { 0 };
    if (any.len > LARGE_VALUE_BYTES) return false;
    buf_reset(&c->text);
    buf_reset(&c->back);
    if (otlp_pb_to_json(&otlp_any_value, any, OTLP_FLAVOUR_OTLP, &c->text) != ERR_OK) return false;
    struct str text = buf_view(&c->text);
    if (otlp_message_from_json(&otlp_any_value, OTLP_FLAVOUR_OTLP, text, &c->back, &ctx) != ERR_OK)
        return false;
    return str_eq(buf_view(&c->back), any);
}

enum err any_texts(const struct dict *d, struct arena *a, const struct str **out) {
    struct converter c;
    struct str *texts = arena_zalloc(a, (d->n + 1ull) * sizeof *texts);
    enum err e = texts && converter_init(&c) ? ERR_OK : ERR_NOMEM;
    for (uint32_t i = 0; e == ERR_OK && i < d->n; i++) {
        if (!convert(&c, dict_get(d, i))) continue;
        texts[i] = str_dup(a, buf_view(&c.text));
        if (!texts[i].ptr) e = ERR_NOMEM;
    }
    if (texts) converter_fini(&c);
    if (e == ERR_OK) *out = texts;
    return e;
}

enum err any_read(struct str text, struct arena *a, struct str *out) {
    struct err_ctx ctx = { 0 };
    struct buf pb;
    buf_init(&pb, text.len * 2 + 16); // always enough, says otlp/json.h
    enum err e = otlp_message_from_json(&otlp_any_value, OTLP_FLAVOUR_OTLP, text, &pb, &ctx);
    if (e == ERR_OK) {
        *out = str_dup(a, buf_view(&pb));
        if (!out->ptr) e = ERR_NOMEM;
    }
    buf_fini(&pb);
    return e == ERR_INVALID || e == ERR_LIMIT ? ERR_CORRUPT : e;
}
