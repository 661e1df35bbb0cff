// SPDX-License-Identifier: Apache-2.0
// Questions about delivery, as the commands put them. thread: main.
#pragma once

#include "api/delivery.h"
#include "app/question.h"

void put_day(struct buf *b, uint64_t ns); // "2026-01-31 12:00"
// The value that the member called key of a measure is, with "/ day" where it is that.
void put_value_of(struct buf *b, const struct doc_node *m, const char *key);
// The ids of figures, each on a line, for takt why: the members called key of those that have a member called
// shown.
void put_figures(struct buf *out, const struct doc_node *measures, const char *key, const char *shown);
// With the flags of a scope and window; path: below /api/takt/.
struct question delivery_question(const char *command, const char *path, enum delivery_question what,
                                  question_print *people);
