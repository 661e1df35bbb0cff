// SPDX-License-Identifier: Apache-2.0
#include "base/test.h"
#include "vcs/commit.h"

#define TREE "tree 1111111111111111111111111111111111111111\n"
#define P2 "parent 2222222222222222222222222222222222222222\n"
#define P3 "parent 3333333333333333333333333333333333333333\n"
#define S 1000000000ll

static struct commit parsed(const char *raw) {
    struct commit c;
    CHECK(commit_parse(test_exact(str_of(raw)), &c));
    return c;
}

TEST(commit_is_taken_apart) {
    struct commit c = parsed(TREE P2 P3 "author Ada L <ada@x.org> 1700000000 +0530\n"
                                        "committer Bob <bob@x.org> 1700000100 -0800\n"
                                        "gpgsig -----BEGIN\n author Mallory <m@x> 1 +0000\n -----END\n"
                                        "encoding ISO-8859-1\n\nSubject (#12)\n\nBody\n");
    CHECK_U64(c.n_parents, 2);
    CHECK_U64(c.tree.byte[19], 0x11);
    struct sha first = commit_parent(&c, 0), second = commit_parent(&c, 1);
    CHECK(first.byte[0] == 0x22 && second.byte[19] == 0x33);
    CHECK_STR(c.author.name, STR("Ada L"));
    CHECK_STR(c.author.email, STR("ada@x.org"));
    CHECK(c.author.at.ns == 1700000000 * S && c.author.at.offset_min == 330 && c.author.at.flags == 0);
    CHECK_STR(c.committer.name, STR("Bob"));
    CHECK(c.committer.at.ns == 1700000100 * S && c.committer.at.offset_min == -480);
    CHECK(c.latin1);
    CHECK_STR(c.subject, STR("Subject (#12)"));
    CHECK_U64(c.change, 12);
}

