// SPDX-License-Identifier: Apache-2.0
#include "delivery/git_wire.h"

#include "vcs/sha.h"

static struct str cut(struct str s) {
    if (s.len <= GIT_WIRE_TEXT_MAX) return s;
    s.len = GIT_WIRE_TEXT_MAX;
    while (s.len && ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80) s.len--;
    return s;
}

static void put_text(struct json_writer *w, const char *key, struct str v) {
    jw_key(w, str_of(key));
    jw_str(w, v);
}
static void put_number(struct json_writer *w, const char *key, int64_t v) {
    jw_key(w, str_of(key));
    jw_i64(w, v);
}
static void put_sha(struct json_writer *w, const char *key, bool has, const uint8_t sha[20]) {
    char hex[SHA_HEX];
    if (!has) return;
    hex_encode(sha, SHA_BYTES, hex);
    put_text(w, key, (struct str){ hex, SHA_HEX });
}

static void put_commit(struct json_writer *w, const struct git_commit *c) {
    char parents[GIT_WIRE_PARENTS_MAX * SHA_HEX];
    size_t len = c->parents.len < sizeof parents / 2 ? c->parents.len : sizeof parents / 2;
    hex_encode(c->parents.ptr, len, parents);
    jw_object(w);
    put_sha(w, "sha", true, c->sha);
    put_text(w, "parents", (struct str){ parents, 2 * len });
    put_number(w, "authored", c->authored > 0 ? c->authored : 0); // before 1970: as good as not known
    put_number(w, "committed", c->committed > 0 ? c->committed : 0);
    put_number(w, "flags", c->flags);
    put_text(w, "author", cut(c->author));
    put_text(w, "subject", cut(c->subject));
    if (c->change) put_number(w, "change", c->change);
    put_sha(w, "reverts", c->has_reverts, c->reverts);
    put_sha(w, "picked", c->has_picked, c->picked);
    put_sha(w, "patch", c->has_patch, c->patch);
    jw_object_end(w);
}

uint32_t git_put_commits(struct buf *body, const struct git_batch *b, uint32_t from) {
    struct json_writer w = json_writer_on(body);
    uint32_t i = from;
    jw_object(&w);
    put_text(&w, "repository", b->identity);
    jw_key(&w, STR("commits"));
    jw_array(&w);
    for (; i < b->n && i - from < GIT_WIRE_COMMITS_MAX && body->len < GIT_WIRE_BYTES; i++)
        put_commit(&w, &b->commits[i]);
    jw_array_end(&w);
    jw_object_end(&w);
    return i;
}

// --- taking ------------------------------------------------------------------------------------------------

static bool take_sha(struct doc c, const char *name, uint8_t out[20]) {
    struct str hex = doc_text(c, name);
    if (!hex.len) return false;
    if (hex.len == SHA_HEX && hex_decode(hex, out, SHA_BYTES)) return true;
    doc_fail(c, name, "expected 40 hex digits");
    return false;
}

static struct str take_parents(struct doc c, struct arena *a) {
    struct str hex = doc_text(c, "parents");
    char *bytes = arena_alloc(a, hex.len / 2 + 1);
    bool whole = hex.len % SHA_HEX == 0 && hex.len <= (size_t)GIT_WIRE_PARENTS_MAX * SHA_HEX;
    if (!bytes) return STR("");
    if (!whole || !hex_decode(hex, bytes, hex.len / 2))
        doc_fail(c, "parents", "expected shas, 40 hex digits each");
    return (struct str){ bytes, hex.len / 2 };
}

// 0 where it is not there.
static int64_t take_number(struct doc c, const char *name, int64_t most) {
    int64_t v = 0;
    if (doc_has(c, name) && (!doc_i64(c, name, &v) || v < 0 || v > most))
        doc_fail(c, name, "expected a number from 0 to %lld", (long long)most);
    return v;
}

static void take_commit(struct doc c, struct arena *a, struct git_commit *out) {
    *out = (struct git_commit){ .parents = take_parents(c, a),
                                .authored = take_number(c, "authored", INT64_MAX),
                                .committed = take_number(c, "committed", INT64_MAX),
                                .flags = (uint8_t)take_number(c, "flags", UINT8_MAX),
                                .change = (uint32_t)take_number(c, "change", UINT32_MAX),
                                .author = cut(doc_text(c, "author")),
                                .subject = cut(doc_text(c, "subject")) };
    if (!take_sha(c, "sha", out->sha)) doc_fail(c, "sha", "expected 40 hex digits");
    out->has_reverts = take_sha(c, "reverts", out->reverts);
    out->has_picked = take_sha(c, "picked", out->picked);
    out->has_patch = take_sha(c, "patch", out->patch);
}

enum err git_take_commits(struct document *d, struct git_batch *out) {
    struct doc root = doc_root(d), list = doc_array(root, "commits");
    *out = (struct git_batch){ .identity = doc_need(root, "repository"), .path = STR("") };
    if (out->identity.len > GIT_WIRE_NAME_MAX)
        doc_fail(root, "repository", "a name of more than %d bytes", GIT_WIRE_NAME_MAX);
    out->commits = ARENA_ARRAY(d->arena, GIT_WIRE_COMMITS_MAX, struct git_commit);
    if (!out->commits) return ERR_NOMEM;
    for (struct doc c = doc_first(list); c.node && d->err == ERR_OK; c = doc_next(c)) {
        if (out->n == GIT_WIRE_COMMITS_MAX)
            doc_fail(root, "commits", "more than %d in one request", GIT_WIRE_COMMITS_MAX);
        else
            take_commit(c, d->arena, &out->commits[out->n++]);
    }
    return d->arena->failed ? ERR_NOMEM : document_end(d);
}
