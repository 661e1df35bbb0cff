// SPDX-License-Identifier: Apache-2.0
// Whoever listens to new spans. Whatever takes spans in calls it and knows nothing else of it.
#pragma once

#include "span/table.h"

struct batch_sink {
    // Rows from `from` on, up to `to`, are durable and visible. Called by the table's writer, in the
    // order of arrival; `from` is 0 for a new table. After a crash it is told again what the log still
    // holds, so whoever keeps something must know it when it comes again. What waits here holds up ingest.
    void (*take)(void *ctx, const struct span_table *t, uint32_t from, uint32_t to);
    // Before the log lets go of what was told: an error puts that off. May wait.
    enum err (*settle)(void *ctx);
    void *ctx;
};
