// SPDX-License-Identifier: Apache-2.0
// Reads what failure modes show beside the facts of delivery: from the stored traces of a view, and from what
// this server has counted. thread: any.
#pragma once

#include "api/ask.h"
#include "delivery/world.h"

struct api;
struct delivery;

// Of the traces; first. When they cannot be read within the limits of the question, nothing is known of them.
// Names lie in the arena of the question. ERR_NOMEM.
NODISCARD enum err world_read_store(struct ask *k, struct delivery *d, struct world *out);
void world_read_server(struct api *a, struct world *out);
