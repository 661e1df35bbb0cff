// SPDX-License-Identifier: Apache-2.0
// Files as other writers make them: pages V1, encodings that we do not write, no page index. They are
// put together here byte by byte.
#include "base/test.h"
#include "parquet/bitpack.h"
#include "parquet/delta.h"
#include "parquet/footer.h"
#include "parquet/model_test.h"
#include "parquet/page.h"
#include "parquet/rle.h"
#include "parquet/thrift.h"

struct foreign {
    struct memory_file f;
    struct pq_column column;
    uint32_t n_rows, codec;
    uint64_t data_at, dict_at; // dict_at 0 = none
    struct arena arena;
    struct pq_reader *r;
    struct pq_decoder *d;
    struct pq_chunk c;
    struct err_ctx ctx;
    uint32_t wrong; // bits in the checksums of pages V1; other pages have none
};

static void foreign_init(struct foreign *t, enum pq_type type, bool optional) {
    memset(t, 0, sizeof *t);
    memory_file_init(&t->f);
    arena_init(&t->arena, 1 << 24, NULL);
    t->column = (struct pq_column){ .name = STR("c"), .type = type, .optional = optional };
    if (type == PQ_FIXED) t->column.fixed_len = 4;
    buf_str(&t->f.bytes, STR(PQ_MAGIC));
}

static void foreign_fini(struct foreign *t) {
    pq_reader_close(t->r);
    pq_decoder_free(t->d);
    arena_fini(&t->arena);
    memory_file_fini(&t->f);
}

static void add_dict(struct foreign *t, uint32_t n, struct str body) {
    t->dict_at = t->f.bytes.len;
    page_head_write(&t->f.bytes, &(struct page_head){ .kind = PAGE_DICT,
                                                      .bytes_plain = (uint32_t)body.len,
                                                      .bytes_stored = (uint32_t)body.len,
                                                      .n_values = n });
    buf_str(&t->f.bytes, body);
}

// A V1 page; present = a character per row, '1' has a value (NULL: all have, REQUIRED).
static void add_v1(struct foreign *t, uint32_t n_rows, const char *present, uint32_t encoding,
                   struct str values) {
    struct buf body;
    buf_init(&body, 1 << 20);
    if (present) {
        uint64_t bits[4] = { 0 };
        for (uint32_t i = 0; i < n_rows; i++) bits[i / 64] |= (uint64_t)(present[i] == '1') << i % 64;
        wr_u32le(&body, 0);
        rle_encode_bits(&body, bits, n_rows);
        uint32_t len = (uint32_t)body.len - 4;
        memcpy(body.ptr, &len, 4);
    }
    buf_str(&body, values);
    struct thrift_out out = { .buf = &t->f.bytes };
    if (!t->data_at) t->data_at = t->f.bytes.len;
    thrift_begin(&out);
    thrift_i32(&out, 1, PAGE_DATA);
    thrift_i32(&out, 2, (int32_t)body.len);
    thrift_i32(&out, 3, (int32_t)body.len);
    thrift_i32(&out, 4, (int32_t)(page_crc(0, body.ptr, body.len) ^ t->wrong));
    thrift_struct(&out, 5);
    thrift_i32(&out, 1, (int32_t)n_rows);
    thrift_i32(&out, 2, (int32_t)encoding);
    thrift_i32(&out, 3, FMT_RLE);
    thrift_i32(&out, 4, FMT_RLE);
    thrift_end(&out);
    thrift_end(&out);
    buf_str(&t->f.bytes, buf_view(&body));
    buf_fini(&body);
    t->n_rows += n_rows;
}

static void add_v2(struct foreign *t, uint32_t n_rows, uint32_t encoding, struct str values) {
    if (!t->data_at) t->data_at = t->f.bytes.len;
    page_head_write(&t->f.bytes, &(struct page_head){ .kind = PAGE_DATA_V2,
                                                      .bytes_plain = (uint32_t)values.len,
                                                      .bytes_stored = (uint32_t)values.len,
                                                      .n_values = n_rows,
                                                      .encoding = encoding });
    buf_str(&t->f.bytes, values);
    t->n_rows += n_rows;
}

