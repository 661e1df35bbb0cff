// SPDX-License-Identifier: Apache-2.0
#include "exec/bits.h"

#include <immintrin.h>
#include <string.h>

#include "base/mem.h"

static int plain_forced; // tests only

void bits_force_plain(bool plain) {
    plain_forced = plain;
}

static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && !plain_forced;
}

// --- whole bitmaps ---------------------------------------------------------------------------------

void bits_fill(uint64_t *bits, uint32_t n) {
    memset(bits, 0xff, n / 64 * 8);
    if (n % 64) bits[n / 64] = (1ull << (n % 64)) - 1;
}

// Calls for each word that overlaps [from, to), with the mask of the bits inside.
#define EACH_WORD(from, to, word, mask) \
    for (uint32_t word = (from) / 64, end_ = ((to) + 63) / 64, once_ = 1; word < end_; word++, once_ = 1) \
        for (uint64_t mask = (word == (from) / 64 ? ~0ull << ((from) % 64) : ~0ull) & \
                             ((word + 1) * 64ull > (to) ? ~0ull >> ((64 - (to) % 64) % 64) : ~0ull); \
             once_; once_ = 0)

void bits_set_range(uint64_t *bits, uint32_t from, uint32_t to) {
    if (from >= to) return;
    EACH_WORD(from, to, w, mask) bits[w] |= mask;
}

bool bits_any(const uint64_t *bits, uint32_t n) {
    size_t words = bits_words(n);
    for (size_t i = 0; i < words; i++)
        if (bits[i]) return true;
    return false;
}

bool bits_any_range(const uint64_t *bits, uint32_t from, uint32_t to) {
    if (from >= to) return false;
    EACH_WORD(from, to, w, mask) if (bits[w] & mask) return true;
    return false;
}

// Bitmaps of a row group are thousands of words.
#define UNROLLED _Pragma("GCC unroll 8")

uint64_t bits_count(const uint64_t *bits, uint32_t n) {
    uint64_t sum = 0;
    size_t words = bits_words(n);
    UNROLLED
    for (size_t i = 0; i < words; i++) sum += (uint64_t)__builtin_popcountll(bits[i]);
    return sum;
}

uint64_t bits_count_range(const uint64_t *bits, uint32_t from, uint32_t to) {
    uint64_t sum = 0;
    if (from >= to) return 0;
    EACH_WORD(from, to, w, mask) sum += (uint64_t)__builtin_popcountll(bits[w] & mask);
    return sum;
}

void bits_and(uint64_t *a, const uint64_t *b, uint32_t n) {
    size_t words = bits_words(n);
    UNROLLED
    for (size_t i = 0; i < words; i++) a[i] &= b[i];
}

void bits_and_not(uint64_t *a, const uint64_t *b, uint32_t n) {
    size_t words = bits_words(n);
    for (size_t i = 0; i < words; i++) a[i] &= ~b[i];
}

void bits_or(uint64_t *a, const uint64_t *b, uint32_t n) {
    size_t words = bits_words(n);
    for (size_t i = 0; i < words; i++) a[i] |= b[i];
}

void bits_not(uint64_t *a, uint32_t n) {
    size_t words = bits_words(n);
    for (size_t i = 0; i < words; i++) a[i] = ~a[i];
    if (n % 64) a[words - 1] &= (1ull << (n % 64)) - 1;
}

uint32_t bits_next(const uint64_t *bits, uint32_t from, uint32_t n) {
    if (from >= n) return n;
    uint32_t w = from / 64;
    uint64_t word = bits[w] & ~0ull << (from % 64);
    while (!word) {
        if (++w >= bits_words(n)) return n;
        word = bits[w];
    }
    return w * 64 + (uint32_t)__builtin_ctzll(word);
}

static inline uint32_t *places_of(uint64_t word, size_t w, uint32_t *out) {
    for (; word; word &= word - 1) *out++ = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(word);
    return out;
}

uint32_t bits_places(const uint64_t *bits, uint32_t n, uint32_t *out) {
    size_t words = bits_words(n), w = 0;
    uint32_t *end = out;
    for (; w + 4 <= words; w += 4) // few are set
        if (bits[w] | bits[w + 1] | bits[w + 2] | bits[w + 3])
            for (size_t i = w; i < w + 4; i++) end = places_of(bits[i], i, end);
    for (; w < words; w++) end = places_of(bits[w], w, end);
    return (uint32_t)(end - out);
}

uint32_t bits_prev(const uint64_t *bits, uint32_t to) {
    if (to == 0) return BITS_NONE;
    uint32_t w = (to - 1) / 64;
    uint64_t word = bits[w] & ~0ull >> (63 - (to - 1) % 64);
    while (!word) {
        if (w == 0) return BITS_NONE;
        word = bits[--w];
    }
    return w * 64 + 63 - (uint32_t)__builtin_clzll(word);
}

