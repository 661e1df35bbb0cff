// SPDX-License-Identifier: Apache-2.0
#include "delivery/git_wire.h"

#include "base/test.h"
#include "vcs/sha.h"

enum { BODY_MAX = 1 << 20 }; // what a server takes at once

static struct git_commit commit_of(struct arena *a, uint32_t i) {
    char *parents = arena_alloc(a, (GIT_WIRE_PARENTS_MAX + 1) * SHA_BYTES);
    struct git_commit c = { .authored = 1767225600000000000ll + i,
                            .committed = INT64_MAX,
                            .flags = 6,
                            .change = i,
                            .has_reverts = i % 2,
                            .has_picked = i % 3 == 0,
                            .has_patch = true,
                            .author = STR("Ann \xc3\xa4 \"quoted\""),
                            .subject = STR("work\n\x01") };
    uint32_t n = i % (GIT_WIRE_PARENTS_MAX + 1);
    for (uint32_t k = 0; k < SHA_BYTES; k++) {
        c.sha[k] = (uint8_t)test_rand();
        if (c.has_reverts) c.reverts[k] = (uint8_t)test_rand();
        if (c.has_picked) c.picked[k] = (uint8_t)test_rand();
        c.patch[k] = (uint8_t)test_rand();
    }
    for (uint32_t k = 0; k < n * SHA_BYTES; k++) parents[k] = (char)test_rand();
    c.parents = (struct str){ parents, n * (size_t)SHA_BYTES };
    return c;
}

static bool same(const struct git_commit *a, const struct git_commit *b) {
    return memcmp(a->sha, b->sha, SHA_BYTES) == 0 && memcmp(a->reverts, b->reverts, SHA_BYTES) == 0 &&
           memcmp(a->picked, b->picked, SHA_BYTES) == 0 && memcmp(a->patch, b->patch, SHA_BYTES) == 0 &&
           a->has_reverts == b->has_reverts && a->has_picked == b->has_picked &&
           a->has_patch == b->has_patch && str_eq(a->parents, b->parents) && a->authored == b->authored &&
           a->committed == b->committed && a->flags == b->flags && a->change == b->change &&
           str_eq(a->author, b->author) && str_eq(a->subject, b->subject);
}

static enum err take(struct arena *a, struct str body, struct git_batch *out) {
    struct document d;
    struct err_ctx ctx = { 0 };
    TRY(document_read(body, 16, a, &d, &ctx));
    return git_take_commits(&d, out);
}

TEST(git_commits_come_as_they_were_sent_in_requests_that_fit) {
    enum { N = 3000 };
    struct arena a;
    struct buf body;
    uint32_t requests = 0;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&body, BODY_MAX);
    struct git_batch sent = { .identity = STR("https://github.com/acme/shop"), .n = N }, got;
    sent.commits = ARENA_ARRAY(&a, N, struct git_commit);
    for (uint32_t i = 0; i < N; i++) sent.commits[i] = commit_of(&a, i);
    for (uint32_t from = 0, to; from < N; from = to, requests++) {
        buf_reset(&body);
        to = git_put_commits(&body, &sent, from);
        CHECK(!body.failed && to > from && to - from <= GIT_WIRE_COMMITS_MAX);
        CHECK_OK(take(&a, test_exact(buf_view(&body)), &got));
        CHECK_STR(got.identity, sent.identity);
        CHECK_U64(got.n, to - from);
        for (uint32_t i = from; i < to; i++) CHECK(same(&got.commits[i - from], &sent.commits[i]));
    }
    CHECK(requests > N / GIT_WIRE_COMMITS_MAX); // the bytes ended some of them
    buf_fini(&body);
    arena_fini(&a);
}

TEST(git_commits_that_are_too_large_are_cut) {
    struct arena a;
    struct buf body;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&body, BODY_MAX);
    char *text = arena_alloc(&a, 1 << 20), *parents = arena_zalloc(&a, 1 << 20);
    for (uint32_t i = 0; i < 1 << 20; i++) text[i] = i % 2 ? '\xa4' : '\xc3'; // and not within a character
    struct git_commit c = { .author = { text, (1 << 20) - 1 }, .subject = { text, 1 << 20 } };
    c.parents = (struct str){ parents, 1000 * SHA_BYTES };
    struct git_batch sent = { .identity = STR("x"), .commits = &c, .n = 1 }, got;
    CHECK_U64(git_put_commits(&body, &sent, 0), 1);
    CHECK_OK(take(&a, buf_view(&body), &got));
    CHECK_U64(got.commits[0].subject.len, GIT_WIRE_TEXT_MAX);
    CHECK_U64(got.commits[0].parents.len, GIT_WIRE_PARENTS_MAX * SHA_BYTES);
    buf_fini(&body);
    arena_fini(&a);
}
