// SPDX-License-Identifier: Apache-2.0
#include "traceql/regex_internal.h"

#include <stdio.h>

#include "traceql/traceql.h"

enum {
    STEPS_MAX = 1000000,        // of one match; then the pattern is called catastrophic
    STACK_MIN = 32 << 10,       // bytes of the compiled matcher's stack
    STACK_MAX = 1 << 20,        //
    HEAP_MAX_KIB = 4 << 10,     // of the interpreter, where the compiled one is not to be had
    TRANSLATED_MAX = 256 << 10, // bytes of the pattern for PCRE2
};

static void *regex_alloc(PCRE2_SIZE n, void *ctx) {
    (void)ctx;
    return mem_alloc(n);
}
static void regex_release(void *p, void *ctx) {
    (void)ctx;
    mem_free(p);
}

// A match works on memory of its own. Idle scratches wait in the pool of their expression; a thread
// begins at a place of its own there, so that threads seldom meet.
struct regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static void scratch_free(struct regex_scratch *s) {
    if (!s) return;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    pcre2_jit_stack_free(s->stack);
    mem_free(s);
}

static struct regex_scratch *scratch_new(void) {
    struct regex_scratch *s = mem_zalloc(sizeof *s);
    pcre2_general_context *g = pcre2_general_context_create(regex_alloc, regex_release, NULL);
    if (s && g) {
        s->data = pcre2_match_data_create(1, g);
        s->context = pcre2_match_context_create(g);
        s->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, g);
    }
    pcre2_general_context_free(g);
    if (!s || !s->data || !s->context || !s->stack) {
        scratch_free(s);
        return NULL;
    }
    (void)pcre2_set_match_limit(s->context, STEPS_MAX);
    (void)pcre2_set_heap_limit(s->context, HEAP_MAX_KIB);
    pcre2_jit_stack_assign(s->context, NULL, s->stack);
    return s;
}

static unsigned own_place(void) {
    static _Thread_local char here;
    return (unsigned)((uintptr_t)&here >> 12);
}

static struct regex_scratch *scratch_take(struct ql_regex *r) {
    unsigned first = own_place();
    for (unsigned i = 0; i < REGEX_POOL; i++) {
        _Atomic(struct regex_scratch *) *slot = &r->pool[(first + i) % REGEX_POOL];
        struct regex_scratch *s =
            atomic_load_explicit(slot, memory_order_relaxed) ? atomic_exchange(slot, NULL) : NULL;
        if (s) return s;
    }
    return scratch_new();
}

static void scratch_give(struct ql_regex *r, struct regex_scratch *s) {
    unsigned first = own_place();
    for (unsigned i = 0; i < REGEX_POOL; i++) {
        struct regex_scratch *none = NULL;
        if (atomic_compare_exchange_strong(&r->pool[(first + i) % REGEX_POOL], &none, s)) return;
    }
    scratch_free(s);
}

// --- compiling -----------------------------------------------------------------------------------

static enum err compile_failed(int code, struct err_ctx *ctx) {
    PCRE2_UCHAR text[160];
    if (code == PCRE2_ERROR_HEAP_FAILED || code == PCRE2_ERROR_NOMEMORY) return ERR_NOMEM;
    if (pcre2_get_error_message(code, text, sizeof text) < 0) text[0] = '\0';
    ctx->column = 1;
    return err_set(ctx, ERR_INVALID, "%s", (const char *)text);
}

static enum err compile(struct ql_regex *r, struct err_ctx *ctx) {
    const uint32_t options = PCRE2_ANCHORED | PCRE2_DOTALL | PCRE2_UTF | PCRE2_DOLLAR_ENDONLY |
                             PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE;
    struct buf text;
    int code = 0;
    PCRE2_SIZE at;
    buf_init(&text, TRANSLATED_MAX);
    enum err e = regex_translate(r->pattern, &text, ctx);
    pcre2_general_context *g = pcre2_general_context_create(regex_alloc, regex_release, NULL);
    pcre2_compile_context *c = g ? pcre2_compile_context_create(g) : NULL;
    if (e == ERR_OK && !c) e = ERR_NOMEM;
    if (e == ERR_OK) {
        (void)pcre2_set_newline(c, PCRE2_NEWLINE_LF);
        r->code = pcre2_compile((PCRE2_SPTR)text.ptr, text.len, options, &code, &at, c);
        if (!r->code) e = compile_failed(code, ctx);
    }
    if (e == ERR_OK) (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); // without it, it is slower
    pcre2_compile_context_free(c);
    pcre2_general_context_free(g);
    buf_fini(&text);
    return e;
}

