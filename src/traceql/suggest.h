// SPDX-License-Identifier: Apache-2.0
// Inside `traceql` only: what was probably meant. thread: any.
#pragma once

#include "base/str.h"

// s, cut to a length that fits into messages, at the end of a character.
struct str quote_cut(struct str s);

// The word of the list (words with spaces between) that is nearest to s, if it is near: few letters
// added, left out, changed or swapped, or others in case only. "": none is.
struct str suggest(struct str s, const char *words);
