// SPDX-License-Identifier: Apache-2.0
// Test-only: nothing that ships may include this.
//
// Whether two queries say the same: equal trees, without their places in the text.
#pragma once

#include "traceql/traceql.h"

bool ql_equal(const struct ql_query *a, const struct ql_query *b);
