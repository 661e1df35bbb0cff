// SPDX-License-Identifier: Apache-2.0
// What a rollout hid from traces, in SQL over the table impact: routes of the version before that it no
// longer serves, spans that its requests no longer hold; and whether that could be told at all.
#pragma once

#define HIDDEN_ANY "(routes_lost > 0 OR ifnull(spans_lost, 0) > 0)"
#define HIDDEN_CAN_TELL "(routes_testable > 0 OR spans_lost NOTNULL)"
