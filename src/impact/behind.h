// SPDX-License-Identifier: Apache-2.0
// TraceQL that finds the traces behind a row of a report: what the row counted, and no more than it takes to
// tell that from what the spans that were read said besides. It looks at whole spans, not at when they began:
// that is the range of the search. thread: any.
#pragma once

#include "impact/callees.h"
#include "impact/impact.h"

// false: there is none (a flag's variants belong to traces, or too many environments were told); nothing is
// written then. The report says of each arm which versions it has (where).
bool behind_error(struct buf *b, const struct impact_report *r, const struct signature_seen *s, enum arm arm);
bool behind_call(struct buf *b, const struct impact_report *r, const struct callee_seen *s, enum arm arm);
