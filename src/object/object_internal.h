// SPDX-License-Identifier: Apache-2.0
// The form of keys, shared by the backends.
#pragma once

#include "object/object.h"

bool object_key_ok(struct str key);
// The beginning of a key, which may be "" and may end anywhere.
bool object_prefix_ok(struct str prefix);
