// SPDX-License-Identifier: Apache-2.0
#include "vcs/tag_shapes.h"

#include <stdlib.h>

// In a key, numbers and ids stand as one byte that no name holds (git forbids control characters).
enum {
    NUMBER = 1, // digits
    EITHER = 2, // a word of digits alone, so long that it may be the short sha of a commit
    ID = 3,     // a word of hex digits, long, with both digits and letters
    ID_MIN = 7,
    ARENA_MAX = TAG_SHAPES_MAX * 4 * TAG_SHAPE_BYTES_MAX,
    REGEX_MAX = 8 * TAG_SHAPE_BYTES_MAX,
};

struct shape {
    struct str key, example;
    char *example_room; // TAG_SHAPE_BYTES_MAX bytes
    uint32_t n, n_dated;
    bool is_merged; // into another
};

void tag_shapes_init(struct tag_shapes *t) {
    *t = (struct tag_shapes){ 0 };
    arena_init(&t->arena, ARENA_MAX, NULL);
    buf_init(&t->found, TAG_SHAPES_MAX * sizeof(struct shape));
    map_init(&t->by_key, TAG_SHAPES_MAX);
}

void tag_shapes_fini(struct tag_shapes *t) {
    arena_fini(&t->arena);
    buf_fini(&t->found);
    map_fini(&t->by_key);
}

static struct shape *shape_at(const struct tag_shapes *t, uint32_t i) {
    return &((struct shape *)(void *)t->found.ptr)[i];
}

static uint32_t n_found(const struct tag_shapes *t) {
    return (uint32_t)(t->found.len / sizeof(struct shape));
}

static bool same_key(const void *ctx, uint32_t i, const void *key) {
    return str_eq(shape_at(ctx, i)->key, *(const struct str *)key);
}

static uint64_t rehash(const void *ctx, uint32_t i) {
    return hash_str(shape_at(ctx, i)->key);
}

// --- keys --------------------------------------------------------------------------------------------

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// What a word (letters and digits up to something else) is as a whole: EITHER, ID, or 0.
static char class_of(struct str word) {
    size_t digits = 0, letters = 0;
    for (size_t i = 0; i < word.len; i++) {
        digits += is_digit(word.ptr[i]);
        letters += word.ptr[i] >= 'a' && word.ptr[i] <= 'f';
    }
    if (word.len < ID_MIN || digits + letters < word.len || digits == 0) return 0;
    return letters ? ID : EITHER;
}

static size_t put_word(char *key, struct str word) {
    size_t n = 0;
    char class = class_of(word);
    if (class) {
        key[0] = class;
        return 1;
    }
    for (size_t i = 0; i < word.len; i++) {
        if (!is_digit(word.ptr[i]))
            key[n++] = word.ptr[i];
        else if (n == 0 || key[n - 1] != NUMBER)
            key[n++] = NUMBER;
    }
    return n;
}

static struct str key_of(struct str name, char key[TAG_SHAPE_BYTES_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < name.len;) {
        size_t end = i;
        while (end < name.len && is_word(name.ptr[end])) end++;
        n += put_word(key + n, str_sub(name, i, end - i));
        if (end < name.len) key[n++] = name.ptr[end++];
        i = end;
    }
    return (struct str){ key, n };
}

// --- collecting --------------------------------------------------------------------------------------

static enum err new_shape(struct tag_shapes *t, struct str key, uint32_t *out) {
    struct shape s = { .key = str_dup(&t->arena, key),
                       .example_room = arena_alloc(&t->arena, TAG_SHAPE_BYTES_MAX) };
    uint32_t i = n_found(t);
    if (t->arena.failed) return ERR_NOMEM;
    buf_add(&t->found, &s, sizeof s);
    if (t->found.failed) return ERR_NOMEM;
    TRY(map_put(&t->by_key, hash_str(key), i, rehash, t));
    *out = i;
    return ERR_OK;
}

