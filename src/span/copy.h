// SPDX-License-Identifier: Apache-2.0
// Copies rows from one span table to another. thread: a reader of the source, the writer of the
// destination.
#pragma once

#include "span/table.h"

struct span_copier;
// Both tables outlive the copier.
NODISCARD enum err span_copier_new(const struct span_table *src, struct span_table *dst,
                                   struct span_copier **out);
void span_copier_free(struct span_copier *c);
NODISCARD enum err span_copy(struct span_copier *c, uint32_t row);
