// SPDX-License-Identifier: Apache-2.0
#include "delivery/scoped.h"

#include "delivery/failure.h"

enum err scoped_run(struct db *d, const char *const *texts, size_t n, struct str service,
                    struct str environment) {
    for (size_t i = 0; i < n; i++) {
        struct db_row *r;
        TRY(db_prepare(d, texts[i], &r));
        int values = db_values(r);
        if (values >= 1) db_bind_text(r, 1, service);
        if (values >= 2) db_bind_text(r, 2, environment);
        if (values >= 3) db_bind_i64(r, 3, FAILURE_WINDOW_NS);
        TRY(db_done(r));
    }
    return ERR_OK;
}
