// SPDX-License-Identifier: Apache-2.0
// Inside impact_*.c that read spans: filters, values, environments.
#pragma once

#include "impact/scan.h"

enum { SCAN_FILTER_MAX = 128 << 10 }; // names of services are up to 4 KiB, and may have to be quoted

struct str scan_text(const struct value *v); // "" unless it is one
struct str scan_first(const struct value *a, const struct value *b);
bool scan_is_error(const struct value *v); // of a status
bool scan_same_environment(struct str of, const struct value *name, const struct value *old_name);
// The same, noted. Memory that fails sticks in the arena.
bool scan_environment(const struct impact_of *of, const struct value *name, const struct value *old_name,
                      struct arena *a, struct scan_environments *seen);
NODISCARD enum err scan_visit(const struct impact_source *src, struct buf *filter, struct impact_window w,
                              struct visit *q, struct visit_answer *answer, struct err_ctx *ctx);
// What a span's version is called: see impact_of.
struct str scan_label(const struct impact_of *of, const struct visit_span *s, const struct value *version);
