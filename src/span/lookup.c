// SPDX-License-Identifier: Apache-2.0
#include "span/lookup.h"

#include "span/canon.h"
#include "span/wire.h"

struct value value_of_attr(const struct attr_value *v) {
    struct value out = { .type = VALUE_ANY, .s = v->text };
    switch (v->type) {
    case ATTR_STRING: out.type = VALUE_STRING; break;
    case ATTR_INT: return VALUE_OF_INT((int64_t)v->bits);
    case ATTR_BOOL: return VALUE_OF_BOOL(v->bits != 0);
    case ATTR_FLOAT:
        out.type = VALUE_FLOAT;
        memcpy(&out.f, &v->bits, sizeof out.f);
        break;
    case ATTR_ANY:
    default: break;
    }
    return out;
}

// --- entities ------------------------------------------------------------------------------------

static struct reader entity_reader(struct str entity) {
    struct str message, url;
    canon_entity_split(entity, &message, &url);
    return reader_of(message);
}

struct value entity_value(struct str entity, bool is_scope, struct str key) {
    struct reader r = entity_reader(entity);
    uint32_t attribute = is_scope ? SCOPE_ATTRIBUTE : RESOURCE_ATTRIBUTE;
    struct str k, any;
    for (struct pb_field f; pb_next(&r, &f);) {
        if (f.number != attribute || f.wire != PB_BYTES || !attr_kv(f.bytes, &k, &any)) continue;
        if (!str_eq(k, key)) continue;
        struct attr_value v = attr_value_of(any);
        return value_of_attr(&v);
    }
    return VALUE_OF_NIL;
}

void entity_keys(struct str entity, bool is_scope, void (*each)(void *, struct str), void *ctx) {
    struct reader r = entity_reader(entity);
    uint32_t attribute = is_scope ? SCOPE_ATTRIBUTE : RESOURCE_ATTRIBUTE;
    struct str k, any;
    for (struct pb_field f; pb_next(&r, &f);)
        if (f.number == attribute && f.wire == PB_BYTES && attr_kv(f.bytes, &k, &any)) each(ctx, k);
}

struct str scope_text(struct str entity, uint32_t field) {
    struct reader r = entity_reader(entity);
    for (struct pb_field f; pb_next(&r, &f);)
        if (f.number == field && f.wire == PB_BYTES) return f.bytes;
    return STR("");
}

// --- rests ---------------------------------------------------------------------------------------

// The key of an attribute of a rest, and the bytes of its value. false: it has no value.
static bool large_read(struct str message, struct str *key, struct str *hash) {
    struct reader r = reader_of(message);
    *key = *hash = STR("");
    for (struct pb_field f; pb_next(&r, &f);) {
        if (f.number == REST_LARGE_KEY && f.wire == PB_BYTES) *key = f.bytes;
        if (f.number == REST_LARGE_HASH && f.wire == PB_BYTES) *hash = f.bytes;
    }
    return !r.bad;
}

static bool rest_pair(const struct pb_field *f, struct str *key, struct str *bytes) {
    if (f->wire != PB_BYTES) return false;
    if (f->number == REST_ATTRIBUTE) return attr_kv(f->bytes, key, bytes);
    return f->number == REST_LARGE && large_read(f->bytes, key, bytes);
}

enum err rest_find(struct str rest, struct str key, struct rest_hit *out) {
    struct reader r = reader_of(rest);
    struct str k, bytes;
    *out = (struct rest_hit){ .found = false };
    for (struct pb_field f; pb_next(&r, &f);) {
        if (!rest_pair(&f, &k, &bytes) || !str_eq(k, key)) continue;
        *out = (struct rest_hit){ true, f.number == REST_LARGE, bytes };
        return ERR_OK;
    }
    return r.bad ? ERR_CORRUPT : ERR_OK;
}

enum err rest_keys(struct str rest, void (*each)(void *, struct str), void *ctx) {
    struct reader r = reader_of(rest);
    struct str k, bytes;
    for (struct pb_field f; pb_next(&r, &f);)
        if (rest_pair(&f, &k, &bytes)) each(ctx, k);
    return r.bad ? ERR_CORRUPT : ERR_OK;
}

bool rest_field(struct str rest, uint32_t field, struct str *out) {
    struct reader r = reader_of(rest);
    for (struct pb_field f; pb_next(&r, &f);) {
        if (f.number != field || f.wire != PB_BYTES) continue;
        *out = f.bytes;
        return true;
    }
    return false;
}