enum err ql_regex_new(struct str pattern, struct ql_regex **out, struct err_ctx *ctx) {
    if (pattern.len > QL_REGEX_MAX) {
        ctx->column = 1;
        return err_set(ctx, ERR_LIMIT, "it has more than %d bytes", QL_REGEX_MAX);
    }
    struct ql_regex *r = mem_zalloc(sizeof *r);
    if (!r) return ERR_NOMEM;
    arena_init(&r->arena, (size_t)QL_REGEX_MAX * 64, NULL);
    r->pattern = str_dup(&r->arena, pattern);
    enum err e = r->pattern.ptr ? compile(r, ctx) : ERR_NOMEM;
    if (e == ERR_OK) e = regex_classify(r);
    if (e == ERR_OK)
        *out = r;
    else
        ql_regex_free(r);
    return e;
}

void ql_regex_free(struct ql_regex *r) {
    if (!r) return;
    for (unsigned i = 0; i < REGEX_POOL; i++) scratch_free(r->pool[i]);
    pcre2_code_free(r->code);
    arena_fini(&r->arena);
    mem_free(r);
}

struct str ql_regex_pattern(const struct ql_regex *r) {
    return r->pattern;
}

// --- matching ------------------------------------------------------------------------------------

static enum err match_pcre(const struct ql_regex *r, const struct regex_scratch *scratch, struct str s,
                           bool *out) {
    PCRE2_SPTR text = (PCRE2_SPTR)(s.len ? s.ptr : "");
    int n = pcre2_match(r->code, text, s.len, 0, PCRE2_NO_UTF_CHECK, scratch->data, scratch->context);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(r->code, text, s.len, 0, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, scratch->data,
                        scratch->context);
    if (n >= 0 || n == PCRE2_ERROR_NOMATCH) {
        *out = n >= 0;
        return ERR_OK;
    }
    return n == PCRE2_ERROR_NOMEMORY ? ERR_NOMEM : ERR_LIMIT;
}

static bool among(const struct ql_regex *r, struct str s) {
    uint32_t low = 0, high = r->n_words;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int c = str_cmp(s, r->words[mid]);
        if (c == 0) return true;
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

// Most texts that begin otherwise differ in the end of the prefix, which is looked at before memcmp is
// called.
static bool begins(struct str s, struct str prefix) {
    uint64_t is, want;
    if (s.len < prefix.len) return false;
    if (prefix.len >= sizeof is) {
        memcpy(&is, s.ptr + prefix.len - sizeof is, sizeof is);
        memcpy(&want, prefix.ptr + prefix.len - sizeof want, sizeof want);
        if (is != want) return false;
    }
    return str_starts(s, prefix);
}

// Each piece at the first place behind the one before, which leaves the most for the others.
static bool has_pieces(const struct ql_regex *r, struct str s) {
    const struct str *first = &r->words[0], *last = &r->words[r->n_words - 1];
    if (s.len < first->len + last->len || !begins(s, *first) || !str_ends(s, *last)) return false;
    s = str_sub(s, first->len, s.len - first->len - last->len);
    for (uint32_t i = 1; i + 1 < r->n_words; i++) {
        struct str piece = r->words[i];
        if (piece.len == 0) continue;
        const char *found = s.len < piece.len ? NULL : memmem(s.ptr, s.len, piece.ptr, piece.len);
        if (!found) return false;
        s = str_sub(s, (size_t)(found - s.ptr) + piece.len, s.len);
    }
    return true;
}

// Most texts are told by how they begin; a scratch is taken when one needs it.
static enum err match_one(const struct ql_regex *r, struct regex_scratch **scratch, struct str s, bool *out) {
    switch (r->form) {
    case REGEX_WORDS: *out = among(r, s); return ERR_OK;
    case REGEX_PIECES: *out = has_pieces(r, s) && str_is_utf8(s); return ERR_OK;
    case REGEX_PCRE:
    default: break;
    }
    *out = false;
    if (!begins(s, r->prefix) || !str_is_utf8(s)) return ERR_OK;
    // The pool, and that it gave up, are all that a match changes.
    struct ql_regex *own = (struct ql_regex *)(uintptr_t)r;
    if (!*scratch) *scratch = scratch_take(own);
    enum err e = *scratch ? match_pcre(r, *scratch, s, out) : ERR_NOMEM;
    if (e == ERR_LIMIT) own->gave_up = true;
    return e;
}

struct str ql_regex_prefix(const struct ql_regex *r) {
    switch (r->form) {
    case REGEX_WORDS: return STR("");
    case REGEX_PIECES: return r->words[0];
    case REGEX_PCRE:
    default: return r->prefix;
    }
}

enum err ql_regex_match_many(const struct ql_regex *r, const struct str *texts, uint32_t n, bool *out) {
    struct regex_scratch *scratch = NULL;
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < n && e == ERR_OK; i++) e = match_one(r, &scratch, texts[i], &out[i]);
    if (scratch) scratch_give((struct ql_regex *)(uintptr_t)r, scratch);
    return e;
}

enum err ql_regex_match(const struct ql_regex *r, struct str s, bool *out) {
    return ql_regex_match_many(r, &s, 1, out);
}
