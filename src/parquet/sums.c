// SPDX-License-Identifier: Apache-2.0
#include "parquet/sums.h"

#include "parquet/page.h"

enum { SUM_DIGITS = 8 };

static void put_sum(uint32_t sum, char out[SUM_DIGITS]) {
    const uint8_t bytes[] = { (uint8_t)(sum >> 24), (uint8_t)(sum >> 16), (uint8_t)(sum >> 8), (uint8_t)sum };
    hex_encode(bytes, sizeof bytes, out);
}

static bool get_sum(struct str *text, uint32_t *out) {
    uint8_t b[4];
    if (text->len < SUM_DIGITS || !hex_decode(str_sub(*text, 0, SUM_DIGITS), b, sizeof b)) return false;
    *out = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    *text = str_sub(*text, SUM_DIGITS, SIZE_MAX);
    return true;
}

static void add_sum(struct buf *out, uint32_t sum) {
    char digits[SUM_DIGITS];
    put_sum(sum, digits);
    buf_add(out, digits, sizeof digits);
}

void sums_begin(struct buf *out) {
    buf_reset(out);
    buf_str(out, STR("00000000"));
}

void sums_add(struct buf *out, const struct pq_chunk_sums *s, bool bloom, bool bounds, bool places) {
    if (bloom) add_sum(out, s->bloom);
    if (bounds) add_sum(out, s->column_index);
    if (places) add_sum(out, s->offset_index);
}

// Of a footer in whose text the first digits are zeros.
static uint32_t footer_sum(const char *footer, size_t len, size_t at) {
    static const char zeros[SUM_DIGITS] = "00000000";
    uint32_t sum = page_crc(page_crc(0, footer, at), zeros, SUM_DIGITS);
    return page_crc(sum, footer + at + SUM_DIGITS, len - at - SUM_DIGITS);
}

void sums_seal(char *footer, size_t len, size_t at) {
    ASSERT(at + SUM_DIGITS <= len);
    put_sum(footer_sum(footer, len, at), footer + at);
}

bool sums_fit_footer(struct str footer, struct str text) {
    uint32_t sum;
    size_t at = (size_t)(text.ptr - footer.ptr);
    return get_sum(&text, &sum) && sum == footer_sum(footer.ptr, footer.len, at);
}

static bool read_chunk(struct str *text, struct pq_chunk_meta *m) {
    return (m->bloom.len == 0 || get_sum(text, &m->sums.bloom)) &&
           (m->column_index.len == 0 || get_sum(text, &m->sums.column_index)) &&
           (m->offset_index.len == 0 || get_sum(text, &m->sums.offset_index));
}

bool sums_read(struct str text, struct pq_row_group *groups, size_t n_groups, size_t n_columns) {
    uint32_t of_footer;
    if (!get_sum(&text, &of_footer)) return false;
    for (size_t g = 0; g < n_groups; g++)
        for (size_t i = 0; i < n_columns; i++)
            if (!read_chunk(&text, (struct pq_chunk_meta *)&groups[g].chunks[i])) return false;
    return text.len == 0;
}

bool sums_hold(const struct pq_reader *r, struct str bytes, uint32_t sum) {
    return !r->has_sums || page_crc(0, bytes.ptr, bytes.len) == sum;
}
