// SPDX-License-Identifier: Apache-2.0
// A YAML file as the tree of base/document.h, with the line of every value. Of YAML only mappings,
// lists, plain and quoted scalars are allowed: anchors, aliases, tags and several documents would make a
// file mean more than a reader sees. A key that comes twice is an error. A plain scalar is a number, true,
// false or null (also ~ and nothing) when it reads so in JSON, else a string. thread: any.
#pragma once

#include "base/document.h"

enum { YAML_BYTES_MAX = 4 << 20, YAML_DEPTH_MAX = 32, YAML_KEYS_MAX = 10000 };

// file: for messages ("services.yaml:12: …"), must outlive *out; NULL: "the text". Everything lies in the
// arena. An empty text is an empty object. ERR_INVALID and ERR_LIMIT with ctx->text and ctx->line;
// ERR_NOMEM.
NODISCARD enum err yaml_read(struct str text, const char *file, struct arena *a, struct document *out,
                             struct err_ctx *ctx);
// The same with a limit of the caller's on the number of values.
NODISCARD enum err yaml_read_upto(struct str text, uint32_t max_values, const char *file, struct arena *a,
                                  struct document *out, struct err_ctx *ctx);
