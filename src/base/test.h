// SPDX-License-Identifier: Apache-2.0
// The test harness: TEST(name) { … } registers itself; a folder's tests are one program.
//   build/asan/test/wal [--list] [--seed N] [PREFIX*] …   runs the tests whose names match; -PREFIX*
//                                                         leaves out
// Prints TAP, and the seed, so that a failing run can be repeated. Only *_test.c include this.
#pragma once

#include <stdio.h>

#include "base/str.h"

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};
void test_register(struct test *t);
_Noreturn void test_fail(const char *file, int line, const char *what);
_Noreturn void test_skip(const char *why); // counted and shown; CI refuses skips

#define TEST(id) \
    static void test_##id(void); \
    static struct test test_entry_##id = { #id, test_##id, NULL }; \
    __attribute__((constructor)) static void test_add_##id(void) { \
        test_register(&test_entry_##id); \
    } \
    static void test_##id(void)

#define CHECK(cond) \
    do { \
        if (!(cond)) test_fail(__FILE__, __LINE__, #cond); \
    } while (0)
#define CHECK_OK(call) CHECK((call) == ERR_OK)
#define CHECK_U64(a, b) test_u64((uint64_t)(a), (uint64_t)(b), __FILE__, __LINE__, #a " == " #b)
#define CHECK_STR(a, b) test_str((a), (b), __FILE__, __LINE__, #a " == " #b)
void test_u64(uint64_t got, uint64_t want, const char *file, int line, const char *what);
void test_str(struct str got, struct str want, const char *file, int line, const char *what);

// Deterministic randomness: seeded per test from --seed and the test's name.
uint64_t test_rand(void);
uint64_t test_below(uint64_t n); // uniform in [0, n), n > 0
double test_uniform(void);       // in (0, 1)

// A fresh directory of this test, removed after it passes. A NUL-terminated absolute path.
const char *test_dir(void);

// A copy of s in a heap block of exactly its size, so that ASan sees one byte too many. Freed
// after the test.
struct str test_exact(struct str s);
