// SPDX-License-Identifier: Apache-2.0
// Writers of OTLP attributes: a KeyValue as field `field` of whatever is being written.
#pragma once

#include "base/pb.h"

// Fields that hold attributes.
enum { ATTR_RESOURCE = 1, ATTR_EVENT = 3, ATTR_LINK = 4, ATTR_SPAN = 9 };

void attr_str(struct buf *b, uint32_t field, const char *key, struct str value);
void attr_int(struct buf *b, uint32_t field, const char *key, uint64_t value);
void attr_bool(struct buf *b, uint32_t field, const char *key, bool value);
void attr_double(struct buf *b, uint32_t field, const char *key, double value);
void attr_fmt(struct buf *b, uint32_t field, const char *key, const char *fmt, ...) PRINTF_LIKE(4, 5);
