// SPDX-License-Identifier: Apache-2.0
#include "block/file.h"

#include <stdio.h>

void block_prefix(char out[BLOCK_KEY_MAX], struct str tenant, const char *id) {
    (void)snprintf(out, BLOCK_KEY_MAX, "blocks/%.*s/%s/", STR_ARG(tenant), id);
}

void block_key(char out[BLOCK_KEY_MAX], struct str tenant, const char *id, const char *file) {
    (void)snprintf(out, BLOCK_KEY_MAX, "blocks/%.*s/%s/%s.parquet", STR_ARG(tenant), id, file);
}

static enum err sink_write(void *ctx, const void *p, size_t n) {
    struct out_file *f = ctx;
    f->bytes += n;
    return f->store->ops->write(f->object, p, n);
}

enum err out_file_open(struct out_file *f, struct object_store *store, const char *key,
                       const struct pq_column *columns, const struct pq_column_opts *opts, size_t n_columns,
                       struct str version) {
    *f = (struct out_file){ .store = store };
    TRY(store->ops->create(store, str_of(key), &f->object));
    struct pq_writer_opts o = { .sink = { sink_write, f },
                                .columns = columns,
                                .opts = opts,
                                .n_columns = n_columns,
                                .version = version };
    enum err e = pq_writer_new(&o, &f->pq);
    if (e != ERR_OK) out_file_abort(f);
    return e;
}

enum err out_file_finish(struct out_file *f) {
    enum err e = pq_writer_finish(f->pq);
    if (e != ERR_OK) return e;
    pq_writer_free(TAKE(f->pq));
    return f->store->ops->finish(TAKE(f->object));
}

void out_file_abort(struct out_file *f) {
    pq_writer_free(TAKE(f->pq));
    if (f->object) f->store->ops->abort(TAKE(f->object));
}

struct pq_column attr_column_def(struct str name, enum attr_type type) {
    static const struct {
        enum pq_type type;
        enum pq_logical logical;
    } defs[ATTR_TYPE_COUNT] = { [ATTR_STRING] = { PQ_BYTE_ARRAY, PQ_STRING },
                                [ATTR_INT] = { PQ_INT64, PQ_PLAIN_TYPE },
                                [ATTR_FLOAT] = { PQ_DOUBLE, PQ_PLAIN_TYPE },
                                [ATTR_BOOL] = { PQ_BOOLEAN, PQ_PLAIN_TYPE },
                                [ATTR_ANY] = { PQ_BYTE_ARRAY, PQ_STRING } };
    return (struct pq_column){ name, defs[type].type, 0, defs[type].logical, true };
}
