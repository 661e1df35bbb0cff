// SPDX-License-Identifier: Apache-2.0
#include "delivery/environment.h"

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool says_production(struct str word) {
    static const char *const words[] = { "prod", "production", "prd", "live" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(word, str_of(words[i]))) return true;
    return false;
}

static bool denies_production(struct str word) { // pre-prod, non_production
    static const char *const words[] = { "pre", "non", "no", "not", "test", "staging", "preprod", "nonprod" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(word, str_of(words[i]))) return true;
    return false;
}

bool environment_is_production(struct str tier, struct str name) {
    if (tier.len) return str_eq_nocase(tier, STR("production"));
    bool says = false;
    for (size_t i = 0; i < name.len;) {
        size_t end = i;
        while (end < name.len && is_word(name.ptr[end])) end++;
        struct str word = str_sub(name, i, end - i);
        if (denies_production(word)) return false;
        says |= says_production(word);
        i = end + 1;
    }
    return says;
}
