// SPDX-License-Identifier: Apache-2.0
// Inside `api` only: who may ask, told by what browsers cannot be made to leave out. thread: any.
#pragma once

#include "net/net.h"

struct api;

// A host, with or without a port, that leads to this machine and that nobody else can point elsewhere:
// localhost, [::1], 127.x.y.z.
bool guard_is_loopback(struct str host);
// Is the host, but for its port, one of the names? "*" is any.
bool guard_is_named(struct str host, const struct str *names, uint32_t n);
// A web page asks, by what its browser says of where the page is from.
bool guard_is_same_origin(const struct net_request *rq);

// Where only this machine can ask, browsers are led here by any name that a page's author likes, and the
// page may then read: such names are refused, 403, unless http.hosts has them. false: answered.
bool guard_host(const struct api *a, struct net_request *rq);
// No page, or one of this server's: else 403. false: answered.
bool guard_own_page(struct net_request *rq);
