// SPDX-License-Identifier: Apache-2.0
// The types of settings: from text to a value and back.
#include <stdio.h>

#include "base/json.h"
#include "config/config_internal.h"

struct unit {
    const char *name;
    uint64_t factor;
};

// In the order in which a value is written: the largest unit that divides it.
static const struct unit sizes[] = {
    { "TiB", 1ull << 40 },
    { "GiB", 1 << 30 },
    { "MiB", 1 << 20 },
    { "KiB", 1 << 10 },
    { "TB", 1000000000000ull },
    { "GB", 1000000000 },
    { "MB", 1000000 },
    { "KB", 1000 },
    { "B", 1 },
};
static const struct unit durations[] = {
    { "w", 604800000000000ull },
    { "d", 86400000000000ull },
    { "h", 3600000000000ull },
    { "m", 60000000000ull },
    { "s", 1000000000ull },
    { "ms", 1000000 },
    { "us", 1000 },
    { "ns", 1 },
};
enum { N_SIZES = sizeof sizes / sizeof *sizes, N_DURATIONS = sizeof durations / sizeof *durations };

static enum err expected(struct reason *why, const char *what, struct str text) {
    (void)snprintf(why->text, sizeof why->text, "expected %s, found \"%.*s\"", what,
                   (int)(text.len > 60 ? 60 : text.len), text.ptr);
    return ERR_INVALID;
}

// Sizes are read in any case; of durations M could be meant for months.
static const struct unit *find_unit(const struct unit *units, size_t n, struct str name) {
    for (size_t i = 0; i < n; i++) {
        struct str one = str_of(units[i].name);
        if (units == sizes ? str_eq_nocase(one, name) : str_eq(one, name)) return &units[i];
    }
    return NULL;
}

// Takes digits and the letters behind them off the front of *s.
static bool take_term(struct str *s, uint64_t *number, struct str *unit) {
    size_t digits = 0, letters;
    while (digits < s->len && s->ptr[digits] >= '0' && s->ptr[digits] <= '9') digits++;
    for (letters = digits; letters < s->len; letters++) {
        char c = (char)(s->ptr[letters] | 32);
        if (c < 'a' || c > 'z') break;
    }
    *unit = str_sub(*s, digits, letters - digits);
    bool ok = str_u64(str_sub(*s, 0, digits), number);
    *s = str_sub(*s, letters, s->len);
    return ok;
}

static bool parse_size(struct str text, uint64_t *out) {
    uint64_t number;
    struct str unit, s = text;
    if (!take_term(&s, &number, &unit)) return false;
    if (s.len > 0 && s.ptr[0] == ' ' && unit.len == 0) unit = str_sub(s, 1, s.len), s = STR("");
    const struct unit *u = unit.len ? find_unit(sizes, N_SIZES, unit) : &sizes[N_SIZES - 1];
    return s.len == 0 && u && !__builtin_mul_overflow(number, u->factor, out);
}

static bool parse_duration(struct str text, uint64_t *out) {
    uint64_t total = 0;
    if (str_eq(text, STR("0"))) {
        *out = 0;
        return true;
    }
    for (struct str s = text; s.len > 0 || text.len == 0;) {
        uint64_t number, term;
        struct str unit;
        if (!take_term(&s, &number, &unit)) return false;
        const struct unit *u = find_unit(durations, N_DURATIONS, unit);
        if (!u || __builtin_mul_overflow(number, u->factor, &term)) return false;
        if (__builtin_add_overflow(total, term, &total)) return false;
    }
    *out = total;
    return true;
}

static void print_size(struct buf *out, uint64_t v) {
    const struct unit *u = sizes;
    while (u->factor > 1 && (v == 0 || v % u->factor)) u++;
    buf_u64(out, v / u->factor);
    if (v) buf_str(out, str_of(u->name));
}

static void print_duration(struct buf *out, uint64_t v) {
    if (v == 0) buf_char(out, '0');
    if (v % durations[1].factor == 0 && v) { // whole days stay days: "30d" says more than "4w2d"
        buf_fmt(out, "%llud", (unsigned long long)(v / durations[1].factor));
        return;
    }
    for (size_t i = 1; i < N_DURATIONS; v %= durations[i].factor, i++)
        if (v >= durations[i].factor)
            buf_fmt(out, "%llu%s", (unsigned long long)(v / durations[i].factor), durations[i].name);
}