enum err tag_shapes_add(struct tag_shapes *t, struct str name) {
    char room[TAG_SHAPE_BYTES_MAX];
    struct tag_date date;
    bool fits = name.len <= sizeof room && name.len > 0;
    for (size_t i = 0; fits && i < name.len; i++) fits = (unsigned char)name.ptr[i] >= ' ';
    struct str key = fits ? key_of(name, room) : STR("");
    uint32_t i = fits ? map_get(&t->by_key, hash_str(key), same_key, t, &key) : MAP_NONE;
    if (!fits || (i == MAP_NONE && n_found(t) == TAG_SHAPES_MAX)) {
        t->n_shapeless++;
        return ERR_OK;
    }
    if (i == MAP_NONE) TRY(new_shape(t, key, &i));
    struct shape *s = shape_at(t, i);
    s->n++;
    s->n_dated += tag_name_date(name, &date);
    memcpy(s->example_room, name.ptr, name.len);
    s->example = (struct str){ s->example_room, name.len };
    return ERR_OK;
}

// --- listing -----------------------------------------------------------------------------------------

// Each EITHER becomes `to`, where that leads to a shape that is there.
static bool merge_into(struct tag_shapes *t, struct shape *s, char to) {
    char room[TAG_SHAPE_BYTES_MAX];
    for (size_t i = 0; i < s->key.len; i++) room[i] = s->key.ptr[i] == EITHER ? to : s->key.ptr[i];
    struct str key = { room, s->key.len };
    uint32_t other = map_get(&t->by_key, hash_str(key), same_key, t, &key);
    if (other == MAP_NONE || shape_at(t, other) == s) return false;
    struct shape *o = shape_at(t, other);
    o->n += s->n;
    o->n_dated += s->n_dated;
    if (str_cmp(s->example, o->example) > 0) o->example = s->example;
    s->is_merged = true;
    return true;
}

static struct str regex_of(struct arena *a, struct str key) {
    struct buf b;
    buf_init(&b, REGEX_MAX);
    buf_char(&b, '^');
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if (c == NUMBER || c == EITHER)
            buf_str(&b, STR("\\d+"));
        else if (c == ID)
            buf_str(&b, STR("[0-9a-f]+"));
        else if (strchr("\\^$.|?*+()[]{}", c))
            buf_char(&b, '\\'), buf_char(&b, c);
        else
            buf_char(&b, c);
    }
    buf_char(&b, '$');
    struct str regex = b.failed ? (struct str){ 0 } : str_dup(a, buf_view(&b));
    if (b.failed) a->failed = true;
    buf_fini(&b);
    return regex;
}

static int most_first(const void *x, const void *y) {
    const struct tag_shape *a = x, *b = y;
    if (a->n != b->n) return a->n > b->n ? -1 : 1;
    return str_cmp(a->regex, b->regex);
}

enum err tag_shapes_list(struct tag_shapes *t, struct arena *a, struct tag_shape **out, uint32_t *out_n) {
    uint32_t n = 0;
    struct tag_shape *list = ARENA_ARRAY(a, n_found(t) + 1, struct tag_shape);
    if (!list) return ERR_NOMEM;
    for (uint32_t i = 0; i < n_found(t); i++) {
        struct shape *s = shape_at(t, i);
        if (memchr(s->key.ptr, EITHER, s->key.len) && !merge_into(t, s, ID)) (void)merge_into(t, s, NUMBER);
    }
    for (uint32_t i = 0; i < n_found(t); i++) {
        const struct shape *s = shape_at(t, i);
        if (s->is_merged) continue;
        list[n++] = (struct tag_shape){ regex_of(a, s->key), str_dup(a, s->example), s->n, s->n_dated };
    }
    if (a->failed) return ERR_NOMEM;
    qsort(list, n, sizeof *list, most_first);
    *out = list;
    *out_n = n;
    return ERR_OK;
}
