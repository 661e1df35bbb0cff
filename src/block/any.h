// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: values of `:any` columns. Arrays, key-value lists, bytes and the empty value
// stand in a column as OTLP/JSON text ({"arrayValue":{"values":[…]}}), so that SQL can look into
// them. thread: any.
#pragma once

#include "span/attrs.h"

// The texts of the values of a dictionary of AnyValue messages, by id: all memory is the arena's.
// ptr = NULL: not for a column, since the text would not give back the same bytes (payloads of NaN,
// text that is not UTF-8, fields that nobody knows), or is over LARGE_VALUE_BYTES.
NODISCARD enum err any_texts(const struct dict *d, struct arena *a, const struct str **out);
// The AnyValue message of such a text. ERR_CORRUPT when it is none.
NODISCARD enum err any_read(struct str text, struct arena *a, struct str *out);