static void print_number(const struct setting *s, struct buf *out, uint64_t v) {
    if (s->type == SETTING_SIZE)
        print_size(out, v);
    else if (s->type == SETTING_DURATION)
        print_duration(out, v);
    else
        buf_u64(out, v);
}

static enum err set_number(const struct setting *s, struct str text, uint64_t *slot, struct reason *why) {
    uint64_t v;
    bool ok = s->type == SETTING_SIZE       ? parse_size(text, &v)
              : s->type == SETTING_DURATION ? parse_duration(text, &v)
                                            : str_u64(text, &v);
    if (!ok)
        return expected(why,
                        s->type == SETTING_SIZE       ? "a size such as 256MiB or 2GB"
                        : s->type == SETTING_DURATION ? "a duration such as 30d, 1h30m or 500ms"
                                                      : "a whole number",
                        text);
    bool special = v == 0 && strcmp(s->initial, "0") == 0;
    bool low = v < s->least && !special, high = s->most && v > s->most;
    if (low || high) {
        struct buf bound;
        buf_init(&bound, 64);
        print_number(s, &bound, low ? s->least : s->most);
        (void)snprintf(why->text, sizeof why->text, "%.*s is %s than %.*s, the %s",
                       STR_ARG(str_sub(text, 0, 40)), low ? "less" : "more", STR_ARG(buf_view(&bound)),
                       low ? "least" : "most");
        buf_fini(&bound);
        return ERR_INVALID;
    }
    *slot = v;
    return ERR_OK;
}

static enum err set_string(struct str text, struct arena *a, struct str *slot, struct reason *why) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return expected(why, "text without control characters", STR("..."));
    char *z = str_z(a, text);
    if (!z) return ERR_NOMEM;
    *slot = (struct str){ z, text.len };
    return ERR_OK;
}

static enum err set_path(const struct setting *s, struct str text, struct arena *a, struct str *slot,
                         struct reason *why) {
    if (text.len == 0 && s->initial[0] != '\0') return expected(why, "a path", text);
    if (text.len >= DISK_PATH_MAX) return expected(why, "a path of less than 4096 bytes", text);
    return set_string(text, a, slot, why);
}

static bool is_host(struct str host) {
    bool bracket = host.len > 0 && host.ptr[0] == '[';
    if (bracket) {
        if (host.len < 4 || host.ptr[host.len - 1] != ']') return false;
        host = str_sub(host, 1, host.len - 2);
    }
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i], lower = (char)(c | 32);
        bool ok = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                  c == '_' || (bracket && (c == ':' || c == '%'));
        if (!ok) return false;
    }
    return host.len < 254;
}

// Whatever is wrong with a secret, the message does not repeat it.
static enum err set_secret(struct str text, struct arena *a, struct str *slot, struct reason *why) {
    enum err e = set_string(text, a, slot, why);
    return e == ERR_INVALID ? expected(why, "text without control characters", STR("***")) : e;
}

static enum err set_address(struct str text, struct arena *a, struct config_address *slot,
                            struct reason *why) {
    static const char want[] = "an address such as 127.0.0.1:3200, [::1]:3200 or :3200, or off";
    struct config_address v = { 0 };
    size_t colon = text.len;
    uint64_t port = 0;
    v.off = str_eq_nocase(text, STR("off")) || str_eq(text, STR("false"));
    if (!v.off) {
        while (colon > 0 && text.ptr[colon - 1] != ':') colon--;
        bool ok = colon > 0 && str_u64(str_sub(text, colon, text.len), &port) && port <= UINT16_MAX;
        if (!ok || !is_host(str_sub(text, 0, colon - 1))) return expected(why, want, text);
    }
    v.port = (uint16_t)port;
    TRY(set_string(v.off ? STR("off") : text, a, &v.text, why));
    *slot = v;
    return ERR_OK;
}

static enum err set_bool(struct str text, bool *slot, struct reason *why) {
    static const char *const words[] = { "false", "true", "off", "on", "no", "yes" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!str_eq_nocase(text, str_of(words[i]))) continue;
        *slot = i & 1;
        return ERR_OK;
    }
    return expected(why, "true or false", text);
}

