// SPDX-License-Identifier: Apache-2.0
// What lies inside CloudEvents. Private to hook_events.c, hook_cdevents.c and hook_plain.c.
#pragma once

#include "intake/hook.h"

// A CDEvent of 0.4 or 0.5 becomes an event.
void cdevent_read(struct hook_in *in, struct str id, struct str type, struct doc d);

// Claims of the newest event from an object of fact.def's field names. `id` is that of the event.
void plain_read(struct hook_in *in, enum fact_kind kind, struct str id, int64_t time, struct doc d);
