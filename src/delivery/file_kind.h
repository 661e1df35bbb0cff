// SPDX-License-Identifier: Apache-2.0
// What a file of a repository is for, by its path alone: the rules stand in file_kind.def. Pure. thread: any.
#pragma once

#include "base/str.h"

enum file_kind {
    FILE_CONFIG,     // what it reads when it runs
    FILE_DEPENDENCY, // names what is built in: a manifest, a lock
    FILE_MIGRATION,  // of a schema
    FILE_CODE,
    FILE_TEST,
    FILE_BUILD, // how it is built, checked and shipped
    FILE_DOCUMENT,
    FILE_OTHER,
    FILE_KIND_COUNT
};
const char *file_kind_text(enum file_kind k);
enum file_kind file_kind_of(struct str path);
