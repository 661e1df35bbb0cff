// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_parts.h"
#include "delivery/git_wire.h"
#include "vcs/sha.h"

static enum err put_shas(struct db *db, struct str repository, const struct sha *after,
                         struct json_writer *w) {
    char hex[SHA_HEX];
    uint32_t n = 0;
    struct db_row *r;
    TRY(db_prepare(
        db,
        "SELECT sha FROM git_commit WHERE repo = (SELECT id FROM git_repo WHERE name = ?1) AND sha > ?2"
        " ORDER BY sha LIMIT ?3",
        &r));
    db_bind_text(r, 1, repository);
    db_bind_blob(r, 2, after ? (struct str){ (const char *)after->byte, SHA_BYTES } : STR(""));
    db_bind_i64(r, 3, GIT_WIRE_KNOWN_MAX);
    jw_object(w);
    put_text(w, "repository", repository);
    jw_key(w, STR("commits"));
    jw_array(w);
    for (bool row;; n++) {
        TRY(db_step(r, &row));
        if (!row) break;
        struct str sha = db_text(r, 0);
        if (sha.len != SHA_BYTES) {
            db_reset(r);
            return ERR_CORRUPT;
        }
        hex_encode(sha.ptr, SHA_BYTES, hex);
        jw_str(w, (struct str){ hex, SHA_HEX });
    }
    jw_array_end(w);
    if (n == GIT_WIRE_KNOWN_MAX) put_text(w, "next", (struct str){ hex, SHA_HEX });
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_history(struct delivery *d, struct str repository, struct str after, struct json_writer *w,
                        struct err_ctx *ctx) {
    struct db *db;
    struct sha from;
    if (after.len && !sha_parse(after, &from))
        return err_set(ctx, ERR_INVALID, "after: expected 40 hex digits");
    TRY(delivery_reader(d, &db));
    enum err e = failed_read(db, put_shas(db, repository, after.len ? &from : NULL, w), ctx);
    delivery_reader_done(d, db);
    return e;
}
