// SPDX-License-Identifier: Apache-2.0
#include "intake/key.h"

#include "intake/signature.h"

static struct str lower(struct arena *a, struct str s) {
    char *p = arena_bytes(a, s.ptr, s.len);
    for (size_t i = 0; p && i < s.len; i++)
        if (p[i] >= 'A' && p[i] <= 'Z') p[i] = (char)(p[i] + 32);
    return (struct str){ p, p ? s.len : 0 };
}

static ptrdiff_t find(struct str s, const char *what) {
    size_t n = strlen(what);
    const char *at = s.len ? memmem(s.ptr, s.len, what, n) : NULL;
    return at ? at - s.ptr : -1;
}

static ptrdiff_t find_last(struct str s, char c) {
    const char *at = s.len ? memrchr(s.ptr, c, s.len) : NULL;
    return at ? at - s.ptr : -1;
}

static struct str without(struct str s, const char *tail) {
    return str_ends(s, str_of(tail)) ? str_sub(s, 0, s.len - strlen(tail)) : s;
}

struct str key_repo(struct arena *a, struct str url) {
    ptrdiff_t scheme = find(url, "://"), at;
    struct str host, path, user, port;
    char split = '/';
    if (scheme >= 0)
        url = str_sub(url, (size_t)scheme + 3, url.len);
    else if (str_find(url, '@') >= 0)
        split = ':';
    if (!str_cut(url, split, &host, &path)) return STR("");
    if ((at = find_last(host, '@')) >= 0) host = str_sub(host, (size_t)at + 1, host.len);
    if (str_cut(host, ':', &user, &port)) host = user;
    if ((at = find(path, "?")) >= 0) path = str_sub(path, 0, (size_t)at);
    while (str_starts(path, STR("/"))) path = str_sub(path, 1, path.len);
    path = without(without(path, "/"), ".git");
    if (host.len == 0 || path.len == 0) return STR("");
    struct str low = lower(a, host);
    return str_fmt(a, "%.*s/%.*s", STR_ARG(low), STR_ARG(path));
}

struct str key_prefix(struct arena *a, const char *provider, struct str repo) {
    struct str own = str_fmt(a, "%s.com/", provider);
    if (str_starts(repo, own)) repo = str_sub(repo, own.len, repo.len);
    return str_fmt(a, "%s:%.*s", provider, STR_ARG(repo));
}

struct str key_change(struct arena *a, struct str prefix, struct str number) {
    return str_fmt(a, "%.*s:change:%.*s", STR_ARG(prefix), STR_ARG(number));
}
struct str key_run(struct arena *a, struct str prefix, struct str id, int64_t attempt) {
    return str_fmt(a, "%.*s:run:%.*s:%lld", STR_ARG(prefix), STR_ARG(id), (long long)attempt);
}
struct str key_jenkins_run(struct arena *a, struct str url, struct str number, struct str name) {
    struct str place = key_repo(a, url);
    if (str_ends(place, number)) place = str_sub(place, 0, place.len - number.len);
    if (str_ends(place, STR("/"))) place = str_sub(place, 0, place.len - 1);
    if (place.len == 0) place = name;
    return key_run(a, str_fmt(a, "jenkins:%.*s", STR_ARG(place)), number, 1);
}
struct str key_task(struct arena *a, struct str run, struct str id) {
    return str_fmt(a, "%.*s:task:%.*s", STR_ARG(run), STR_ARG(id));
}
struct str key_job_deploy(struct arena *a, struct str prefix, struct str job) {
    return str_fmt(a, "%.*s:job:%.*s:deployment", STR_ARG(prefix), STR_ARG(job));
}

struct str key_hash(struct arena *a, const struct str *parts, unsigned n) {
    unsigned char digest[32];
    char *hex = arena_alloc(a, 32);
    if (!hex || !signature_digest(parts, n, digest)) {
        a->failed = true;
        return STR("");
    }
    hex_encode(digest, 16, hex);
    return (struct str){ hex, 32 };
}

static bool is_hex(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789abcdefABCDEF", s.ptr[i]) || !s.ptr[i]) return false;
    return true;
}

bool key_is_sha(struct str s) {
    return (s.len == 40 || s.len == 64) && is_hex(s);
}

// --- artifacts -----------------------------------------------------------------------------------

static struct str percent_decode(struct arena *a, struct str s) {
    char *p = arena_alloc(a, s.len);
    size_t n = 0;
    if (!p) return STR("");
    for (size_t i = 0; i < s.len; i++, n++) {
        p[n] = s.ptr[i];
        if (s.ptr[i] == '%' && hex_decode(str_sub(s, i + 1, 2), &p[n], 1)) i += 2;
    }
    struct str out = { p, n };
    return str_is_utf8(out) ? out : s;
}

static bool is_digest(struct str s) {
    return str_starts(s, STR("sha256:")) && s.len == 71 && is_hex(str_sub(s, 7, 64));
}

static struct str qualifier(struct arena *a, struct str list, struct str name) {
    struct str one, key, value;
    for (bool more = list.len > 0; more;) {
        more = str_cut(list, '&', &one, &list);
        if (str_cut(one, '=', &key, &value) && str_eq(key, name)) return percent_decode(a, value);
    }
    return STR("");
}

static struct str tag_sha(struct str tag) {
    if (str_starts(tag, STR("sha-"))) tag = str_sub(tag, 4, tag.len);
    return key_is_sha(tag) ? tag : STR("");
}

// pkg:oci/shop@sha256%3A…?repository_url=…&tag=v1#path
static struct key_artifact purl(struct arena *a, struct str s) {
    struct key_artifact out = { 0 };
    struct str rest, fragment, version = { 0 }, list = { 0 };
    (void)str_cut(s, '#', &s, &fragment);
    (void)str_cut(s, '?', &s, &list);
    ptrdiff_t at = find_last(s, '@');
    if (at >= 0) version = percent_decode(a, str_sub(s, (size_t)at + 1, s.len));
    rest = qualifier(a, list, STR("tag"));
    out.key = s;
    if (is_digest(version))
        out.digest = out.key = version;
    else if (rest.len == 0)
        rest = version;
    out.version = rest;
    out.sha = tag_sha(rest);
    return out;
}

// registry:5000/shop/api:v1@sha256:…
static struct key_artifact image(struct str s) {
    struct key_artifact out = { .key = s };
    struct str name, digest;
    if (str_cut(s, '@', &name, &digest) && is_digest(digest)) out.digest = out.key = digest;
    ptrdiff_t slash = find_last(name, '/'), colon = find_last(name, ':');
    if (colon > slash) out.version = str_sub(name, (size_t)colon + 1, name.len);
    out.sha = tag_sha(out.version);
    return out;
}

struct key_artifact key_artifact(struct arena *a, struct str s) {
    if (str_starts(s, STR("pkg:"))) return purl(a, s);
    if (is_digest(s)) return (struct key_artifact){ .key = s, .digest = s };
    return image(s);
}
