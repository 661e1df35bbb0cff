// SPDX-License-Identifier: Apache-2.0
// The services that a trace passes, with their spans and those in error, as one text: how traces.parquet has
// them, and how they are carried to answers: {"name":[spans,errors],…}, sorted by name. thread: any.
#pragma once

#include "base/json.h"
#include "base/mem.h"

struct service_count {
    struct str name;
    uint32_t spans, errors;
};

// Of spans of a table: counts by resource, valid where the stamp is that of the trace.
struct span_table;
struct services_tally {
    const struct span_table *t;
    uint32_t *stamps, *slots, stamp;
    struct service_count *counts;
};
NODISCARD enum err services_tally_init(struct services_tally *y, struct arena *a, const struct span_table *t,
                                       uint32_t n_resources);
// Appends the text of a trace that has these spans.
void services_write(struct services_tally *y, const uint32_t *rows, uint32_t n, struct buf *out);

// Where a text is carried to be written out fast, a NUL stands behind it, and so many bytes can be read.
enum { SERVICES_PAD = 16 };

// One after the other. Names lie in the text, or in the reader until the next one.
struct services {
    struct str text;
    const char *at; // behind what was read
    uint32_t n;     // read so far
    bool is_any;    // a name holds an escape: all is read by the reader of all JSON, from there on
    struct json json;
    struct err_ctx ctx;
    struct buf name;
    enum err err;
};
void services_begin(struct services *s, struct str text);
bool services_next(struct services *s, struct service_count *out); // false: none is left, or an error
// ERR_CORRUPT: the text is no such list, ERR_NOMEM.
NODISCARD enum err services_end(struct services *s);

// What follows a name, up to the comma or the brace. false: nothing such. At least SERVICES_BEHIND bytes can
// be read from *p on, whatever the end.
enum { SERVICES_BEHIND = 8 };
struct services_rest { // behind the counts; at NULL: they are none
    const char *at;
    uint32_t spans, errors;
};
struct services_rest services_counts_(const char *at, const char *end);
static inline struct services_rest services_counts(const char *at, const char *end) {
    // Mostly there are 1 to 99 spans and up to 9 errors: all is seen in 8 bytes.
    const uint64_t one = 0x005d002c005b3a22u, two = 0x5d002c00005b3a22u; // ":[0,0] and ":[00,0]
    const uint64_t one_mask = 0x00ff00ff00ffffffu, two_mask = 0xff00ff0000ffffffu;
    uint64_t seen;
    memcpy(&seen, at, sizeof seen);
    uint32_t a = (uint32_t)(seen >> 24 & 0xff) - '0', b = (uint32_t)(seen >> 32 & 0xff) - '0',
             c = (uint32_t)(seen >> 40 & 0xff) - '0', d = (uint32_t)(seen >> 48 & 0xff) - '0';
    if ((seen & one_mask) == one && a <= 9 && c <= 9 && at + 7 < end)
        return (struct services_rest){ at + 7, a, c };
    if ((seen & two_mask) == two && a <= 9 && b <= 9 && d <= 9 && at + 8 < end)
        return (struct services_rest){ at + 8, a * 10 + b, d };
    return services_counts_(at, end);
}
