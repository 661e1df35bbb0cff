// SPDX-License-Identifier: Apache-2.0
// Alerting of Grafana: the shape of Alertmanager, with an organisation. Since version 12 it may sign.
#include "intake/hook.h"

static const struct signature_form forms[] = {
    { SIGNATURE_HEX, SIGNATURE_SHA256, "X-Grafana-Alerting-Signature", "", "X-Grafana-Alerting-Timestamp" },
    { .how = SIGNATURE_BEARER, .header = "Authorization" },
    { .how = SIGNATURE_TOKEN, .header = "X-Takt-Token" },
};

static enum err grafana_read(struct hook_in *in) {
    return alerts_read(in, "grafana");
}

const struct hook hook_grafana = { "grafana", HOOK_FORMS(forms), grafana_read };
