// SPDX-License-Identifier: Apache-2.0
#include "exec/bits.h"

#include "base/mem.h"
#include "base/test.h"

enum { N_MAX = 300, N_MANY = 300, WORDS = N_MAX / 64 + 2 };

struct sample {
    uint32_t codes[N_MAX];
    int64_t ints[N_MAX];
    uint8_t pass[8];
    uint32_t many_codes[N_MAX], n_many; // of a dictionary of n_many
    uint8_t many_pass[N_MANY];
};

static void make(struct sample *s) {
    for (int i = 0; i < N_MAX; i++) {
        s->codes[i] = (uint32_t)test_below(8);
        s->ints[i] = test_below(10) == 0 ? INT64_MIN : (int64_t)test_below(9) - 4;
    }
    for (int i = 0; i < 8; i++) s->pass[i] = (uint8_t)test_below(2);
    s->n_many = test_below(2) ? 256 : 1 + (uint32_t)test_below(N_MANY); // a register of bits, and its edges
    for (int i = 0; i < N_MAX; i++) s->many_codes[i] = (uint32_t)test_below(s->n_many);
    for (int i = 0; i < N_MANY; i++) s->many_pass[i] = (uint8_t)test_below(2);
}

// All rows, none, here and there some, or a stretch: whole words are passed over.
static const uint64_t *make_mask(uint64_t *mask) {
    uint32_t one_of = 1 + (uint32_t)test_below(100);
    memset(mask, 0, WORDS * sizeof *mask);
    if (test_below(4) == 0) return NULL;
    if (test_below(2)) bits_set_range(mask, (uint32_t)test_below(N_MAX), (uint32_t)test_below(N_MAX));
    for (uint32_t i = 0; i < N_MAX; i++)
        if (test_below(one_of) == 0) bit_set(mask, i);
    return mask;
}

TEST(bits_loops_agree_with_their_twins_and_with_single_values) {
    for (int round = 0; round < 800; round++) {
        struct sample s;
        uint64_t some[WORDS];
        make(&s);
        const uint64_t *mask = make_mask(some);
        uint32_t at = (uint32_t)test_below(70), n = (uint32_t)test_below(N_MAX - 80);
        int64_t min = (int64_t)test_below(9) - 5, max = (int64_t)test_below(9) - 4;
        if (test_below(8) == 0) min = INT64_MIN;
        if (test_below(8) == 0) max = INT64_MAX;
        for (int plain = 0; plain < 2; plain++) {
            uint64_t equal[WORDS] = { 0 }, pass[WORDS] = { 0 }, between[WORDS] = { 0 }, many[WORDS] = { 0 };
            bits_force_plain(plain);
            bits_codes_equal(equal, mask, at, s.codes, n, 3);
            bits_codes_pass(pass, mask, at, s.codes, n, s.pass, 8);
            bits_codes_pass(many, mask, at, s.many_codes, n, s.many_pass, s.n_many);
            bits_ints_between(between, mask, at, s.ints, n, min, max);
            for (uint32_t i = 0; i < N_MAX; i++) {
                bool in = i >= at && i - at < n && (!mask || bit_get(mask, i));
                CHECK(bit_get(equal, i) == (in && s.codes[i - at] == 3));
                CHECK(bit_get(pass, i) == (in && s.pass[s.codes[i - at]]));
                CHECK(bit_get(many, i) == (in && s.many_pass[s.many_codes[i - at]]));
                CHECK(bit_get(between, i) == (in && s.ints[i - at] >= min && s.ints[i - at] <= max));
            }
        }
    }
    bits_force_plain(false);
}

TEST(bits_places_are_those_that_are_set) {
    for (int round = 0; round < 400; round++) {
        uint64_t bits[WORDS] = { 0 };
        uint32_t places[N_MAX], n = (uint32_t)test_below(N_MAX), one_of = 1 + (uint32_t)test_below(200),
                                k = 0;
        for (uint32_t i = 0; i < n; i++)
            if (test_below(one_of) == 0) bit_set(bits, i);
        uint32_t found = bits_places(bits, n, places);
        for (uint32_t i = 0; i < n; i++)
            if (bit_get(bits, i)) CHECK(k < found && places[k++] == i);
        CHECK_U64(found, k);
    }
}

// Few rows of many are gathered first: more than are gathered at once, from masks that go on behind the end.
TEST(bits_few_of_many_are_found) {
    enum { N = 100000, WORDS_OF_N = N / 64 + 3, CODES = 1000 };
    uint32_t *codes = mem_alloc(N * sizeof *codes);
    uint64_t *mask = mem_alloc(WORDS_OF_N * 8), *got = mem_alloc(WORDS_OF_N * 8);
    uint8_t pass[CODES];
    CHECK(codes && mask && got);
    for (uint32_t i = 0; i < N; i++) codes[i] = (uint32_t)test_below(CODES);
    for (uint32_t i = 0; i < CODES; i++) pass[i] = (uint8_t)test_below(2);
    for (int round = 0; round < 40; round++) {
        uint32_t one_of = 33 + (uint32_t)test_below(60), at = 64 * (uint32_t)test_below(2);
        uint32_t n = N - 64 - (uint32_t)test_below(round % 2 ? 100 : N - 64);
        memset(mask, 0, WORDS_OF_N * 8);
        memset(got, 0, WORDS_OF_N * 8);
        for (uint32_t i = 0; i < N; i++)
            if (test_below(one_of) == 0) bit_set(mask, i);
        if (round % 4 == 0) bits_set_range(mask, at + n - n / 40, N); // many, one after the other
        bit_set(mask, at + n);                                        // the one behind the last
        pass[codes[n]] = 1;
        bits_codes_pass(got, mask, at, codes, n, pass, CODES);
        for (uint32_t i = 0; i < N; i++) {
            bool in = i >= at && i - at < n && bit_get(mask, i);
            CHECK(bit_get(got, i) == (in && pass[codes[i - at]]));
        }
    }
    mem_free(codes);
    mem_free(mask);
    mem_free(got);
}

TEST(bits_ranges_are_exact) {
    for (int round = 0; round < 2000; round++) {
        uint64_t bits[WORDS] = { 0 }, all[WORDS] = { 0 };
        uint32_t from = (uint32_t)test_below(N_MAX), to = (uint32_t)test_below(N_MAX + 1), n = 0;
        bits_set_range(bits, from, to);
        for (uint32_t i = 0; i < N_MAX; i++) {
            CHECK(bit_get(bits, i) == (i >= from && i < to));
            n += i >= from && i < to;
        }
        CHECK_U64(bits_count(bits, N_MAX), n);
        CHECK_U64(bits_count_range(bits, from, to), n);
        CHECK(bits_any_range(bits, from, to) == (n > 0));
        CHECK(!bits_any_range(bits, 0, from));
        CHECK(bits_next(bits, 0, N_MAX) == (n ? from : N_MAX));
        CHECK(bits_prev(bits, N_MAX) == (n ? to - 1 : BITS_NONE));
        CHECK(bits_prev(bits, to) == (n ? to - 1 : BITS_NONE));
        CHECK(bits_prev(bits, from) == BITS_NONE);
        CHECK(n == 0 || bits_prev(bits, from + 1) == from);
        bits_fill(all, N_MAX);
        CHECK_U64(bits_count(all, N_MAX), N_MAX);
        bits_and_not(all, bits, N_MAX);
        bits_not(bits, N_MAX);
        CHECK(memcmp(all, bits, bits_words(N_MAX) * 8) == 0);
    }
}
