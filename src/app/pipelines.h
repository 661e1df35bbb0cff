// SPDX-License-Identifier: Apache-2.0
// Listens to new spans for runs of pipelines and hands them to delivery (intake/pipeline.h). A table
// is looked at by its new resources and attribute keys: while none of them is of a pipeline, a request
// costs two comparisons. An event that cannot be handed over at once waits; when too many do, whoever tells
// of spans waits too. The log keeps a span until its event is durable among the facts; an event that is told
// twice counts once. What does not become an event is counted, and logged: all, where delivery is not open
// (NULL).
#pragma once

#include "delivery/delivery.h"
#include "intake/pipeline.h"
#include "os/clock.h"
#include "span/sink.h"

struct pipelines;
NODISCARD enum err pipelines_new(struct delivery *d, struct clock *c, struct untold_counts *untold,
                                 struct pipelines **out);
// From here on nobody waits for events to be kept: the log still has their spans. NULL is fine.
void pipelines_stop(struct pipelines *p);
// After whoever calls the sink has stopped, and before delivery is closed. NULL is fine.
void pipelines_free(struct pipelines *p);
struct batch_sink pipelines_sink(struct pipelines *p);
