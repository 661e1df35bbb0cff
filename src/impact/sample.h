// SPDX-License-Identifier: Apache-2.0
// Spans of the last hour, so many at most, from the newest block on, for the failure modes that only they
// show: spans that start before their parent, names that are all different, flags that give instances
// different variants, errors that sampling keeps more often than others. One reading; the same view gives the
// same. thread: any.
#pragma once

#include "delivery/delivery.h"
#include "delivery/world.h"
#include "impact/scan.h"

enum { SAMPLE_SPANS_MAX = 20000 };
#define SAMPLE_EARLY_NS (10 * 1000000ll) // earlier than its parent: more than clocks that are kept differ

// Fills in what world.h has of a sample; d tells which versions were reported. Names lie in the arena. Errors
// as visit_run's; ERR_TIMEOUT: not all was read.
NODISCARD enum err sample_read(struct arena *a, struct delivery *d, const struct impact_source *src,
                               int64_t now, struct world *out, struct err_ctx *ctx);
