// SPDX-License-Identifier: Apache-2.0
// Inside `api`, and for the command line: a search as the web app has it, a page of traces with all
// that is known of them. thread: that of the ask.
#pragma once

#include "api/ask.h"
#include "base/json.h"

// How our own answers name the type of a value: "string", "duration", "status" …
struct str page_type_name(enum value_type t);

// What /api/takt/search answers to k->params.
NODISCARD enum err page_search(struct ask *k, struct json_writer *w);
