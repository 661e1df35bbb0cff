// SPDX-License-Identifier: Apache-2.0
#include "intake/hook_push.h"

#include "vcs/commit.h"

#define BRANCH_PREFIX "refs/heads/"

bool push_is_no_sha(struct str sha) {
    for (size_t i = 0; i < sha.len; i++)
        if (sha.ptr[i] != '0') return false;
    return true;
}

static int64_t time_of(const struct hook_in *in, struct doc commit) {
    int64_t time = doc_stamp(commit, "timestamp");
    return intake_is_possible(time, in->r->received) ? time : 0; // one bad clock does not set a push aside
}

int64_t push_last_time(const struct hook_in *in, struct doc commits) {
    int64_t time = 0;
    for (struct doc c = doc_first(commits); c.node; c = doc_next(c)) {
        int64_t made = time_of(in, c);
        if (made > time) time = made;
    }
    return time;
}

// Git's own words and those of the two: nothing else tells that it has two parents.
static bool is_merge(struct str subject) {
    static const char *const begins[] = {
        "Merge pull request #",         "Merge branch '", "Merge branches '",
        "Merge remote-tracking branch", "Merge commit '", "Merge tag '",
    };
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (str_starts(subject, str_of(begins[i]))) return true;
    return false;
}

static void say_sha(struct say *s, enum fact_field f, const struct trailer *t) {
    struct sha_text hex = sha_text(&t->sha);
    say_text(s, f, str_of(hex.z));
}

static void say_message(struct say *s, struct str message) {
    struct commit c = { 0 };
    bool reverts = false;
    const struct trailer *picked = NULL;
    message_read(message, &c);
    say_text(s, PUSHED_SUBJECT, c.subject);
    if (c.change) say_int(s, PUSHED_NUMBER, c.change);
    if (is_merge(c.subject)) say_int(s, PUSHED_MERGE, 1);
    for (uint32_t i = 0; i < c.n_trailers; i++) {
        const struct trailer *t = &c.trailers[i];
        if (t->n_hex != SHA_HEX) continue;
        if (t->kind == TRAILER_REVERTS && !reverts) say_sha(s, PUSHED_REVERTS, t), reverts = true;
        if (t->kind == TRAILER_CHERRY_PICK) picked = t; // the last: where it came from first
    }
    if (picked) say_sha(s, PUSHED_PICKED, picked);
}

static int64_t list_files(struct buf *b, struct arena *a, char how, struct doc files) {
    int64_t n = 0;
    for (struct doc f = doc_first(files); f.node; f = doc_next(f), n++) {
        struct str path = f.node->kind == JSON_STRING ? f.node->text : STR("");
        if (path.len && str_find(path, '\n') < 0 && str_find(path, '\0') < 0)
            hook_list_add(b, '\n', str_fmt(a, "%c %.*s", how, STR_ARG(path)));
    }
    return n;
}

// Three lists, which both tools have: all empty where a commit changed no file. Nothing is said where there
// are none.
static void say_files(struct say *s, struct arena *a, struct doc commit) {
    static const struct {
        const char *name;
        char how;
    } lists[] = { { "added", 'A' }, { "modified", 'M' }, { "removed", 'D' } };
    struct buf b;
    bool told = false;
    int64_t n = 0;
    buf_init(&b, FACT_TEXT_MAX);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct doc files = doc_at(commit, lists[i].name);
        told |= files.node && files.node->kind == JSON_ARRAY;
        n += list_files(&b, a, lists[i].how, files);
    }
    say_list(s, PUSHED_FILES, &b);
    if (told) say_int(s, PUSHED_FILES_ALL, n);
}

static struct say say_commit(const struct push *p, struct doc commit, struct str sha) {
    struct str parts[] = { p->repo, p->ref, p->before, p->after, sha };
    struct str key = str_fmt(p->in->arena, "%.*s:push:%.*s", STR_ARG(p->prefix),
                             STR_ARG(key_hash(p->in->arena, parts, 5)));
    struct say s = say_of(p->in, FACT_PUSHED, key, p->time, RANK_SAYS);
    struct str author = doc_text(commit, "author.name");
    int64_t time = time_of(p->in, commit);
    say_text(&s, PUSHED_REPO, p->repo);
    say_text(&s, PUSHED_SHA, sha);
    say_text(&s, PUSHED_AUTHOR, author.len ? author : doc_text(commit, "author.email"));
    say_time(&s, PUSHED_AUTHORED, time); // of the two times a push tells one
    say_time(&s, PUSHED_COMMITTED, time);
    say_message(&s, doc_text(commit, "message"));
    say_files(&s, p->in->arena, commit);
    return s;
}

struct listed {
    struct doc commit;
    struct str sha;
};

// The newest of them, the oldest first. Those of SHA-256 repositories are no commits to us.
static struct listed *list(const struct push *p, uint32_t *out_n, bool *out_cut) {
    uint32_t n = 0, at = 0;
    for (struct doc c = doc_first(p->commits); c.node; c = doc_next(c)) n++;
    uint32_t skip = n > PUSH_COMMITS_MAX ? n - PUSH_COMMITS_MAX : 0;
    struct listed *all = ARENA_ARRAY(p->in->arena, n - skip + 1, struct listed);
    *out_n = 0;
    *out_cut = p->cut || skip;
    for (struct doc c = doc_first(p->commits); all && c.node; c = doc_next(c)) {
        struct str sha = doc_text(c, "id");
        struct sha parsed;
        if (at++ < skip || !sha_parse(sha, &parsed)) continue;
        all[(*out_n)++] = (struct listed){ c, sha };
    }
    return all;
}

// On the default branch each commit is said to hold the one before it, and the first of them what the
// branch was at before. On others only the last holds the rest: what is listed there may have come from
// elsewhere, and one of those must not be taken to hold what is new on this branch.
static void say_commits(const struct push *p, bool is_default) {
    uint32_t n;
    bool cut, has_base = !p->forced && !push_is_no_sha(p->before);
    struct listed *all = list(p, &n, &cut);
    if (!all) return;
    for (uint32_t i = 0; i < n; i++) {
        struct say s = say_commit(p, all[i].commit, all[i].sha);
        bool is_last = i + 1 == n, is_base = is_default ? i == 0 : is_last;
        if (!is_last) say_text(&s, PUSHED_NEXT, all[is_default ? i + 1 : n - 1].sha);
        if (is_base && has_base) say_text(&s, PUSHED_BASE, p->before);
        if (is_base && is_default && cut) say_int(&s, PUSHED_CUT, 1);
    }
}

void push_say(const struct push *p) {
    struct str prefix = STR(BRANCH_PREFIX), branch = str_sub(p->ref, prefix.len, p->ref.len);
    if (p->default_branch.len) {
        struct say s = say_of(p->in, FACT_REPOSITORY, p->repo, p->time, RANK_SAYS);
        say_text(&s, REPOSITORY_REPO, p->repo);
        say_text(&s, REPOSITORY_DEFAULT_BRANCH, p->default_branch);
    }
    if (str_starts(p->ref, prefix)) say_commits(p, str_eq(branch, p->default_branch));
}
