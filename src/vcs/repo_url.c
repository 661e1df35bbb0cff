// SPDX-License-Identifier: Apache-2.0
#include "vcs/repo.h"

struct url {
    struct str host; // with brackets, when it is an IPv6 address
    struct str port; // "" without
    struct str path;
    bool is_http;
};

static bool is_plain(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f) return false;
    return str_is_utf8(s);
}

static bool is_host(struct str s) {
    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  (c && strchr(".-_:[]", c));
        if (!ok) return false;
    }
    return true;
}

// user:password@ goes away; what follows the last @ before the path is the host.
static struct str without_user(struct str authority) {
    for (size_t i = authority.len; i > 0; i--)
        if (authority.ptr[i - 1] == '@') return str_sub(authority, i, authority.len);
    return authority;
}

static void split_port(struct str authority, struct url *u) {
    ptrdiff_t end = authority.len && authority.ptr[0] == '[' ? str_find(authority, ']') : 0;
    struct str rest = str_sub(authority, end > 0 ? (size_t)end : 0, authority.len), head, port;
    u->host = authority;
    u->port = STR("");
    if (!str_cut(rest, ':', &head, &port)) return;
    u->host = str_sub(authority, 0, authority.len - port.len - 1);
    u->port = port;
}

static bool split_scheme(struct str s, struct url *u) {
    static const struct {
        struct str scheme;
        bool is_http;
    } known[] = { { { "https://", 8 }, true },     { { "http://", 7 }, true },
                  { { "ssh://", 6 }, false },      { { "git://", 6 }, false },
                  { { "git+ssh://", 10 }, false }, { { "ssh+git://", 10 }, false } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct str scheme = known[i].scheme, authority;
        if (s.len < scheme.len || !str_eq_nocase(str_sub(s, 0, scheme.len), scheme)) continue;
        (void)str_cut(str_sub(s, scheme.len, s.len), '/', &authority, &u->path);
        split_port(without_user(authority), u);
        u->is_http = known[i].is_http;
        return true;
    }
    return false;
}

// host:path and user@host:path; one letter before the colon is a drive.
static bool split_scp(struct str s, struct url *u) {
    size_t colon = 0;
    bool in_brackets = false;
    while (colon < s.len && s.ptr[colon] != '/' && (s.ptr[colon] != ':' || in_brackets)) {
        if (s.ptr[colon] == '[') in_brackets = true;
        if (s.ptr[colon] == ']') in_brackets = false;
        colon++;
    }
    if (colon < 2 || colon >= s.len || s.ptr[colon] == '/') return false;
    *u = (struct url){ without_user(str_sub(s, 0, colon)), STR(""), str_sub(s, colon + 1, s.len), false };
    return !str_starts(u->path, STR(":")); // ext::COMMAND
}

static bool port_matters(const struct url *u) {
    return u->is_http && u->port.len && !str_eq(u->port, STR("443")) && !str_eq(u->port, STR("80"));
}

static void add_path(struct buf *b, struct str path) {
    size_t start = b->len;
    while (path.len && path.ptr[path.len - 1] == '/') path.len--;
    if (str_ends(path, STR(".git"))) path.len -= 4;
    while (path.len && path.ptr[path.len - 1] == '/') path.len--;
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] != '/' || (b->len > start && b->ptr[b->len - 1] != '/')) buf_char(b, path.ptr[i]);
}

bool repo_url_normalise(struct arena *a, struct str url, struct str *out) {
    struct url u;
    struct buf b;
    if (url.len == 0 || url.len > REPO_URL_MAX || !is_plain(url)) return false;
    bool has_scheme = split_scheme(url, &u);
    if (!has_scheme) {
        for (size_t i = 0; i + 2 < url.len; i++) // another scheme: file://, ext::
            if (memcmp(url.ptr + i, "://", 3) == 0) return false;
        if (!split_scp(url, &u)) return false;
    }
    if (!is_host(u.host)) return false;
    buf_init(&b, 2 * REPO_URL_MAX);
    buf_str(&b, STR("https://"));
    for (size_t i = 0; i < u.host.len; i++) {
        char c = u.host.ptr[i];
        buf_char(&b, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
    }
    if (port_matters(&u)) buf_fmt(&b, ":%.*s", STR_ARG(u.port));
    size_t host_end = b.len;
    buf_char(&b, '/');
    add_path(&b, u.path);
    bool ok = b.failed || b.len > host_end + 1;
    if (ok) *out = b.failed ? (struct str){ 0 } : str_dup(a, buf_view(&b));
    if (b.failed) a->failed = true;
    buf_fini(&b);
    return ok;
}
