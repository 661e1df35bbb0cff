// SPDX-License-Identifier: Apache-2.0
// Which parameters each question about delivery has. What is none of them is refused, and so is one that
// is given twice: a misspelt filter would change a figure without a word. thread: any.
#pragma once

#include "api/params.h"

// path: below /api/takt/, as "delivery/measures"; of one that is not listed everything passes. ERR_INVALID,
// with a text that says what there is.
NODISCARD enum err known_check(struct str path, const struct params *p, struct err_ctx *ctx);
