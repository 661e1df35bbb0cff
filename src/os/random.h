// SPDX-License-Identifier: Apache-2.0
// Random bytes of the kernel, good for ids and keys. thread: any.
#pragma once

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *dst, size_t n);
uint64_t random_u64(void);
