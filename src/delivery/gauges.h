// SPDX-License-Identifier: Apache-2.0
// The DORA measures of each service in production over the last days, for those who scrape numbers.
// thread: as the db.
#pragma once

#include "base/mem.h"
#include "delivery/scope.h"

enum {
    GAUGES_DAYS = 30,
    GAUGES_SERVICES_MAX = 200, // more would be more series than a scraper expects of one program
    GAUGES_NAME_MAX = 256,     // bytes of a service's name
};

enum gauge {
    GAUGE_LEAD_TIME,
    GAUGE_FREQUENCY,
    GAUGE_FAILURE_RATE,
    GAUGE_RECOVERY_TIME,
    GAUGE_REWORK_RATE,
    GAUGE_COUNT
};
struct gauges_service {
    struct str name;
    uint64_t deployments;       // that the frequency counts
    double values[GAUGE_COUNT]; // NAN: not known; times in seconds (the median), frequencies per day
};
struct gauges {
    struct gauges_service *services; // by name
    uint32_t n;
    uint32_t left_out; // services: of too many those that deploy the least, and those of too long a name
    int64_t to;        // the window's end, ns since 1970; 0: nothing was read yet
};
// Reads each series once. Names lie in the arena; ERR_NOMEM when it is full.
NODISCARD enum err gauges_read(struct db *d, struct arena *a, int64_t now, unsigned failure_severity,
                               struct gauges *out);
