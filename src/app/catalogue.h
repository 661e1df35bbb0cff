// SPDX-License-Identifier: Apache-2.0
// The server's catalogue file: read at start, again when it changes, and on SIGHUP. thread: main.
#pragma once

#include "app/app.h"
#include "delivery/delivery.h"

struct catalogue_watch;
// path "": none; what a file said earlier stays, and belongs to the API. Errors as catalogue_file_load.
// *out may be NULL without an error. path must live as long.
NODISCARD enum err catalogue_watch_start(struct delivery *d, const char *path, struct catalogue_watch **out,
                                         struct err_ctx *ctx);
void catalogue_watch_stop(struct catalogue_watch *w); // NULL is fine