static void put_element(struct thrift_out *t, const struct pq_column *c) {
    thrift_begin(t);
    thrift_i32(t, ELEM_TYPE, (int32_t)c->type);
    if (c->fixed_len) thrift_i32(t, ELEM_LENGTH, (int32_t)c->fixed_len);
    thrift_i32(t, ELEM_REPETITION, c->optional);
    thrift_binary(t, ELEM_NAME, c->name);
    thrift_end(t);
}

// The end of the file: the least that a footer may be.
static void add_footer(struct foreign *t) {
    struct buf *b = &t->f.bytes;
    uint64_t start = t->dict_at ? t->dict_at : t->data_at, end = b->len;
    struct thrift_out out = { .buf = b };
    thrift_begin(&out);
    thrift_i32(&out, FILE_VERSION, 1);
    thrift_list(&out, FILE_SCHEMA, THRIFT_STRUCT, 2);
    thrift_begin(&out);
    thrift_binary(&out, ELEM_NAME, STR("root"));
    thrift_i32(&out, ELEM_CHILDREN, 1);
    thrift_end(&out);
    put_element(&out, &t->column);
    thrift_i64(&out, FILE_ROWS, t->n_rows);
    thrift_list(&out, FILE_GROUPS, THRIFT_STRUCT, 1);
    thrift_begin(&out);
    thrift_list(&out, GROUP_COLUMNS, THRIFT_STRUCT, 1);
    thrift_begin(&out);
    thrift_i64(&out, CHUNK_OFFSET, 4);
    thrift_struct(&out, CHUNK_META);
    thrift_i32(&out, META_TYPE, (int32_t)t->column.type);
    thrift_list(&out, META_ENCODINGS, THRIFT_I32, 0);
    thrift_list(&out, META_PATH, THRIFT_BINARY, 1);
    thrift_item_binary(&out, t->column.name);
    thrift_i32(&out, META_CODEC, (int32_t)t->codec);
    thrift_i64(&out, META_VALUES, t->n_rows);
    thrift_i64(&out, META_PLAIN, (int64_t)(end - start));
    thrift_i64(&out, META_STORED, (int64_t)(end - start));
    thrift_i64(&out, META_DATA_AT, (int64_t)t->data_at);
    if (t->dict_at) thrift_i64(&out, META_DICT_AT, (int64_t)t->dict_at);
    thrift_end(&out);
    thrift_end(&out);
    thrift_i64(&out, GROUP_BYTES, (int64_t)(end - start));
    thrift_i64(&out, GROUP_ROWS, t->n_rows);
    thrift_end(&out);
    thrift_end(&out);
    wr_u32le(b, (uint32_t)(b->len - end));
    buf_str(b, STR(PQ_MAGIC));
}

static enum err foreign_open(struct foreign *t) {
    add_footer(t);
    struct pq_source s = memory_source(&t->f);
    TRY(pq_reader_open(&s, &(struct pq_reader_opts){ 0 }, &t->r, &t->ctx));
    t->d = pq_decoder_new(0);
    pq_chunk_open(t->r, 0, 0, t->d, &t->arena, &t->c);
    return ERR_OK;
}

// Every range of the chunk, as text: values with ',' behind each, '-' for a row without.
static void expect(struct foreign *t, const char *const *want) {
    CHECK_OK(foreign_open(t));
    for (uint32_t from = 0; from <= t->n_rows; from++)
        for (uint32_t to = from; to <= t->n_rows; to++) {
            struct pq_vector v;
            enum err e = pq_chunk_read(&t->c, from, to, &t->arena, &v);
            if (e) printf("# %s\n", pq_decoder_why(t->d));
            CHECK_OK(e);
            size_t k = 0;
            for (uint32_t row = from; row < to; row++) {
                bool has = k < v.n_values && (v.rows ? v.rows[k] == row - from : true);
                CHECK(has == (want[row] != NULL));
                if (!has) continue;
                struct str got = vector_bytes(&t->column, &v, k);
                if (t->column.type == PQ_INT32) {
                    int32_t number;
                    memcpy(&number, got.ptr, 4);
                    got = str_fmt(&t->arena, "%d", number);
                }
                if (t->column.type == PQ_BOOLEAN) got = got.ptr[0] ? STR("1") : STR("0");
                CHECK_STR(got, str_of(want[row]));
                k++;
            }
            CHECK_U64(k, v.n_values);
        }
    CHECK_OK(pq_validate(t->r, t->d, 1 << 20));
}

