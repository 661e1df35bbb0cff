// SPDX-License-Identifier: Apache-2.0
#include "vcs/git_test.h"
#include "vcs/history.h"

#define NOW 1800000000000000000ll
#define S 1000000000ll

static struct history read_tips(struct repo *r, const struct sha *tips, uint32_t n) {
    struct history h;
    struct err_ctx ctx = { 0 };
    struct history_in in = { .tips = tips, .n_tips = n, .now_ns = NOW };
    enum err e = history_read(git_arena(), r, &in, &ctx, &h);
    if (e != ERR_OK) printf("# %s\n", ctx.text);
    CHECK_OK(e);
    return h;
}

static struct history read_name(struct repo *r, const char *name) {
    struct sha tip = git_sha(r, name);
    return read_tips(r, &tip, 1);
}

static uint32_t row(const struct history *h, const char *subject) {
    for (uint32_t i = 0; i < h->n; i++)
        if (str_eq(h->subject[i], str_of(subject))) return i;
    printf("# no commit %s\n", subject);
    CHECK(false);
    return 0;
}

static bool has_parent(const struct history *h, const char *child, const char *parent) {
    struct graph_node n = h->nodes[row(h, child)];
    for (uint32_t i = 0; i < n.n_parents; i++)
        if (h->parents[n.at + i] == row(h, parent)) return true;
    return false;
}

// What holds in every history: parents before children, generations, lists that fit.
static void check_sound(const struct history *h) {
    for (uint32_t i = 0; i < h->n; i++) {
        uint32_t highest = 0;
        struct graph_node n = h->nodes[i];
        CHECK(n.at + n.n_parents <= h->n_parents);
        for (uint32_t p = n.at; p < n.at + n.n_parents; p++) {
            CHECK(h->parents[p] < i || (h->parents[p] >= h->n && h->parents[p] < h->n + h->n_outside));
            uint32_t g = h->parents[p] < h->n ? h->generation[h->parents[p]]
                                              : h->outside[h->parents[p] - h->n].generation;
            if (g > highest) highest = g;
        }
        CHECK_U64(h->generation[i], highest + 1);
        CHECK(h->author[i] < h->n_people && h->committer[i] < h->n_people);
        CHECK(h->trailer_at[i] <= h->trailer_at[i + 1]);
    }
    CHECK_U64(h->trailer_at[h->n], h->n_trailers);
}

//   A ─ B ─────── M ── O        M merges T2; O is an octopus of M, X and Y, which begin at B
//    ╲ T1 ─ T2 ─╱
TEST(history_of_merges_and_an_octopus) {
    git_sh(
        "git init -q r; cd r; save a 1 A; at 1700000100; save b 1 'B (#7)'; git checkout -qb topic HEAD~1\n"
        "at 1700000200 +1400; save t 1 T1; at 1700000300 -1200; save t 2 T2; git checkout -q main\n"
        "at 1700000400; git merge -q --no-ff -m M topic\n"
        "git checkout -qb x main~1; save x 1 X; git checkout -qb y main~1; save y 1 Y; git checkout -q main\n"
        "at 1700000500; git merge -q -m O x y");
    struct repo *r = git_open("r");
    struct history h = read_name(r, "main");
    check_sound(&h);
    CHECK_U64(h.n, 8);
    CHECK_U64(h.n_outside, 0);
    CHECK_U64(h.tips[0], row(&h, "O"));
    CHECK_U64(h.nodes[row(&h, "O")].n_parents, 3);
    CHECK(has_parent(&h, "O", "M") && has_parent(&h, "O", "X") && has_parent(&h, "O", "Y"));
    CHECK(has_parent(&h, "M", "B (#7)") && has_parent(&h, "M", "T2") && has_parent(&h, "T1", "A"));
    CHECK(h.parents[h.nodes[row(&h, "M")].at] == row(&h, "B (#7)")); // the first parent comes first
    CHECK_U64(row(&h, "A"), 0);
    CHECK_U64(row(&h, "O"), 7);
    CHECK_U64(h.generation[row(&h, "A")], 1);
    CHECK_U64(h.generation[row(&h, "M")], 4); // A T1 T2 M
    CHECK_U64(h.generation[row(&h, "O")], 5);
    CHECK_U64(h.change[row(&h, "B (#7)")], 7);
    uint32_t t1 = row(&h, "T1"), t2 = row(&h, "T2");
    CHECK(h.author_at[t1].ns == 1700000200 * S && h.author_at[t1].offset_min == 840);
    CHECK(h.commit_at[t2].ns == 1700000300 * S && h.commit_at[t2].offset_min == -720);
    CHECK_U64(h.n_people, 2); // Ada writes, Carl commits
    CHECK_STR(h.people[h.author[t1]].name, STR("Ada L"));
    CHECK_STR(h.people[h.committer[t1]].email, STR("carl@example.com"));
    CHECK_STR(str_of(sha_text(&h.sha[t1]).z), git_out("cd r; git rev-parse topic~1"));
    repo_close(r);
}

