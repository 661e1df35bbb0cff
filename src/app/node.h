// SPDX-License-Identifier: Apache-2.0
// Answers in JSON as trees, read leniently: they are our own, and are printed for people. thread: any.
#pragma once

#include "base/document.h"

// Everything lives in the arena and borrows from the text. ERR_INVALID, ERR_NOMEM.
NODISCARD enum err node_parse(struct arena *a, struct str text, const struct doc_node **out);
// A member of an object, a path of them like "a.b"; NULL when it is not there.
const struct doc_node *node_at(const struct doc_node *n, const char *path);
struct str node_text(const struct doc_node *n, const char *path); // "" when it is not there
// Numbers, also those that are written as strings.
uint64_t node_u64(const struct doc_node *n, const char *path);
double node_f64(const struct doc_node *n, const char *path);
// A value as OTLP/JSON has it, as people read it; without control characters.
void node_print_any(const struct doc_node *value, struct buf *out);
bool node_true(const struct doc_node *n, const char *path);
