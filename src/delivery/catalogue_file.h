// SPDX-License-Identifier: Apache-2.0
// The catalogue from a file: read at start and whenever it changes. thread: any.
#pragma once

#include "delivery/catalogue_store.h"
#include "delivery/delivery.h"
#include "os/disk.h"

// Reads a file. Errors as catalogue_read_yaml, and when it cannot be opened; ctx->text is a whole message.
NODISCARD enum err catalogue_file_read(struct disk *k, const char *path, struct arena *a,
                                       struct catalogue *out, struct err_ctx *ctx);
// The same, and keeps it. path empty: there is no file any more. When the file is wrong, the catalogue stays
// as it was, and the message is kept beside it.
NODISCARD enum err catalogue_file_load(struct delivery *d, struct disk *k, const char *path,
                                       struct err_ctx *ctx);