// --- loops over values -----------------------------------------------------------------------------

// Ors 64 bits in at any place.
static inline void or_word(uint64_t *bits, uint32_t at, uint64_t word) {
    bits[at / 64] |= word << (at % 64);
    if (at % 64 && word >> (64 - at % 64)) bits[at / 64 + 1] |= word >> (64 - at % 64);
}

// The bits of up to 64 values from `at` on that are asked for.
static inline uint64_t mask_word(const uint64_t *mask, uint32_t at, uint32_t n) {
    uint64_t some = n < 64 ? ((uint64_t)1 << n) - 1 : UINT64_MAX;
    if (!mask) return some;
    uint64_t word = mask[at / 64] >> (at % 64);
    if (at % 64 && n > 64 - at % 64) word |= mask[at / 64 + 1] << (64 - at % 64);
    return word & some;
}

// What the plain twins share: `passes` says it of value k.
#define EACH_PLAIN(bits, mask, at, n, k, passes) \
    for (uint32_t i_ = 0; i_ < (n); i_ += 64) { \
        uint64_t word_ = 0, left_ = mask_word((mask), (at) + i_, (n)-i_); \
        for (; left_; left_ &= left_ - 1) { \
            uint32_t bit_ = (uint32_t)__builtin_ctzll(left_), k = i_ + bit_; \
            word_ |= (uint64_t)(passes) << bit_; \
        } \
        if (word_) or_word((bits), (at) + i_, word_); \
    }

static void codes_equal_plain(uint64_t *bits, const uint64_t *mask, uint32_t at, const uint32_t *codes,
                              uint32_t n, uint32_t code) {
    EACH_PLAIN(bits, mask, at, n, k, codes[k] == code)
}

__attribute__((target("avx2"))) static inline __m256i load_8(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}

// Mostly none of 64 is the one: that is seen first.
__attribute__((target("avx2"))) static uint32_t codes_equal_avx2(uint64_t *bits, const uint64_t *mask,
                                                                 uint32_t at, const uint32_t *codes,
                                                                 uint32_t n, uint32_t code) {
    __m256i want = _mm256_set1_epi32((int)code);
    uint32_t i = 0;
    for (; i + 64 <= n; i += 64) {
        uint64_t asked = mask_word(mask, at + i, 64), word = 0;
        if (!asked) continue;
        __m256i any = _mm256_setzero_si256();
#pragma GCC unroll 8
        for (unsigned k = 0; k < 64; k += 8)
            any = _mm256_or_si256(any, _mm256_cmpeq_epi32(want, load_8(codes + i + k)));
        if (_mm256_testz_si256(any, any)) continue;
#pragma GCC unroll 8
        for (unsigned k = 0; k < 64; k += 8) {
            __m256i same = _mm256_cmpeq_epi32(want, load_8(codes + i + k));
            word |= (uint64_t)(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(same)) << k;
        }
        if (word & asked) or_word(bits, at + i, word & asked);
    }
    return i;
}

void bits_codes_equal(uint64_t *bits, const uint64_t *mask, uint32_t at, const uint32_t *codes, uint32_t n,
                      uint32_t code) {
    uint32_t done = has_avx2() ? codes_equal_avx2(bits, mask, at, codes, n, code) : 0;
    codes_equal_plain(bits, mask, at + done, codes + done, n - done, code);
}

// Where few rows are asked for, each costs a look at memory that is not in the CPU's cache: those further on
// are fetched meanwhile.
enum { SPARSE = 32, FETCH_AHEAD = 16, AT_ONCE = 1024 };

static bool is_sparse(const uint64_t *mask, uint32_t at, uint32_t n) {
    return mask && at % 64 == 0 && bits_count(mask + at / 64, n) * SPARSE < n;
}

// The rows that are asked for from *from on, at most AT_ONCE and those of a word; returns how many.
static uint32_t take_rows(const uint64_t *mask, uint32_t *from, uint32_t n, uint32_t *rows) {
    uint32_t k = 0, i = *from;
    for (; i < n && k < AT_ONCE; i += 64)
        for (uint64_t left = mask[i / 64]; left; left &= left - 1)
            rows[k++] = i + (uint32_t)__builtin_ctzll(left);
    while (k && rows[k - 1] >= n) k--;
    *from = i;
    return k;
}

static void codes_pass_sparse(uint64_t *bits, const uint64_t *mask, uint32_t at, const uint32_t *codes,
                              uint32_t n, const uint8_t *pass) {
    uint32_t rows[AT_ONCE + 64];
    for (uint32_t from = 0; from < n;) {
        uint32_t k = take_rows(mask + at / 64, &from, n, rows);
        for (uint32_t i = 0; i < k; i++) {
            if (i + FETCH_AHEAD < k) mem_fetch(codes + rows[i + FETCH_AHEAD]);
            if (pass[codes[rows[i]]]) bit_set(bits, at + rows[i]);
        }
    }
}

