// SPDX-License-Identifier: Apache-2.0
// What an environment is for. The source's own word decides (tier), else its name, read as words:
// prod, production, prd, live. What is not known to be production is not production.
#pragma once

#include "base/str.h"

bool environment_is_production(struct str tier, struct str name);
