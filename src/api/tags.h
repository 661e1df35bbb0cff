// SPDX-License-Identifier: Apache-2.0
// Inside `api`, and for the command line: names of attributes and values of fields as they were
// asked for, by whichever way, and the answers as Tempo gives them. thread: that of the ask.
#pragma once

#include "api/ask.h"
#include "api/tempo.h"
#include "query/tags.h"

enum tags_version { TAGS_V1, TAGS_V2 };

struct tags_ask {
    struct str scope;          // of names: "" = all
    struct str name;           // of values: of which tag (v1), which field (v2)
    struct str q;              // v2: of which spans
    uint64_t start_ns, end_ns; // 0, 0 = all time
    uint64_t limit;            // names of a scope, values; 0 = none
};

// Reads k->params; `name` comes from elsewhere. Errors are ERR_INVALID with k->ctx.
NODISCARD enum err tags_ask_read(struct ask *k, struct tags_ask *t);
NODISCARD enum err tags_answer_names(struct ask *k, const struct tags_ask *t, enum tags_version version,
                                     struct tempo_pieces *out);
NODISCARD enum err tags_answer_values(struct ask *k, const struct tags_ask *t, enum tags_version version,
                                      struct tempo_pieces *out);
// The type of a value as Tempo names it: string, int, float, bool, duration, keyword.
struct str tags_type_name(enum value_type t);
// The intrinsics as Tempo lists them.
const struct str *tags_intrinsics(uint32_t *out_n);
// Fields whose values nobody picks from a list.
bool tags_is_unlisted(const struct field *f);