static void codes_pass_plain(uint64_t *bits, const uint64_t *mask, uint32_t at, const uint32_t *codes,
                             uint32_t n, const uint8_t *pass) {
    EACH_PLAIN(bits, mask, at, n, k, pass[codes[k]])
}

enum { PASS_MAX = 256 }; // bits of a register

// What passes is one register of bits: a code's upper bits choose the word, its lower five the bit.
__attribute__((target("avx2"))) static uint32_t codes_pass_avx2(uint64_t *bits, const uint64_t *mask,
                                                                uint32_t at, const uint32_t *codes,
                                                                uint32_t n, const uint8_t *pass,
                                                                uint32_t n_pass) {
    uint32_t table[PASS_MAX / 32] = { 0 }, i = 0;
    for (uint32_t k = 0; k < n_pass; k++) table[k / 32] |= (uint32_t)pass[k] << (k % 32);
    __m256i all = load_8(table), low = _mm256_set1_epi32(31);
    for (; i + 64 <= n; i += 64) {
        uint64_t asked = mask_word(mask, at + i, 64), word = 0;
        if (!asked) continue;
#pragma GCC unroll 8
        for (unsigned k = 0; k < 64; k += 8) {
            __m256i v = load_8(codes + i + k);
            __m256i of = _mm256_permutevar8x32_epi32(all, _mm256_srli_epi32(v, 5));
            // The bit becomes the sign, which is what movemask gathers.
            __m256i bit = _mm256_sllv_epi32(of, _mm256_andnot_si256(v, low));
            word |= (uint64_t)(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(bit)) << k;
        }
        if (word & asked) or_word(bits, at + i, word & asked);
    }
    return i;
}

void bits_codes_pass(uint64_t *bits, const uint64_t *mask, uint32_t at, const uint32_t *codes, uint32_t n,
                     const uint8_t *pass, uint32_t n_pass) {
    if (is_sparse(mask, at, n)) {
        codes_pass_sparse(bits, mask, at, codes, n, pass);
        return;
    }
    bool fits = n_pass <= PASS_MAX && has_avx2();
    uint32_t done = fits ? codes_pass_avx2(bits, mask, at, codes, n, pass, n_pass) : 0;
    codes_pass_plain(bits, mask, at + done, codes + done, n - done, pass);
}

static void ints_between_plain(uint64_t *bits, const uint64_t *mask, uint32_t at, const int64_t *v,
                               uint32_t n, int64_t min, int64_t max) {
    EACH_PLAIN(bits, mask, at, n, k, v[k] >= min && v[k] <= max)
}

// Moved so that min is the least of all numbers, the ones inside are those up to max, moved as well.
__attribute__((target("avx2"))) static uint32_t ints_between_avx2(uint64_t *bits, const uint64_t *mask,
                                                                  uint32_t at, const int64_t *v, uint32_t n,
                                                                  int64_t min, int64_t max) {
    uint64_t move = (uint64_t)INT64_MIN - (uint64_t)min;
    __m256i moved = _mm256_set1_epi64x((int64_t)move);
    __m256i high = _mm256_set1_epi64x((int64_t)((uint64_t)max + move));
    uint32_t i = 0;
    for (; i + 64 <= n; i += 64) {
        uint64_t asked = mask_word(mask, at + i, 64), out = 0; // those that are outside
        if (!asked) continue;
        __m256i all = _mm256_set1_epi64x(-1);
#pragma GCC unroll 16
        for (unsigned k = 0; k < 64; k += 4)
            all = _mm256_and_si256(all, _mm256_cmpgt_epi64(_mm256_add_epi64(moved, load_8(v + i + k)), high));
        if (_mm256_movemask_epi8(all) == -1) continue; // mostly
#pragma GCC unroll 16
        for (unsigned k = 0; k < 64; k += 4) {
            __m256i bad = _mm256_cmpgt_epi64(_mm256_add_epi64(moved, load_8(v + i + k)), high);
            out |= (uint64_t)(unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(bad)) << k;
        }
        if (~out & asked) or_word(bits, at + i, ~out & asked);
    }
    return i;
}

void bits_ints_between(uint64_t *bits, const uint64_t *mask, uint32_t at, const int64_t *v, uint32_t n,
                       int64_t min, int64_t max) {
    if (min > max) return;
    uint32_t done = has_avx2() ? ints_between_avx2(bits, mask, at, v, n, min, max) : 0;
    ints_between_plain(bits, mask, at + done, v + done, n - done, min, max);
}
