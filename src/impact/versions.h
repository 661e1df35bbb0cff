// SPDX-License-Identifier: Apache-2.0
// Versions in traffic against versions that were reported: which serve though nobody told of them, and which
// were rolled out and never served. thread: any.
#pragma once

#include "delivery/delivery.h"
#include "impact/impact.h"

// {service, from, to, versions: […], unserved: […]}, as docs/openapi.json has it.
NODISCARD enum err impact_put_versions(struct delivery *d, const struct impact_source *src,
                                       const struct impact_of *of, struct impact_window w,
                                       struct json_writer *out, struct err_ctx *ctx);
