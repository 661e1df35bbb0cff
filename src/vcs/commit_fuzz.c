// SPDX-License-Identifier: Apache-2.0
// Bytes of a commit or tag object: whatever they are, what is found lies inside them, and text for people is
// UTF-8 within its limit.
#include "vcs/repo_internal.h"

#include "vcs/commit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct str part, struct str all) {
    ASSERT(part.len == 0 || (part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len));
}

static void check_text(struct arena *a, struct str bytes, bool latin1) {
    struct str text = text_of(a, bytes, latin1, 64);
    ASSERT(text.len <= 64 && str_is_utf8(text));
    arena_reset(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str raw = { (const char *)data, size };
    struct commit c;
    struct tag_object t;
    struct arena a;
    arena_init(&a, 1 << 16, NULL);
    check_text(&a, raw, false);
    check_text(&a, raw, true);
    if (tag_parse(raw, &t)) ASSERT(t.tagged.offset_min >= -720 && t.tagged.offset_min <= 840);
    if (commit_parse(raw, &c)) {
        struct str parts[] = { c.author.name,     c.author.email, c.committer.name,
                               c.committer.email, c.subject,      c.body };
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) inside(parts[i], raw);
        for (uint32_t i = 0; i < c.n_trailers; i++)
            inside(c.trailers[i].name, raw), inside(c.trailers[i].email, raw);
        for (uint32_t i = 0; i < c.n_parents; i++) (void)commit_parent(&c, i);
        ASSERT((c.author.at.ns == STAMP_UNKNOWN) == ((c.author.at.flags & STAMP_UNREADABLE) != 0));
        check_text(&a, c.subject, c.latin1);
    }
    arena_fini(&a);
    return 0;
}