static struct str ints(struct foreign *t, const int32_t *v, size_t n) {
    return str_dup(&t->arena, (struct str){ (const char *)v, n * sizeof *v });
}

TEST(pages_v1_with_levels) {
    struct foreign t;
    const int32_t a[] = { 1, -2, 3 }, b[] = { 7 };
    foreign_init(&t, PQ_INT32, true);
    add_v1(&t, 5, "10101", FMT_PLAIN, ints(&t, (int32_t[]){ a[0], a[1], a[2] }, 3));
    add_v1(&t, 2, "00", FMT_PLAIN, STR(""));
    add_v1(&t, 1, "1", FMT_PLAIN, ints(&t, b, 1));
    expect(&t, (const char *const[]){ "1", NULL, "-2", NULL, "3", NULL, NULL, "7" });
    foreign_fini(&t);
}

TEST(a_wrong_checksum_is_found) {
    for (int bit = 0; bit < 32; bit++) {
        struct foreign t;
        struct pq_vector v;
        foreign_init(&t, PQ_INT32, true);
        t.wrong = 1u << bit;
        add_v1(&t, 2, "10", FMT_PLAIN, STR("abcd"));
        CHECK_OK(foreign_open(&t));
        CHECK(pq_chunk_read(&t.c, 0, 2, &t.arena, &v) == ERR_CORRUPT);
        CHECK_STR(str_of(pq_decoder_why(t.d)), STR("parquet: column c: the checksum of a page"));
        foreign_fini(&t);
    }
}

TEST(booleans_in_plain_bits) {
    struct foreign t;
    foreign_init(&t, PQ_BOOLEAN, false);
    add_v1(&t, 10, NULL, FMT_PLAIN, STR("\x05\x02"));
    expect(&t, (const char *const[]){ "1", "0", "1", "0", "0", "0", "0", "0", "0", "1" });
    foreign_fini(&t);
}

// A dictionary that grew too large for its writer: codes first, then values.
TEST(codes_then_values_then_codes) {
    for (int old = 0; old < 2; old++) {
        struct foreign t;
        foreign_init(&t, PQ_INT32, false);
        add_dict(&t, 3, ints(&t, (int32_t[]){ 100, 200, 300 }, 3));
        uint32_t encoding = old ? FMT_PLAIN_DICT : FMT_RLE_DICT;
        add_v1(&t, 4, NULL, encoding, STR("\x02\x03\x24\x00")); // 0 1 2 0, in two bits each
        add_v1(&t, 2, NULL, FMT_PLAIN, ints(&t, (int32_t[]){ 5, 6 }, 2));
        add_v1(&t, 3, NULL, encoding, STR("\x02\x06\x01")); // a run of three
        expect(&t, (const char *const[]){ "100", "200", "300", "100", "5", "6", "200", "200", "200" });
        foreign_fini(&t);
    }
}

TEST(prefixes_and_suffixes) {
    static const int32_t prefixes[] = { 0, 3, 4, 0, 0 }, suffixes[] = { 4, 1, 0, 2, 0 };
    struct buf b;
    buf_init(&b, 1 << 16);
    delta_encode_i32(&b, prefixes, 5);
    delta_encode_i32(&b, suffixes, 5);
    buf_str(&b, STR("abcdexy"));
    struct foreign t;
    foreign_init(&t, PQ_BYTE_ARRAY, false);
    add_v2(&t, 5, FMT_DELTA_BYTES, buf_view(&b));
    expect(&t, (const char *const[]){ "abcd", "abce", "abce", "xy", "" });
    foreign_fini(&t);
    foreign_init(&t, PQ_FIXED, false);
    b.len -= 2;
    delta_encode_i32((buf_reset(&b), &b), prefixes, 3);
    delta_encode_i32(&b, suffixes, 3);
    buf_str(&b, STR("abcde"));
    add_v1(&t, 3, NULL, FMT_DELTA_BYTES, buf_view(&b));
    expect(&t, (const char *const[]){ "abcd", "abce", "abce" });
    foreign_fini(&t);
    buf_fini(&b);
}