static enum err set_choice(const struct setting *s, struct str text, uint32_t *slot, struct reason *why) {
    struct str one, rest = str_of(s->choices);
    for (uint32_t i = 0; rest.len > 0; i++) {
        (void)str_cut(rest, '|', &one, &rest);
        if (!str_eq(one, text)) continue;
        *slot = i;
        return ERR_OK;
    }
    char want[100];
    (void)snprintf(want, sizeof want, "one of %s", s->choices);
    return expected(why, want, text);
}

enum err setting_append(const struct setting *s, struct str text, struct arena *a, void *base,
                        struct reason *why) {
    struct config_list *list = setting_slot(s, base);
    if (text.len == 0) return expected(why, "a value in the list", text);
    if (list->n == CONFIG_LIST_MAX) return expected(why, "at most 256 values in the list", text);
    struct str *items = ARENA_ARRAY(a, list->n + 1, struct str);
    if (!items) return ERR_NOMEM;
    if (list->n) memcpy(items, list->items, list->n * sizeof *items);
    TRY(set_string(text, a, &items[list->n], why));
    *list = (struct config_list){ items, list->n + 1 };
    return ERR_OK;
}

static enum err set_list(const struct setting *s, struct str text, struct arena *a, void *base,
                         struct reason *why) {
    struct str one;
    *(struct config_list *)setting_slot(s, base) = (struct config_list){ NULL, 0 };
    while (text.len > 0) {
        (void)str_cut(text, ',', &one, &text);
        TRY(setting_append(s, str_trim(one), a, base, why));
    }
    return ERR_OK;
}

enum err setting_parse(const struct setting *s, struct str text, struct arena *a, void *base,
                       struct reason *why) {
    void *slot = setting_slot(s, base);
    switch (s->type) {
    case SETTING_PATH: return set_path(s, text, a, slot, why);
    case SETTING_STRING: return set_string(text, a, slot, why);
    case SETTING_SECRET: return set_secret(text, a, slot, why);
    case SETTING_ADDRESS: return set_address(text, a, slot, why);
    case SETTING_LIST: return set_list(s, text, a, base, why);
    case SETTING_BOOL: return set_bool(text, slot, why);
    case SETTING_CHOICE: return set_choice(s, text, slot, why);
    default: return set_number(s, text, slot, why);
    }
}

enum err settings_default(struct settings t, struct arena *a, void *base) {
    for (size_t i = 0; i < t.n; i++) {
        struct reason why;
        enum err e = setting_parse(&t.rows[i], str_of(t.rows[i].initial), a, base, &why);
        ASSERT(e != ERR_INVALID); // the table holds only defaults that it allows
        TRY(e);
    }
    return ERR_OK;
}

// Double quotes, as YAML and JSON share them; a dollar twice, so that it is not expanded.
static void print_string(struct buf *out, struct str text) {
    struct json_writer w = json_writer_on(out);
    struct buf doubled;
    buf_init(&doubled, 2 * CONFIG_VALUE_MAX);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '$') buf_char(&doubled, '$');
        buf_char(&doubled, text.ptr[i]);
    }
    if (doubled.failed) out->failed = true;
    jw_str(&w, buf_view(&doubled));
    buf_fini(&doubled);
}

static void print_list(struct buf *out, const struct config_list *list) {
    buf_char(out, '[');
    for (uint32_t i = 0; i < list->n; i++) {
        if (i) buf_str(out, STR(", "));
        print_string(out, list->items[i]);
    }
    buf_char(out, ']');
}

static void print_choice(struct buf *out, const char *choices, uint32_t index) {
    struct str one = STR(""), rest = str_of(choices);
    for (uint32_t i = 0; i <= index; i++) (void)str_cut(rest, '|', &one, &rest);
    buf_str(out, one);
}

void setting_print(const struct setting *s, const void *base, struct buf *out) {
    const void *v = setting_value(s, base);
    switch (s->type) {
    case SETTING_PATH:
    case SETTING_STRING: print_string(out, *(const struct str *)v); break;
    case SETTING_SECRET: break;
    case SETTING_ADDRESS: print_string(out, ((const struct config_address *)v)->text); break;
    case SETTING_LIST: print_list(out, v); break;
    case SETTING_BOOL: buf_str(out, *(const bool *)v ? STR("true") : STR("false")); break;
    case SETTING_CHOICE: print_choice(out, s->choices, *(const uint32_t *)v); break;
    default: print_number(s, out, *(const uint64_t *)v);
    }
}
