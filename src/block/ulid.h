// SPDX-License-Identifier: Apache-2.0
// ULIDs: 48 bits of milliseconds and 80 random bits, as 26 characters that sort by time.
// Source: github.com/ulid/spec.
#pragma once

#include "base/str.h"

enum { ULID_LEN = 26 };
void ulid_make(uint64_t unix_ms, const uint8_t random[10], char out[ULID_LEN + 1]);
bool ulid_valid(struct str s);
