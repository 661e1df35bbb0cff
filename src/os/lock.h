// SPDX-License-Identifier: Apache-2.0
// One process at a time in a data directory: an flock(2) on "<dir>/lock", which holds the pid of
// the owner as text. The kernel lets go of it when the process ends, however it ends; the file
// itself stays (to remove it would let two processes lock two files of one name). thread: any.
#pragma once

#include "base/err.h"

struct lock;

// ERR_EXISTS when another process (or another struct lock of this one) holds it; then *out_pid is
// the pid of the holder, 0 if it cannot be read. ERR_NOT_FOUND without the directory, ERR_IO.
NODISCARD enum err lock_take(const char *dir, struct lock **out, int64_t *out_pid);
void lock_release(struct lock *l); // NULL is fine
