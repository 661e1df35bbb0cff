// SPDX-License-Identifier: Apache-2.0
#include "block/services.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/json.h"

enum { CHUNK_MIN = 32, CHUNK_MAX = 4096 }; // services that room is made for at once

void services_init(struct services *s, struct arena *a) {
    *s = (struct services){ .arena = a };
}

// --- the list --------------------------------------------------------------------------------------

// The list of the trace moves to where there is more room; those of others stay.
static bool more_room(struct services *s) {
    uint32_t want = s->chunk < CHUNK_MIN ? CHUNK_MIN : s->chunk < CHUNK_MAX ? s->chunk * 2 : CHUNK_MAX;
    if (want < s->n * 2) want = s->n * 2;
    struct batch_service *more = ARENA_ARRAY(s->arena, want, struct batch_service);
    if (!more) return false;
    if (s->n) memcpy(more, s->list, s->n * sizeof *more);
    s->list = more;
    s->room = s->chunk = want;
    return true;
}

static inline bool add(struct services *s, struct batch_service v) {
    if (s->n == s->room && !more_room(s)) return false;
    s->list[s->n++] = v;
    return true;
}

// The same text as it was seen first. At least 8 bytes can be read from it on.
static inline struct str name_again(struct services *s, struct str name) {
    uint64_t head, tail = 0;
    memcpy(&head, name.ptr, 8);
    if (name.len < 8)
        head &= ((uint64_t)1 << 8 * name.len) - 1;
    else
        memcpy(&tail, name.ptr + name.len - 8, 8);
    uint64_t hash = (head ^ (tail << 7 | tail >> 57) ^ name.len) * 0x9e3779b97f4a7c15u;
    struct str *seen = &s->names[hash >> 56];
    _Static_assert(SERVICES_NAMES == 1 << (64 - 56), "the hash has so many values");
    if (!seen->ptr || !str_eq(*seen, name)) *seen = name;
    return *seen;
}

// --- as it is written ------------------------------------------------------------------------------

static bool read_count(const char **p, const char *end, char close, uint32_t *out) {
    uint64_t n = 0;
    const char *first = *p;
    while (*p < end && **p >= '0' && **p <= '9' && n <= UINT32_MAX) n = n * 10 + (uint64_t)(*(*p)++ - '0');
    if (*p == first || *p == end || n > UINT32_MAX || *(*p)++ != close) return false;
    *out = (uint32_t)n;
    return true;
}

// ":[spans,errors] behind a name, up to the comma or the brace.
static bool read_counts(const char **p, const char *end, struct batch_service *out) {
    if (end - *p < 3 || memcmp(*p, "\":[", 3) != 0) return false;
    *p += 3;
    return read_count(p, end, ',', &out->spans) && read_count(p, end, ']', &out->errors) && *p < end;
}

enum { BEHIND_NAME = 8 }; // bytes at the least

// The same where each count has one digit, as most have: all is seen in 8 bytes.
static inline bool read_digits(const char **p, struct batch_service *out) {
    uint64_t seen, want, mask;
    const char *at = *p;
    memcpy(&seen, at, sizeof seen);
    memcpy(&want, "\":[\0,\0]", sizeof want);
    memcpy(&mask, "\xff\xff\xff\0\xff\0\xff", sizeof mask);
    uint32_t spans = (uint32_t)(unsigned char)at[3] - '0', errors = (uint32_t)(unsigned char)at[5] - '0';
    if ((seen & mask) != want || spans > 9 || errors > 9) return false;
    out->spans = spans;
    out->errors = errors;
    *p = at + 7;
    return true;
}

// The end of a name: a quote, or a backslash, which is for the reader of all JSON.
static inline const char *name_end(const char *p, const char *end) {
#if defined(__SSE2__)
    const __m128i quotes = _mm_set1_epi8('"'), slashes = _mm_set1_epi8('\\');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        int marks = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, quotes), _mm_cmpeq_epi8(v, slashes)));
        if (marks) return p + __builtin_ctz((unsigned)marks);
    }
#endif
    while (p < end && *p != '"' && *p != '\\') p++;
    return p;
}

// The list as it is written, when no name holds an escape. false: ask the reader of all JSON.
static bool read_plain(struct services *s, struct str json) {
    const char *p = json.ptr, *end = p + json.len;
    if (json.len < 2 || *p++ != '{') return false;
    while (p < end && *p == '"') {
        const char *name = ++p;
        struct batch_service v;
        p = name_end(p, end);
        if (end - p < BEHIND_NAME) return false;
        v.name = name_again(s, (struct str){ name, (size_t)(p - name) });
        if (!read_digits(&p, &v) && !read_counts(&p, end, &v)) return false;
        if ((*p != ',' && *p != '}') || !add(s, v)) return false;
        if (*p++ == '}') return p == end;
    }
    return json.len == 2 && *p == '}';
}

// --- any JSON --------------------------------------------------------------------------------------

static bool next_count(struct json *j, uint32_t *out) {
    uint64_t n;
    if (json_next(j) != JSON_NUMBER || !json_u64(j->text, &n) || n > UINT32_MAX) return false;
    *out = (uint32_t)n;
    return true;
}

static enum err service_name(const struct json *j, struct arena *a, struct str *out) {
    struct buf name;
    buf_init(&name, SIZE_MAX);
    json_text(j, &name);
    *out = str_dup(a, buf_view(&name));
    bool failed = name.failed || !out->ptr;
    buf_fini(&name);
    return failed ? ERR_NOMEM : ERR_OK;
}

static enum err read_any(struct services *s, struct str json) {
    struct err_ctx ctx = { 0 };
    struct json j;
    json_init(&j, json, 4, &ctx);
    if (json_next(&j) != JSON_OBJECT) return ERR_CORRUPT;
    while (json_next(&j) == JSON_KEY) {
        struct batch_service v;
        TRY(service_name(&j, s->arena, &v.name));
        if (json_next(&j) != JSON_ARRAY || !next_count(&j, &v.spans) || !next_count(&j, &v.errors) ||
            json_next(&j) != JSON_ARRAY_END)
            return ERR_CORRUPT;
        if (!add(s, v)) return ERR_NOMEM;
    }
    return j.kind == JSON_OBJECT_END && json_next(&j) == JSON_END ? ERR_OK : ERR_CORRUPT;
}

enum err services_read(struct services *s, struct str json, const struct batch_service **out,
                       uint32_t *out_n) {
    if (s->n) s->list += s->n;
    s->room -= s->n;
    s->n = 0;
    if (!read_plain(s, json)) {
        s->n = 0;
        TRY(read_any(s, json));
    }
    *out = s->list;
    *out_n = s->n;
    return ERR_OK;
}
