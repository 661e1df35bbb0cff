// SPDX-License-Identifier: Apache-2.0
#include "vcs/commit.h"

enum {
    PARENT_LINE = 7 + SHA_HEX + 1, // "parent " SHA "\n"
    ZONE_MIN_MIN = -12 * 60,
    ZONE_MAX_MIN = 14 * 60,
};
#define NS_PER_S 1000000000ll
#define START_OF_1990_S 631152000ll
#define STAMP_MAX_S (INT64_MAX / NS_PER_S)

// --- stamps ------------------------------------------------------------------------------------------

struct stamp stamp_judge(struct stamp s, int64_t now_ns) {
    int64_t day_ns = 86400 * NS_PER_S;
    if (!(s.flags & STAMP_UNREADABLE) && s.ns > day_ns && s.ns - day_ns > now_ns) s.flags |= STAMP_FUTURE;
    return s;
}

static bool read_zone(struct str zone, int16_t *out_min) {
    uint64_t n;
    if (zone.len != 5 || (zone.ptr[0] != '+' && zone.ptr[0] != '-')) return false;
    if (!str_u64(str_sub(zone, 1, 4), &n) || n % 100 > 59) return false;
    int min = (int)(n / 100 * 60 + n % 100);
    if (zone.ptr[0] == '-') min = -min;
    if (min < ZONE_MIN_MIN || min > ZONE_MAX_MIN) return false;
    *out_min = (int16_t)min;
    return true;
}

// "SECONDS ±HHMM"
static struct stamp read_stamp(struct str text) {
    struct stamp s = { STAMP_UNKNOWN, 0, STAMP_UNREADABLE };
    struct str seconds, zone;
    int64_t at;
    (void)str_cut(str_trim(text), ' ', &seconds, &zone);
    if (!str_i64(seconds, &at) || at > STAMP_MAX_S || at < -STAMP_MAX_S) return s;
    s.ns = at * NS_PER_S;
    s.flags = at < START_OF_1990_S ? STAMP_EARLY : 0;
    if (!read_zone(str_trim(zone), &s.offset_min)) s.flags |= STAMP_ODD_ZONE;
    return s;
}

// NAME <EMAIL>REST; names hold '<' now and then, so the last '>' and the '<' before it count.
static struct str read_address(struct str line, struct str *name, struct str *email) {
    size_t close = line.len;
    *email = STR("");
    while (close > 0 && line.ptr[close - 1] != '>') close--;
    if (close == 0) {
        *name = STR("");
        return line;
    }
    ptrdiff_t open = str_find(line, '<');
    size_t start = open >= 0 && (size_t)open < close ? (size_t)open : close - 1;
    *name = str_trim(str_sub(line, 0, start));
    if (start < close - 1) *email = str_trim(str_sub(line, start + 1, close - start - 2));
    return str_sub(line, close, line.len);
}

static struct ident read_ident(struct str line) {
    struct ident id;
    struct str rest = read_address(line, &id.name, &id.email);
    if (id.name.len == 0 && id.email.len == 0) { // no address: the stamp are the last two words
        size_t words = 0, at = rest.len;
        while (at > 0 && (rest.ptr[at - 1] != ' ' || ++words < 2)) at--;
        rest = str_sub(rest, at, rest.len);
    }
    id.at = read_stamp(rest);
    return id;
}

// --- messages ----------------------------------------------------------------------------------------

