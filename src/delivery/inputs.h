// SPDX-License-Identifier: Apache-2.0
// What measures are asked of beside series and incidents: the flows of the repositories that the
// scope's services ship, and its canaries and flags. Private to scope.c.
#pragma once

#include "delivery/scope.h"

NODISCARD enum err inputs_each(struct db *d, const struct scope *s, const struct scope_visit *visit);
