// SPDX-License-Identifier: Apache-2.0
// The bytes of commit and tag objects, taken apart. Pure: no repository, no memory of its own; slices
// point into the object. Whatever the bytes are, the functions end and stay inside them.
// thread: any.
#pragma once

#include "vcs/sha.h"

enum {
    COMMIT_TRAILERS_MAX = 32, // of one message; more are counted
    COMMIT_SHORT_SHA_MIN = 7, // hex digits of a sha in a message
};

#define STAMP_UNKNOWN INT64_MIN // ns of a stamp that cannot be read

// What is wrong with a stamp. A stamp with any of these but STAMP_ODD_ZONE is of no use as a clock.
enum stamp_flag {
    STAMP_UNREADABLE = 1, // missing, no number, or beyond what int64 nanoseconds hold; ns = STAMP_UNKNOWN
    STAMP_EARLY = 2,      // before 1990
    STAMP_FUTURE = 4,     // more than a day after now
    STAMP_ODD_ZONE = 8,   // no ±HHMM between -1200 and +1400; the offset is 0, ns is right all the same
};

struct stamp {
    int64_t ns;         // since 1970, UTC
    int16_t offset_min; // of the writer's clock, east is positive
    uint8_t flags;      // of enum stamp_flag
};
static inline bool stamp_is_usable(struct stamp s) {
    return (s.flags & (STAMP_UNREADABLE | STAMP_EARLY | STAMP_FUTURE)) == 0;
}
// Adds STAMP_FUTURE to what was read.
struct stamp stamp_judge(struct stamp s, int64_t now_ns);

struct ident {
    struct str name, email; // as written; any bytes
    struct stamp at;
};

enum trailer_kind {
    TRAILER_CHERRY_PICK,    // (cherry picked from commit SHA)
    TRAILER_REVERTS,        // This reverts commit SHA
    TRAILER_REVERTS_CHANGE, // Reverts acme/shop#12, This reverts merge request shop!12
    TRAILER_CO_AUTHOR,      // Co-authored-by: NAME <EMAIL>
};

struct trailer {
    enum trailer_kind kind;
    uint8_t n_hex;   // digits of the sha that are spelt; 40 = all, else the rest is 0
    uint32_t number; // of the change
    struct sha sha;
    struct str name, email; // as written
};

struct commit {
    struct sha tree;
    struct str parent_lines; // see commit_parent
    uint32_t n_parents;
    struct ident author, committer;
    bool latin1;        // the commit says that its text is ISO-8859-1 or Windows-1252
    struct str subject; // the first line that is not empty, as written
    struct str body;    // what follows it
    uint32_t change;    // number of the pull or merge request that the message names, 0 = none
    uint32_t n_trailers, n_trailers_cut;
    struct trailer trailers[COMMIT_TRAILERS_MAX]; // in order
};

// false: no commit object. Names, stamps and messages never make it fail; only tree and parents must be
// sound.
NODISCARD bool commit_parse(struct str raw, struct commit *out);
struct sha commit_parent(const struct commit *c, uint32_t i); // i < n_parents

struct tag_object {
    struct sha target;
    struct stamp tagged; // STAMP_UNREADABLE in tags of old, which name no tagger
};
NODISCARD bool tag_parse(struct str raw, struct tag_object *out);

// Of a message alone: subject, body, change and trailers of *out; the rest of it stays as it is.
void message_read(struct str text, struct commit *out);

// The number of the pull or merge request in a message, 0 = none:
//   at the end of the subject:  (#12)  (!12)  !12 after a space  (pull request #12)
//   at its start:               Merge pull request #12 …  Pull request #12: …  Merged PR 12: …
//   a line of the body:         See merge request acme/shop!12
uint32_t message_change(struct str subject, struct str body);
