// SPDX-License-Identifier: Apache-2.0
// The answer to compare() as a table for terminals: values of fields, those first whose shares of the
// selection and of the rest differ most. thread: any.
#pragma once

#include "base/document.h"

// series: of an answer to a query of metrics, NULL = none. top: how many values of a field each side may
// give. ERR_NOMEM.
NODISCARD enum err comparison_print(struct arena *a, const struct doc_node *series, uint32_t top,
                                    struct buf *out);