TEST(history_does_not_depend_on_the_order_of_tips) {
    git_sh(
        "git init -q r; cd r; save a 1 A; git checkout -qb x; save x 1 X; save x 2 X2; git checkout -q main;"
        "save b 1 B; git checkout -qb y; save y 1 Y; git tag -am n t");
    struct repo *r = git_open("r");
    struct repo_tips t;
    CHECK_OK(repo_tips(git_arena(), r, &(struct err_ctx){ 0 }, &t));
    struct sha tips[4], back[4];
    CHECK_U64(t.n, 3);
    for (int i = 0; i < 3; i++) tips[i] = t.tips[i], back[i] = t.tips[2 - i];
    tips[3] = tips[0], back[3] = back[0];
    struct history a = read_tips(r, tips, 4);
    struct sha first[16];
    CHECK_U64(a.n, 5);
    CHECK_U64(a.tips[3], a.tips[0]);
    memcpy(first, a.sha, a.n * sizeof *first);
    struct history b = read_tips(r, back, 4);
    CHECK_U64(b.n, 5);
    CHECK(memcmp(first, b.sha, b.n * sizeof *first) == 0);
    check_sound(&b);
    repo_close(r);
}

TEST(history_reads_picks_reverts_and_co_authors) {
    git_sh(
        "git init -q r; cd r; save a 1 A; save a 2 Bad; git revert --no-edit HEAD >/dev/null\n"
        "git checkout -qb rel HEAD~2; git checkout -q main; save c 1 Fix; git tag fix; git checkout -q rel\n"
        "git cherry-pick -x main >/dev/null; git checkout -q main\n"
        "save d 1 \"$(printf 'Pair\\n\\nCo-authored-by: ADA L <ADA@example.com>\\nco-authored-by: D "
        "<d@x>')\"\n"
        "git merge -q -m Both rel");
    struct repo *r = git_open("r");
    struct history h = read_name(r, "main");
    check_sound(&h);
    uint32_t bad = row(&h, "Bad"), revert = row(&h, "Revert \"Bad\""), pair = row(&h, "Pair"), n_fix = 0;
    CHECK_U64(h.trailer_at[revert + 1] - h.trailer_at[revert], 1);
    struct history_trailer t = h.trailers[h.trailer_at[revert]];
    CHECK(t.kind == TRAILER_REVERTS && t.n_hex == 40 && sha_eq(&t.sha, &h.sha[bad]));
    struct sha original = git_sha(r, "fix");
    for (uint32_t i = 0; i < h.n; i++)
        if (str_eq(h.subject[i], STR("Fix"))) {
            n_fix++;
            if (h.trailer_at[i] == h.trailer_at[i + 1]) {
                CHECK(sha_eq(&h.sha[i], &original));
                continue;
            }
            t = h.trailers[h.trailer_at[i]];
            CHECK(t.kind == TRAILER_CHERRY_PICK && sha_eq(&t.sha, &original));
        }
    CHECK_U64(n_fix, 2);
    CHECK_U64(h.trailer_at[pair + 1] - h.trailer_at[pair], 2);
    const struct history_person *ada = &h.people[h.trailers[h.trailer_at[pair]].person];
    CHECK_STR(ada->name, STR("ADA L"));
    CHECK(ada->key == h.people[h.author[pair]].key); // the same address, spelt otherwise
    CHECK(ada->key != h.people[h.committer[pair]].key);
    repo_close(r);
}