TEST(a_prefix_longer_than_the_value_before_is_refused) {
    static const int32_t prefixes[] = { 0, 5 }, suffixes[] = { 4, 1 };
    struct buf b;
    struct foreign t;
    struct pq_vector v;
    buf_init(&b, 1 << 16);
    delta_encode_i32(&b, prefixes, 2);
    delta_encode_i32(&b, suffixes, 2);
    buf_str(&b, STR("abcde"));
    foreign_init(&t, PQ_BYTE_ARRAY, false);
    add_v2(&t, 2, FMT_DELTA_BYTES, buf_view(&b));
    CHECK_OK(foreign_open(&t));
    CHECK(pq_chunk_read(&t.c, 0, 2, &t.arena, &v) == ERR_CORRUPT);
    foreign_fini(&t);
    buf_fini(&b);
}

TEST(what_is_not_supported_is_named) {
    struct foreign t;
    struct pq_vector v;
    foreign_init(&t, PQ_INT32, false);
    add_v1(&t, 1, NULL, FMT_SPLIT, STR("abcd"));
    CHECK_OK(foreign_open(&t));
    CHECK(pq_chunk_read(&t.c, 0, 1, &t.arena, &v) == ERR_UNSUPPORTED);
    CHECK_STR(str_of(pq_decoder_why(t.d)), STR("parquet: column c: BYTE_STREAM_SPLIT is not supported"));
    foreign_fini(&t);
    foreign_init(&t, PQ_INT32, false);
    t.codec = 1;
    add_v1(&t, 1, NULL, FMT_PLAIN, STR("abcd"));
    CHECK_OK(foreign_open(&t));
    CHECK(pq_chunk_read(&t.c, 0, 1, &t.arena, &v) == ERR_UNSUPPORTED);
    CHECK_STR(str_of(pq_decoder_why(t.d)), STR("parquet: column c: SNAPPY is not supported"));
    foreign_fini(&t);
    foreign_init(&t, (enum pq_type)3, false); // INT96
    add_v1(&t, 1, NULL, FMT_PLAIN, STR("abcdabcdabcd"));
    CHECK(foreign_open(&t) == ERR_UNSUPPORTED);
    CHECK_STR(str_of(t.ctx.text), STR("parquet: column c has physical type 3"));
    foreign_fini(&t);
}

// Pages that contradict what surrounds them.
TEST(wrong_pages_are_refused) {
    const struct {
        const char *why;
        uint32_t encoding;
        bool dict;
        struct str values;
    } cases[] = {
        { "a code past the dictionary", FMT_RLE_DICT, true, STR("\x02\x06\x03") },
        { "a run of a code wider than the width", FMT_RLE_DICT, true, STR("\x01\x06\x07") },
        { "codes without a dictionary", FMT_RLE_DICT, false, STR("\x02\x06\x01") },
        { "codes of 33 bits", FMT_RLE_DICT, true, STR("\x21\x06\x01\0\0\0\0") },
        { "no codes", FMT_RLE_DICT, true, STR("") },
        { "too few codes", FMT_RLE_DICT, true, STR("\x02\x04\x01") },
        { "too few values", FMT_PLAIN, false, STR("abcdefgh") },
        { "no deltas", FMT_DELTA, false, STR("") },
        { "too few deltas", FMT_DELTA, false, STR("\x80\x01\x04\x02\x02\x00\0\0\0\0") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct foreign t;
        struct pq_vector v;
        foreign_init(&t, PQ_INT32, false);
        if (cases[i].dict) add_dict(&t, 3, ints(&t, (int32_t[]){ 100, 200, 300 }, 3));
        add_v1(&t, 3, NULL, cases[i].encoding, cases[i].values);
        CHECK_OK(foreign_open(&t));
        enum err e = pq_chunk_read(&t.c, 0, 3, &t.arena, &v);
        if (e != ERR_CORRUPT) printf("# %s\n", cases[i].why);
        CHECK(e == ERR_CORRUPT);
        foreign_fini(&t);
    }
}