static struct str take_line(struct str *text) {
    struct str line;
    (void)str_cut(*text, '\n', &line, text);
    if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
    return line;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static size_t hex_len(struct str s) {
    size_t n = 0;
    while (n < s.len && (is_digit(s.ptr[n]) || (s.ptr[n] >= 'a' && s.ptr[n] <= 'f') ||
                         (s.ptr[n] >= 'A' && s.ptr[n] <= 'F')))
        n++;
    return n;
}

// A number at the start of s; *len digits of it were read. 0 when there is none, or it is too large.
static uint32_t number_at(struct str s, size_t *len) {
    uint64_t n;
    size_t digits = 0;
    while (digits < s.len && is_digit(s.ptr[digits])) digits++;
    *len = digits;
    if (digits == 0 || digits > 9 || !str_u64(str_sub(s, 0, digits), &n)) return 0;
    return (uint32_t)n;
}

// The number between `before` and `after`, where `before` begins at some place and `after` ends s.
static uint32_t number_at_end(struct str s, struct str before, struct str after) {
    if (!str_ends(s, after)) return 0;
    size_t end = s.len - after.len, at = end, len;
    while (at > 0 && is_digit(s.ptr[at - 1])) at--;
    if (at == end || !str_ends(str_sub(s, 0, at), before)) return 0;
    return number_at(str_sub(s, at, end - at), &len);
}

static uint32_t number_after(struct str s, struct str before) {
    size_t len;
    return str_starts(s, before) ? number_at(str_sub(s, before.len, s.len), &len) : 0;
}

uint32_t message_change(struct str subject, struct str body) {
    struct str s = str_trim(subject);
    uint32_t n = 0;
    if (!n) n = number_at_end(s, STR("(#"), STR(")"));
    if (!n) n = number_at_end(s, STR("(!"), STR(")"));
    if (!n) n = number_at_end(s, STR(" !"), STR(""));
    if (!n) n = number_at_end(s, STR("(pull request #"), STR(")"));
    if (!n) n = number_after(s, STR("Merge pull request #"));
    if (!n) n = number_after(s, STR("Pull request #"));
    if (!n) n = number_after(s, STR("Merged PR "));
    while (!n && body.len) {
        struct str line = str_trim(take_line(&body));
        if (str_starts(line, STR("See merge request "))) n = number_at_end(line, STR("!"), STR(""));
    }
    return n;
}

static bool named_sha(struct str s, struct trailer *t) {
    char hex[SHA_HEX];
    size_t n = hex_len(s);
    if (n < COMMIT_SHORT_SHA_MIN || n > SHA_HEX) return false;
    memset(hex, '0', sizeof hex);
    memcpy(hex, s.ptr, n);
    t->n_hex = (uint8_t)n;
    return sha_parse((struct str){ hex, sizeof hex }, &t->sha);
}

// Reverts acme/shop#12, This reverts merge request acme/shop!12
static bool reverted_change(struct str line, struct trailer *t) {
    static const struct str starts[] = { { "Reverts ", 8 },
                                         { "This reverts merge request ", 27 },
                                         { "This reverts pull request ", 26 } };
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (!str_starts(line, starts[i])) continue;
        struct str rest = str_sub(line, starts[i].len, line.len);
        while (rest.len && rest.ptr[rest.len - 1] == '.') rest.len--;
        if (str_find(rest, ' ') >= 0) return false;
        t->number = number_at_end(rest, STR("#"), STR(""));
        if (!t->number) t->number = number_at_end(rest, STR("!"), STR(""));
        return t->number != 0;
    }
    return false;
}

static bool read_trailer(struct str line, struct trailer *t) {
    static const struct str picks[] = { { "(cherry picked from commit ", 27 },
                                        { "(cherry-picked from commit ", 27 } };
    struct str reverts = STR("This reverts commit "), with = STR("co-authored-by:");
    for (size_t i = 0; i < 2; i++)
        if (str_starts(line, picks[i])) {
            t->kind = TRAILER_CHERRY_PICK;
            return named_sha(str_sub(line, picks[i].len, line.len), t);
        }
    if (str_starts(line, reverts)) {
        t->kind = TRAILER_REVERTS;
        return named_sha(str_sub(line, reverts.len, line.len), t);
    }
    if (line.len > with.len && str_eq_nocase(str_sub(line, 0, with.len), with)) {
        t->kind = TRAILER_CO_AUTHOR;
        (void)read_address(str_sub(line, with.len, line.len), &t->name, &t->email);
        return t->name.len || t->email.len;
    }
    t->kind = TRAILER_REVERTS_CHANGE;
    return reverted_change(line, t);
}