TEST(history_gives_utf8_whatever_was_written) {
    git_sh("git init -q r; cd r; : >f; git add f\n"
           "export GIT_AUTHOR_NAME=\"$(printf 'J\\374rgen')\"\n"
           "git -c i18n.commitEncoding=ISO-8859-1 commit -qm \"$(printf 'f\\374r')\"\n"
           "printf 'tree %%s\\nparent %%s\\nauthor J\\374 <j@x> 1700000000 +0000\\ncommitter C <c@x> "
           "1700000001 +0000"
           "\\n\\nbad \\374 end\\n' $(git write-tree) $(git rev-parse HEAD) >raw\n"
           "git update-ref refs/heads/raw $(git hash-object -t commit -w raw)\n"
           "save long \"$(printf 'x')\" \"$(printf '\\303\\244%%.0s' $(seq 300))\"");
    struct repo *r = git_open("r");
    struct history h = read_name(r, "raw");
    uint32_t latin = row(&h, "f\xc3\xbcr"), bad = row(&h, "bad \xef\xbf\xbd end");
    CHECK_STR(h.people[h.author[latin]].name, STR("J\xc3\xbcrgen"));
    CHECK_STR(h.people[h.author[bad]].name, STR("J\xef\xbf\xbd"));
    h = read_name(r, "main");
    CHECK_U64(h.subject[1].len, HISTORY_SUBJECT_MAX); // 600 bytes, cut between two characters
    CHECK(str_is_utf8(h.subject[1]));
    repo_close(r);
}

TEST(history_flags_clocks_that_are_wrong) {
    git_sh("git init -q r; cd r; at 100000000; save a 1 early; at 1900000000; save a 2 future\n"
           "printf 'tree %%s\\nparent %%s\\nauthor A <a@x> soon\\ncommitter C <c@x> 1700000001 "
           "+9999\\n\\nodd\\n' "
           "$(git write-tree) $(git rev-parse HEAD) >raw\n"
           "git update-ref refs/heads/raw $(git hash-object -t commit -w --literally raw)");
    struct repo *r = git_open("r");
    struct history h = read_name(r, "raw");
    CHECK_U64(h.author_at[row(&h, "early")].flags, STAMP_EARLY);
    CHECK_U64(h.commit_at[row(&h, "future")].flags, STAMP_FUTURE);
    CHECK_U64(h.author_at[row(&h, "odd")].flags, STAMP_UNREADABLE);
    CHECK_U64(h.commit_at[row(&h, "odd")].flags, STAMP_ODD_ZONE);
    CHECK(h.commit_at[row(&h, "odd")].ns == 1700000001 * S);
    repo_close(r);
}

struct known {
    const struct sha *have;
    uint32_t n, n_calls;
    enum err fail;
};

