// SPDX-License-Identifier: Apache-2.0
// Single values out of what keeps them as protobuf: canonical resources and scopes, and the rests of
// rows. Of a key that occurs twice the first value counts; a pair without one value (see attr_kv) has
// none. What is given borrows from the bytes. thread: any.
#pragma once

#include "span/attrs.h"
#include "span/value.h"

struct value value_of_attr(const struct attr_value *v);

// Of the canonical bytes of a resource, or of a scope. NIL: it has no such key.
struct value entity_value(struct str entity, bool is_scope, struct str key);
void entity_keys(struct str entity, bool is_scope, void (*each)(void *ctx, struct str key), void *ctx);
// SCOPE_NAME or SCOPE_VERSION of a scope; "" where absent.
struct str scope_text(struct str entity, uint32_t field);

struct rest_hit {
    bool found;
    bool is_large;    // bytes are the hash of a value that is kept apart
    struct str bytes; // the AnyValue
};
// The attribute `key` in the rest of a row. ERR_CORRUPT: it is no message.
NODISCARD enum err rest_find(struct str rest, struct str key, struct rest_hit *out);
NODISCARD enum err rest_keys(struct str rest, void (*each)(void *ctx, struct str key), void *ctx);
// The field REST_NAME … of a rest: false: it has none.
bool rest_field(struct str rest, uint32_t field, struct str *out);