void message_read(struct str text, struct commit *c) {
    do c->subject = str_trim(take_line(&text));
    while (c->subject.len == 0 && text.len);
    c->body = text;
    c->change = message_change(c->subject, c->body);
    while (text.len) {
        struct trailer t = { 0 };
        if (!read_trailer(str_trim(take_line(&text)), &t)) continue;
        if (c->n_trailers < COMMIT_TRAILERS_MAX)
            c->trailers[c->n_trailers++] = t;
        else
            c->n_trailers_cut++;
    }
}

// --- objects -----------------------------------------------------------------------------------------

// Takes the line "KEY SHA\n" off the front.
static bool take_sha(struct str *raw, struct str key, struct sha *out) {
    if (!str_starts(*raw, key) || raw->len < key.len + SHA_HEX + 1) return false;
    if (raw->ptr[key.len + SHA_HEX] != '\n') return false;
    if (!sha_parse(str_sub(*raw, key.len, SHA_HEX), out)) return false;
    *raw = str_sub(*raw, key.len + SHA_HEX + 1, raw->len);
    return true;
}

static bool says_latin1(struct str encoding) {
    static const char *const names[] = { "iso-8859-1", "iso8859-1",    "latin1",
                                         "latin-1",    "windows-1252", "cp1252" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(encoding, str_of(names[i]))) return true;
    return false;
}

// The value of a header line, if its key is the one.
static bool header(struct str line, struct str key, struct str *value) {
    if (!str_starts(line, key)) return false;
    *value = str_sub(line, key.len, line.len);
    return true;
}

bool commit_parse(struct str raw, struct commit *out) {
    struct stamp none = { STAMP_UNKNOWN, 0, STAMP_UNREADABLE };
    struct commit c = { .author.at = none, .committer.at = none };
    struct sha parent;
    struct str value;
    bool has_author = false, has_committer = false;
    if (!take_sha(&raw, STR("tree "), &c.tree)) return false;
    c.parent_lines.ptr = raw.ptr;
    while (take_sha(&raw, STR("parent "), &parent)) c.n_parents++;
    c.parent_lines.len = (size_t)c.n_parents * PARENT_LINE;
    if (str_starts(raw, STR("parent "))) return false;
    while (raw.len && raw.ptr[0] != '\n') {
        struct str line = take_line(&raw); // lines that go on begin with a space: no key fits them
        if (!has_author && header(line, STR("author "), &value)) {
            has_author = true;
            c.author = read_ident(value);
        } else if (!has_committer && header(line, STR("committer "), &value)) {
            has_committer = true;
            c.committer = read_ident(value);
        } else if (header(line, STR("encoding "), &value)) {
            c.latin1 = says_latin1(str_trim(value));
        }
    }
    message_read(raw, &c);
    *out = c;
    return true;
}

struct sha commit_parent(const struct commit *c, uint32_t i) {
    struct sha parent = { { 0 } };
    ASSERT(i < c->n_parents);
    struct str hex = str_sub(c->parent_lines, (size_t)i * PARENT_LINE + 7, SHA_HEX);
    bool ok = sha_parse(hex, &parent);
    DASSERT(ok);
    (void)ok;
    return parent;
}

bool tag_parse(struct str raw, struct tag_object *out) {
    struct tag_object t = { .tagged = { STAMP_UNKNOWN, 0, STAMP_UNREADABLE } };
    struct str value;
    if (!take_sha(&raw, STR("object "), &t.target)) return false;
    while (raw.len && raw.ptr[0] != '\n') {
        struct str line = take_line(&raw);
        if (header(line, STR("tagger "), &value)) t.tagged = read_ident(value).at;
    }
    *out = t;
    return true;
}