static enum err known(void *ctx, const struct sha *id, uint32_t *out_generation) {
    struct known *k = ctx;
    k->n_calls++;
    if (k->fail != ERR_OK) return k->fail;
    for (uint32_t i = 0; i < k->n; i++)
        if (sha_eq(&k->have[i], id)) {
            *out_generation = i + 1;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

TEST(history_stops_at_what_the_caller_has) {
    git_sh("git init -q r; cd r; for i in 1 2 3 4 5 6 7 8; do save f $i c$i; done");
    struct repo *r = git_open("r");
    struct history all = read_name(r, "main"), h;
    struct sha have[8];
    memcpy(have, all.sha, sizeof have);
    struct known k = { have, 5, 0, ERR_OK };
    struct history_in in = { .tips = &have[7], .n_tips = 1, .known = known, .ctx = &k, .now_ns = NOW };
    CHECK_OK(history_read(git_arena(), r, &in, &(struct err_ctx){ 0 }, &h));
    check_sound(&h);
    CHECK_U64(h.n, 3);
    CHECK_U64(k.n_calls, 4); // c8 c7 c6 c5
    CHECK_U64(h.n_outside, 1);
    CHECK(h.outside[0].why == HISTORY_KNOWN && sha_eq(&h.outside[0].sha, &have[4]));
    CHECK_U64(h.generation[0], 6);
    CHECK_U64(h.parents[h.nodes[0].at], h.n);
    k = (struct known){ have, 8, 0, ERR_OK };
    CHECK_OK(history_read(git_arena(), r, &in, &(struct err_ctx){ 0 }, &h));
    CHECK_U64(h.n, 0);
    CHECK_U64(h.tips[0], 0); // outside
    CHECK_U64(h.n_why[HISTORY_KNOWN], 1);
    k.fail = ERR_CANCELED;
    CHECK(history_read(git_arena(), r, &in, &(struct err_ctx){ 0 }, &h) == ERR_CANCELED);
    repo_close(r);
}

TEST(history_of_a_shallow_clone_ends_with_missing_parents) {
    git_sh("git init -q a; cd a; for i in 1 2 3 4 5; do save f $i c$i; done; cd ..\n"
           "git clone -q --depth 2 file://$PWD/a b");
    struct repo *r = git_open("b");
    CHECK(repo_is_shallow(r));
    struct history h = read_name(r, "main");
    check_sound(&h);
    CHECK_U64(h.n, 2);
    CHECK_U64(h.n_why[HISTORY_MISSING], 1);
    CHECK_STR(str_of(sha_text(&h.outside[0].sha).z), git_out("cd a; git rev-parse main~2"));
    repo_close(r);
}

TEST(history_tips_that_are_no_commits_are_outside) {
    git_sh("git init -q r; cd r; save f 1 A; git tag -am n note");
    struct repo *r = git_open("r");
    struct sha tips[4] = { git_sha(r, "main"), { { 7 } } };
    CHECK(sha_parse(git_out("cd r; git rev-parse HEAD:f"), &tips[2]));
    CHECK(sha_parse(git_out("cd r; git rev-parse note"), &tips[3]));
    struct history h = read_tips(r, tips, 4);
    CHECK_U64(h.n, 1);
    CHECK_U64(h.tips[0], 0);
    CHECK(h.outside[h.tips[1] - h.n].why == HISTORY_MISSING);
    CHECK(h.outside[h.tips[2] - h.n].why == HISTORY_NOT_COMMIT);
    CHECK(h.outside[h.tips[3] - h.n].why == HISTORY_NOT_COMMIT);
    h = read_tips(r, NULL, 0); // an empty repository has no tips
    CHECK_U64(h.n + h.n_outside + h.n_people, 0);
    repo_close(r);
}

// Each file of an object is damaged in its own way; the rest of the history is read.
TEST(history_of_a_corrupt_repository_names_what_is_damaged) {
    static const char *const harm[] = {
        ": >$f",                                                 // empty, as after a crash
        "printf garbage >$f",                                    // no zlib
        "head -c 20 $f >$f.x; mv $f.x $f",                       // cut off
        "cp -f .git/objects/$(echo $other | sed 's|..|&/|') $f", // another commit under its name
        "printf 'x\\234\\113\\312\\117' >$f",                    // a header without an end
    };
    for (size_t i = 0; i < sizeof harm / sizeof *harm; i++) {
        git_sh("git init -q r%zu; cd r%zu; save f 1 A; save f 2 B; save f 3 C\n"
               "id=$(git rev-parse HEAD~1); other=$(git rev-parse HEAD)\n"
               "f=.git/objects/$(echo $id | sed 's|..|&/|'); chmod u+w $f\n%s",
               i, i, harm[i]);
        char name[16];
        (void)snprintf(name, sizeof name, "r%zu", i);
        struct repo *r = git_open(name);
        struct history h = read_name(r, "main");
        check_sound(&h);
        CHECK_U64(h.n, 1);
        CHECK_U64(h.n_outside, 1);
        CHECK(h.outside[0].why == HISTORY_DAMAGED || h.outside[0].why == HISTORY_MISSING);
        repo_close(r);
    }
}

TEST(history_of_a_repository_with_a_damaged_pack_does_not_crash) {
    enum { PLACES = 16 };
    git_sh("git init -q r; cd r; for n in 1 2 3 4 5 6; do save f $n c$n; done; git repack -qad; git branch "
           "-q b\n"
           "cd ..; for i in $(seq 0 %d); do cp -r r r$i; [ $((i %% 2)) = 0 ] && e=idx || e=pack\n"
           "set -- r$i/.git/objects/pack/*.$e; chmod u+w $1; s=$(stat -c %%s $1)\n"
           "printf '\\377\\001' | dd of=$1 bs=1 seek=$((s * i / %d)) conv=notrunc 2>/dev/null; done",
           PLACES - 1, PLACES);
    struct repo *whole = git_open("r");
    struct sha tip = git_sha(whole, "main");
    repo_close(whole);
    for (int i = 0; i < PLACES; i++) {
        char name[16];
        struct history h;
        (void)snprintf(name, sizeof name, "r%d", i);
        struct repo *r = git_open(name);
        struct history_in in = { .tips = &tip, .n_tips = 1, .now_ns = NOW };
        enum err e = history_read(git_arena(), r, &in, &(struct err_ctx){ 0 }, &h);
        if (e == ERR_OK) check_sound(&h);
        if (e == ERR_OK) CHECK(h.n <= 6 && (h.n == 6) == (h.n_outside == 0));
        repo_close(r);
    }
}

TEST(history_past_the_limit_says_so) {
    git_sh("git init -q r; cd r; save f 1 A; save f 2 B; save f 3 C");
    struct repo *r = git_open("r");
    struct sha tip = git_sha(r, "main");
    struct history h;
    struct err_ctx ctx = { 0 };
    struct history_in in = { .tips = &tip, .n_tips = 1, .now_ns = NOW, .max_commits = 2 };
    CHECK(history_read(git_arena(), r, &in, &ctx, &h) == ERR_LIMIT);
    CHECK(strstr(ctx.text, "more than 2 commits") != NULL);
    in.max_commits = 3;
    CHECK_OK(history_read(git_arena(), r, &in, &ctx, &h));
    repo_close(r);
}

TEST(history_skips_a_commit_that_is_too_large) {
    git_sh(
        "git init -q r; cd r; save f 1 A; (echo tree $(git write-tree); echo parent $(git rev-parse HEAD)\n"
        "echo 'author A <a@x> 1700000000 +0000'; echo 'committer A <a@x> 1700000000 +0000'; echo\n"
        "head -c 9000000 /dev/zero | tr '\\0' x) >raw\n"
        "git update-ref refs/heads/large $(git hash-object -t commit -w raw)");
    struct repo *r = git_open("r");
    struct sha tip;
    CHECK(sha_parse(git_out("cd r; git rev-parse large"), &tip));
    struct history h = read_tips(r, &tip, 1);
    CHECK_U64(h.n, 0);
    CHECK(h.outside[0].why == HISTORY_TOO_LARGE);
    repo_close(r);
}

TEST(history_survives_each_failed_allocation) {
    git_sh("git init -q r; cd r; save f 1 \"$(printf 'A\\n\\nCo-authored-by: D <d@x>')\"; save f 2 B; save f "
           "3 C");
    struct repo *r = git_open("r");
    struct sha tip = git_sha(r, "main");
    struct history_in in = { .tips = &tip, .n_tips = 1, .now_ns = NOW };
    struct history h;
    enum err e = ERR_NOMEM;
    for (uint64_t n = 1; e != ERR_OK; n++) {
        struct arena *a = git_arena();
        CHECK(n < 1000);
        mem_fail_at(n, false);
        e = history_read(a, r, &in, &(struct err_ctx){ 0 }, &h);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
    }
    check_sound(&h);
    CHECK_U64(h.n, 3);
    repo_close(r);
}
