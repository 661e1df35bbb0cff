// SPDX-License-Identifier: Apache-2.0
// Whatever the tokenizer accepts, written again and read again, is the same text.
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct json_writer *w, const struct json *j, struct str text) {
    switch (j->kind) {
    case JSON_OBJECT: jw_object(w); break;
    case JSON_OBJECT_END: jw_object_end(w); break;
    case JSON_ARRAY: jw_array(w); break;
    case JSON_ARRAY_END: jw_array_end(w); break;
    case JSON_KEY: jw_key(w, text); break;
    case JSON_STRING: jw_str(w, text); break;
    case JSON_TRUE: jw_bool(w, true); break;
    case JSON_FALSE: jw_bool(w, false); break;
    case JSON_NULL: jw_null(w); break;
    default: jw_raw(w, j->text);
    }
}

static void numbers(struct str text) {
    uint64_t u;
    int64_t i;
    double d;
    (void)!json_u64(text, &u);
    (void)!json_i64(text, &i);
    (void)!json_f64(text, &d);
}

static enum err copy(struct str in, struct buf *out) {
    struct json j;
    struct err_ctx ctx = { 0 };
    struct buf text;
    struct json_writer w = json_writer_on(out);
    json_init(&j, in, 64, &ctx);
    buf_init(&text, 1 << 20);
    while (json_next(&j) != JSON_END && j.err == ERR_OK) {
        buf_reset(&text);
        if (j.kind == JSON_KEY || j.kind == JSON_STRING) json_text(&j, &text);
        if (j.kind == JSON_NUMBER) numbers(j.text);
        if (j.kind == JSON_STRING) numbers(buf_view(&text));
        put(&w, &j, buf_view(&text));
    }
    if (j.err != ERR_OK) ASSERT(ctx.text[0] && ctx.line > 0 && ctx.column > 0);
    buf_fini(&text);
    return j.err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf once, twice;
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    if (copy((struct str){ (const char *)data, size }, &once) == ERR_OK && !once.failed) {
        ASSERT(copy(buf_view(&once), &twice) == ERR_OK);
        ASSERT(str_eq(buf_view(&once), buf_view(&twice)));
    }
    buf_fini(&once);
    buf_fini(&twice);
    return 0;
}
