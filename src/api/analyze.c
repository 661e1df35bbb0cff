// SPDX-License-Identifier: Apache-2.0
// A query for editors while it is written: colours, diagnostics, and what may come at the cursor, filled
// with the names and values that the store has. Places are in UTF-16 code units, as browsers count.
#include "traceql/analyze.h"

#include <stdio.h>

#include "api/api_internal.h"
#include "api/complete.h"

// --- places ------------------------------------------------------------------------------------------------

// Bytes of a text as UTF-16 code units. Cheap when the places ascend.
struct units {
    struct str text;
    size_t byte;
    uint64_t at;
};

static uint64_t units_at(struct units *u, size_t byte) {
    if (byte < u->byte) *u = (struct units){ .text = u->text };
    if (byte > u->text.len) byte = u->text.len;
    for (; u->byte < byte; u->byte++) {
        unsigned char c = (unsigned char)u->text.ptr[u->byte];
        bool first = (c & 0xc0) != 0x80;
        u->at += first ? 1u + (c >= 0xf0) : 0; // four bytes are a pair of surrogates
    }
    return u->at;
}

static uint32_t byte_at(struct str text, uint64_t unit) {
    struct units u = { .text = text };
    size_t byte = 0;
    while (byte < text.len && units_at(&u, byte) < unit) {
        size_t n = str_utf8_len(str_sub(text, byte, text.len));
        byte += n ? n : 1;
    }
    return (uint32_t)byte;
}

static void write_place(struct json_writer *w, struct units *u, struct ql_place p) {
    jw_key(w, STR("from"));
    jw_u64(w, units_at(u, p.from));
    jw_key(w, STR("to"));
    jw_u64(w, units_at(u, (size_t)p.from + p.len));
}

// --- the answer --------------------------------------------------------------------------------------------

static void write_tokens(struct json_writer *w, struct units *u, const struct ql_analysis *x) {
    static const char *const classes[QL_CLASS_COUNT] = {
        [QL_CLASS_COMMENT] = "comment",     [QL_CLASS_KEYWORD] = "keyword",
        [QL_CLASS_OPERATOR] = "operator",   [QL_CLASS_PUNCTUATION] = "punctuation",
        [QL_CLASS_SCOPE] = "scope",         [QL_CLASS_ATTRIBUTE] = "attribute",
        [QL_CLASS_INTRINSIC] = "intrinsic", [QL_CLASS_STRING] = "string",
        [QL_CLASS_NUMBER] = "number",       [QL_CLASS_DURATION] = "duration",
        [QL_CLASS_FUNCTION] = "function",   [QL_CLASS_ERROR] = "error",
    };
    jw_key(w, STR("tokens"));
    jw_array(w);
    for (uint32_t i = 0; i < x->n_marks; i++) {
        jw_object(w);
        write_place(w, u, x->marks[i].place);
        jw_key(w, STR("class"));
        jw_str(w, str_of(classes[x->marks[i].kind]));
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_line(struct json_writer *w, struct str text, struct ql_place p) {
    uint64_t line = 1;
    size_t begin = 0;
    for (size_t i = 0; i < p.from && i < text.len; i++)
        if (text.ptr[i] == '\n') {
            line++;
            begin = i + 1;
        }
    struct units u = { .text = str_sub(text, begin, text.len) };
    jw_key(w, STR("line"));
    jw_u64(w, line);
    jw_key(w, STR("column"));
    jw_u64(w, units_at(&u, p.from - begin) + 1);
}

static void write_diagnostics(struct json_writer *w, struct units *u, const struct ql_analysis *x) {
    jw_key(w, STR("diagnostics"));
    jw_array(w);
    for (uint32_t i = 0; i < x->n_diagnostics; i++) {
        const struct ql_diagnostic *d = &x->diagnostics[i];
        jw_object(w);
        write_place(w, u, d->place);
        write_line(w, u->text, d->place);
        jw_key(w, STR("severity"));
        jw_str(w, d->is_hint ? STR("hint") : STR("error"));
        jw_key(w, STR("message"));
        jw_str(w, d->text);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_completion(struct json_writer *w, struct units *u, const struct ql_analysis *x,
                             const struct completion *c) {
    jw_key(w, STR("completion"));
    jw_object(w);
    write_place(w, u, x->wanted.place);
    jw_key(w, STR("items"));
    jw_array(w);
    for (uint32_t i = 0; i < c->n; i++) {
        jw_object(w);
        jw_key(w, STR("text"));
        jw_str(w, c->items[i].text);
        jw_key(w, STR("kind"));
        jw_str(w, c->items[i].kind);
        jw_key(w, STR("detail"));
        jw_str(w, c->items[i].detail);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
}

// "search" or "metrics" and its plain form; "invalid" when it does not parse, which is no failure.
static enum err write_kind(struct ask *k, struct str text, struct json_writer *w) {
    struct ql_query *q = NULL;
    struct buf plain;
    enum err e = ask_parse(k, text, &q);
    if (e == ERR_NOMEM) return e;
    k->ctx = (struct err_ctx){ .line = 0 };
    jw_key(w, STR("kind"));
    jw_str(w, e != ERR_OK ? STR("invalid") : q->is_metrics ? STR("metrics") : STR("search"));
    jw_key(w, STR("canonical"));
    if (e != ERR_OK) {
        jw_null(w);
        return ERR_OK;
    }
    buf_init(&plain, 1 << 20);
    ql_print(q, &plain);
    jw_str(w, buf_view(&plain));
    w->out->failed |= plain.failed;
    buf_fini(&plain);
    return ERR_OK;
}

static enum err analyze(struct ask *k, struct json_writer *w) {
    struct str text = params_get(&k->params, STR("q")), cursor = params_get(&k->params, STR("cursor"));
    uint64_t unit = UINT64_MAX, start_ns, end_ns;
    struct ql_analysis x;
    struct completion c;
    if (!text.ptr) text = STR("");
    TRY(params_range(&k->params, k->limits->clock, &start_ns, &end_ns, &k->ctx));
    if (cursor.len && !str_u64(cursor, &unit))
        return err_set(&k->ctx, ERR_INVALID, "cursor is a number of UTF-16 code units");
    TRY(ql_analyze(&k->arena, text, byte_at(text, unit), &x));
    TRY(complete(k, &x.wanted, cursor.len != 0, start_ns, end_ns, &c));
    struct units u = { .text = text };
    jw_object(w);
    TRY(write_kind(k, text, w));
    write_tokens(w, &u, &x);
    write_diagnostics(w, &u, &x);
    write_completion(w, &u, &x, &c);
    jw_object_end(w);
    return ERR_OK;
}

void takt_analyze_handle(struct api *a, struct net_request *rq) {
    reply_asked(a, rq, analyze);
}
