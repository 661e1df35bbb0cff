// SPDX-License-Identifier: Apache-2.0
// A JSON text (or a YAML one: yaml.h) as a tree in an arena, for what is somebody else's. Values are reached
// by a path of member names ("pull_request.head.sha"). What is not there, and null, is empty; what is
// there but of another type is an error that says where it lies and what was expected. The first
// error sticks in the document, so that code that reads many fields checks once, at the end.
// Of equal names in one object the last counts. thread: one at a time.
#pragma once

#include "base/json.h"

enum {
    DOC_NODES_MAX = 1 << 19, // values of one document
    DOC_PATH_MAX = 200,      // bytes of a place in a message
};

struct doc_node {
    enum json_kind kind; // OBJECT, ARRAY, STRING, NUMBER, TRUE, FALSE, NULL
    uint32_t n;          // children
    struct str key;      // in an object, escapes resolved
    struct str text;     // STRING: escapes resolved; everything else: as it stands in the input
    uint32_t line;       // from 1; 0: not known (JSON)
    const struct doc_node *first, *next, *parent;
};
struct document {
    struct arena *arena;
    const struct doc_node *root;
    const char *file; // for messages; NULL: a body that was sent
    enum err err;     // sticks: ERR_INVALID
    struct err_ctx *ctx;
};
// A value of a document, or nothing: node = NULL.
struct doc {
    const struct doc_node *node;
    struct document *of;
};

// The tree borrows from the text and lives in the arena. ERR_INVALID: not JSON; ERR_LIMIT: nested
// deeper than max_depth, or too many values; ERR_NOMEM.
NODISCARD enum err document_read(struct str text, uint32_t max_depth, struct arena *a, struct document *out,
                                 struct err_ctx *ctx);
// The same with a limit of the caller's on the number of values.
NODISCARD enum err document_read_upto(struct str text, uint32_t max_depth, uint32_t max_values,
                                      struct arena *a, struct document *out, struct err_ctx *ctx);
struct doc doc_root(struct document *d);
// The first error of all reads, or of memory.
NODISCARD enum err document_end(struct document *d);
// Reports an error of meaning at a value: "alerts.0.startsAt: not a time". A path may name what is
// not there, and may be "" for the value itself.
void doc_fail(struct doc d, const char *path, const char *fmt, ...) PRINTF_LIKE(3, 4);

// The value at a path, of whatever type; nothing when it is missing or null. Names in a path are
// separated by dots; in an array they are numbers from 0.
struct doc doc_at(struct doc d, const char *path);
struct doc doc_member(struct doc d, struct str key); // one name, dots and all
bool doc_has(struct doc d, const char *path);
// Nothing unless it is an object (an array).
struct doc doc_object(struct doc d, const char *path);
struct doc doc_array(struct doc d, const char *path);
// Children in their order: for (struct doc c = doc_first(d); c.node; c = doc_next(c))
struct doc doc_first(struct doc d);
struct doc doc_next(struct doc d);

// Texts hold no U+0000, which would cut keys that are made of them: that is an error too.
struct str doc_text(struct doc d, const char *path); // a string
struct str doc_need(struct doc d, const char *path); // a string that must be there and not be empty
// An id: a string, or an integer as its digits. doc_need_id: must be there.
struct str doc_id(struct doc d, const char *path);
struct str doc_need_id(struct doc d, const char *path);
// false, and *out is 0, when it is not there.
bool doc_i64(struct doc d, const char *path, int64_t *out);
bool doc_f64(struct doc d, const char *path, double *out);
bool doc_bool(struct doc d, const char *path); // false when it is not there
