// SPDX-License-Identifier: Apache-2.0
// Findings for people: from the JSON of checks. thread: main.
#pragma once

#include "app/node.h"

NODISCARD enum err ready_print(struct arena *a, const struct doc_node *answer, struct buf *out);
NODISCARD enum err incident_print(struct arena *a, const struct doc_node *answer, struct buf *out);
