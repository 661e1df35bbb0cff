// SPDX-License-Identifier: Apache-2.0
// The case files of the language, tests/cases/traceql: a query of one or more lines, then a line of what is
// wanted behind a mark. Lines with # between cases are comments.
#pragma once

#include "base/str.h"

// A file whole, into room of that size. From the root of the repository.
struct str case_file_read(const char *name, char *room, size_t size);
// The next case. want: what stands behind the mark and a space. false: there is none; fails where a query has
// no line of the mark.
bool case_file_next(struct str *text, char mark, struct str *query, struct str *want);
