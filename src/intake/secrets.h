// SPDX-License-Identifier: Apache-2.0
// The secrets of hooks: a folder with a file per source ("github"), a secret a line, so that an old
// and a new one hold while one replaces the other. Read once, at start. thread: any, after reading.
#pragma once

#include "intake/intake.h"
#include "os/disk.h"

enum { SECRETS_PER_SOURCE = 8, SECRET_FILE_MAX = 64 << 10 };

struct secrets;

// dir: "" gives none. ERR_NOT_FOUND, ERR_INVALID (too many, an empty file, a file that names no
// source): ctx says which file.
NODISCARD enum err secrets_read(struct disk *d, struct str dir, struct secrets **out, struct err_ctx *ctx);
void secrets_free(struct secrets *s); // NULL is fine; wipes them
// Those of a source, 0 when there are none. s may be NULL.
unsigned secrets_of(const struct secrets *s, struct str source, const struct intake_secret **out);