TEST(commit_stamps_of_all_kinds) {
    static const struct {
        const char *stamp;
        int64_t s; // INT64_MIN: unreadable
        int offset, flags;
        const char *why;
    } cases[] = {
        { "1700000000 +0000", 1700000000, 0, 0, "plain" },
        { "1700000000 +1400", 1700000000, 840, 0, "farthest east" },
        { "1700000000 -1200", 1700000000, -720, 0, "farthest west" },
        { "1700000000 +0545", 1700000000, 345, 0, "Nepal" },
        { "1700000000 +1401", 1700000000, 0, STAMP_ODD_ZONE, "no such zone" },
        { "1700000000 -7349423", 1700000000, 0, STAMP_ODD_ZONE, "seen in the wild" },
        { "1700000000 +0060", 1700000000, 0, STAMP_ODD_ZONE, "60 minutes" },
        { "1700000000", 1700000000, 0, STAMP_ODD_ZONE, "no zone" },
        { "0 +0000", 0, 0, STAMP_EARLY, "1970" },
        { "-1 +0000", -1, 0, STAMP_EARLY, "before 1970" },
        { "631151999 +0000", 631151999, 0, STAMP_EARLY, "the last second of 1989" },
        { "631152000 +0000", 631152000, 0, 0, "the first of 1990" },
        { "1700086400 +0000", 1700086400, 0, 0, "a day ahead" },
        { "1700086401 +0000", 1700086401, 0, STAMP_FUTURE, "more than a day ahead" },
        { "9223372036 +0000", 9223372036, 0, STAMP_FUTURE, "the last that int64 holds" },
        { "9223372037 +0000", INT64_MIN, 0, STAMP_UNREADABLE, "one more" },
        { "99999999999999999999 +0000", INT64_MIN, 0, STAMP_UNREADABLE, "more than 64 bits" },
        { "Fri Nov 17 +0000", INT64_MIN, 0, STAMP_UNREADABLE, "words" },
        { "", INT64_MIN, 0, STAMP_UNREADABLE, "nothing" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char raw[300];
        (void)snprintf(raw, sizeof raw, TREE "author A <a@b> %s\ncommitter C <c@d> 1 +0000\n\nx\n",
                       cases[i].stamp);
        struct commit c = parsed(raw);
        struct stamp at = stamp_judge(c.author.at, 1700000000 * S);
        bool ok = at.ns == (cases[i].s == INT64_MIN ? STAMP_UNKNOWN : cases[i].s * S) &&
                  at.flags == cases[i].flags && at.offset_min == cases[i].offset;
        if (!ok) printf("# %s\n", cases[i].why);
        CHECK(ok);
        CHECK(stamp_is_usable(at) == !(cases[i].flags & ~STAMP_ODD_ZONE));
    }
}

TEST(commit_idents_that_are_odd) {
    static const struct {
        const char *line, *name, *email;
        int64_t s;
    } cases[] = {
        { "A <B> C <c@d> 5 +0000", "A", "B> C <c@d", 5 }, // git takes the last '>' too
        { "<a@b> 5 +0000", "", "a@b", 5 },
        { "Name <> 5 +0000", "Name", "", 5 },
        { "Name 5 +0000", "", "", 5 },
        { "Name a@b> 5 +0000", "Name a@b", "", 5 },
        { ">", "", "", INT64_MIN },
        { "<", "", "", INT64_MIN },
        { "><", "", "", INT64_MIN },
        { "<> 5", "", "", 5 },
        { "", "", "", INT64_MIN },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char raw[300];
        (void)snprintf(raw, sizeof raw, TREE "author %s\n\nx\n", cases[i].line);
        struct commit c = parsed(raw);
        CHECK_STR(c.author.name, str_of(cases[i].name));
        CHECK_STR(c.author.email, str_of(cases[i].email));
        CHECK(c.author.at.ns == (cases[i].s == INT64_MIN ? STAMP_UNKNOWN : cases[i].s * S));
        CHECK(c.committer.at.flags == STAMP_UNREADABLE);
    }
}

TEST(commit_that_is_none_is_refused) {
    static const char *const cases[] = {
        "",
        "tree",
        "tree 1\n",
        "blob",
        "tree 111111111111111111111111111111111111111g\n",
        "tree 11111111111111111111111111111111111111111\n",
        TREE "parent 22\nauthor A <a> 1 +0000\n",
        TREE P2 "parent \n",
        "parent 2222222222222222222222222222222222222222\n" TREE,
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct commit c;
        CHECK(!commit_parse(test_exact(str_of(cases[i])), &c));
    }
    struct commit c = parsed(TREE);
    CHECK_U64(c.n_parents + c.subject.len + c.n_trailers, 0);
}

TEST(message_names_its_change) {
    static const struct {
        const char *subject, *body;
        uint32_t want;
    } cases[] = {
        { "Fix the cart (#123)", "", 123 },
        { "Fix the cart (!45)", "", 45 },
        { "Fix the cart !45", "", 45 },
        { "Fix the cart (pull request #7)", "", 7 },
        { "Merge pull request #99 from acme/topic", "Fix the cart", 99 },
        { "Merge pull request #99", "", 99 },
        { "Pull request #8: Fix", "", 8 },
        { "Merged PR 11: Fix", "", 11 },
        { "Merge branch 'x' into 'main'", "Fix\n\nSee merge request acme/shop!321\n", 321 },
        { "Merge branch 'x' into 'main'", "See merge request !3", 3 },
        { "Revert \"Fix the cart (#123)\" (#124)", "", 124 },
        { "Revert \"Fix the cart (#123)\"", "", 0 },
        { "Fixes #12", "", 0 }, // an issue
        { "Fix (#12) again", "", 0 },
        { "Fix (#)", "", 0 },
        { "Fix (#0)", "", 0 },
        { "Fix (#12345678901)", "", 0 },
        { "Stop!45", "", 0 },
        { "(#1)", "", 1 },
        { "(#", "", 0 },
        { "#)", "", 0 },
        { "", "", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_U64(message_change(test_exact(str_of(cases[i].subject)), test_exact(str_of(cases[i].body))),
                  cases[i].want);
}

TEST(message_trailers_are_found) {
    struct commit c = parsed(
        TREE "author A <a@b> 5 +0000\n\nRevert \"x\"\r\n\r\n"
             "This reverts commit aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, reversing\r\n"
             "changes made to bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.\n"
             "(cherry picked from commit CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC)\n"
             "This reverts commit abcdef0.\nThis reverts commit abcde.\nThis reverts commit wrong.\n"
             "Reverts acme/shop#77\nThis reverts merge request shop!78.\nReverts the thing of #79 fully\n"
             "co-authored-BY: Dee <dee@x.org>\nCo-authored-by:\nSigned-off-by: A <a@b>\n"
             "not This reverts commit aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    CHECK_U64(c.n_trailers, 6);
    CHECK(c.trailers[0].kind == TRAILER_REVERTS && c.trailers[0].n_hex == 40);
    CHECK(c.trailers[0].sha.byte[0] == 0xaa && c.trailers[0].sha.byte[19] == 0xaa);
    CHECK(c.trailers[1].kind == TRAILER_CHERRY_PICK && c.trailers[1].sha.byte[19] == 0xcc);
    CHECK(c.trailers[2].kind == TRAILER_REVERTS && c.trailers[2].n_hex == 7);
    CHECK(c.trailers[2].sha.byte[3] == 0x00 && c.trailers[2].sha.byte[2] == 0xef);
    CHECK(c.trailers[3].kind == TRAILER_REVERTS_CHANGE && c.trailers[3].number == 77);
    CHECK(c.trailers[4].kind == TRAILER_REVERTS_CHANGE && c.trailers[4].number == 78);
    CHECK(c.trailers[5].kind == TRAILER_CO_AUTHOR);
    CHECK_STR(c.trailers[5].name, STR("Dee"));
    CHECK_STR(c.trailers[5].email, STR("dee@x.org"));
}

TEST(message_with_too_many_trailers_counts_the_rest) {
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, STR(TREE "\nx\n\n"));
    for (int i = 0; i < 100; i++) buf_str(&b, STR("Co-authored-by: X <x@y>\n"));
    struct commit c;
    bool ok = commit_parse(test_exact(buf_view(&b)), &c);
    buf_fini(&b);
    CHECK(ok);
    CHECK_U64(c.n_trailers, COMMIT_TRAILERS_MAX);
    CHECK_U64(c.n_trailers_cut, 100 - COMMIT_TRAILERS_MAX);
}

TEST(tag_objects_are_taken_apart) {
    struct tag_object t;
    CHECK(tag_parse(test_exact(STR("object 2222222222222222222222222222222222222222\ntype commit\ntag v1\n"
                                   "tagger A <a@b> 1700000000 +0100\n\nmessage\n")),
                    &t));
    CHECK(t.target.byte[0] == 0x22 && t.tagged.ns == 1700000000 * S && t.tagged.offset_min == 60);
    CHECK(tag_parse(test_exact(STR("object 2222222222222222222222222222222222222222\ntype commit\ntag v1\n")),
                    &t));
    CHECK(t.tagged.flags == STAMP_UNREADABLE && t.tagged.ns == STAMP_UNKNOWN);
    CHECK(!tag_parse(STR("type commit\n"), &t));
}
