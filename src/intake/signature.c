// SPDX-License-Identifier: Apache-2.0
#include "intake/signature.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/base64.h"

enum { SECRET_MAX = 4 << 10, SIGNATURES_MAX = 16 };

// --- digests -------------------------------------------------------------------------------------

static bool mac_update(EVP_MAC_CTX *m, const struct str *parts, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (parts[i].len && !EVP_MAC_update(m, (const unsigned char *)parts[i].ptr, parts[i].len))
            return false;
    return true;
}

size_t signature_hmac(enum signature_hash hash, struct str key, const struct str *parts, unsigned n,
                      unsigned char out[SIGNATURE_HMAC_MAX]) {
    char name[] = "SHA256", old[] = "SHA1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash == SIGNATURE_SHA1 ? old : name, 0),
        OSSL_PARAM_construct_end(),
    };
    size_t len = 0;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *m = mac ? EVP_MAC_CTX_new(mac) : NULL;
    const unsigned char *k = (const unsigned char *)(key.len ? key.ptr : "");
    if (!m || !EVP_MAC_init(m, k, key.len, params) || !mac_update(m, parts, n) ||
        !EVP_MAC_final(m, out, &len, SIGNATURE_HMAC_MAX))
        len = 0;
    EVP_MAC_CTX_free(m);
    EVP_MAC_free(mac);
    return len;
}

bool signature_digest(const struct str *parts, unsigned n, unsigned char out[32]) {
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    bool ok = m && EVP_DigestInit_ex(m, EVP_sha256(), NULL);
    for (unsigned i = 0; i < n && ok; i++) {
        unsigned char len[8];
        for (unsigned b = 0; b < 8; b++) len[b] = (unsigned char)(parts[i].len >> (8 * b));
        ok = EVP_DigestUpdate(m, len, sizeof len) &&
             (parts[i].len == 0 || EVP_DigestUpdate(m, parts[i].ptr, parts[i].len));
    }
    ok = ok && EVP_DigestFinal_ex(m, out, NULL);
    EVP_MD_CTX_free(m);
    return ok;
}

// Of digests, so that not even the length of a secret shows in the time.
static bool same(struct str a, struct str b) {
    unsigned char x[32], y[32];
    return signature_digest(&a, 1, x) && signature_digest(&b, 1, y) && CRYPTO_memcmp(x, y, sizeof x) == 0;
}

// --- forms ---------------------------------------------------------------------------------------
// Each tries one secret.

struct trial {
    const struct intake_request *r;
    const struct signature_form *form;
    struct str given; // of the header
};

static bool hex_fits(const struct trial *t, struct str secret) {
    struct str list = t->given, one, time = { 0 }, prefix = str_of(t->form->prefix);
    unsigned char want[SIGNATURE_HMAC_MAX], got[SIGNATURE_HMAC_MAX];
    if (t->form->time_header) time = intake_header(t->r, str_of(t->form->time_header));
    struct str timed[] = { time, STR(":"), t->r->body };
    size_t n = time.len ? signature_hmac(t->form->hash, secret, timed, 3, want)
                        : signature_hmac(t->form->hash, secret, &t->r->body, 1, want);
    bool more = n > 0, fits = false;
    for (unsigned i = 0; i < SIGNATURES_MAX && more; i++) {
        more = str_cut(list, ',', &one, &list);
        one = str_trim(one);
        if (!str_starts(one, prefix) || !hex_decode(str_sub(one, prefix.len, one.len), got, n)) continue;
        if (one.len == prefix.len + 2 * n && CRYPTO_memcmp(want, got, n) == 0) fits = true;
    }
    return fits;
}

// The key is what base64 stands for behind "whsec_", else the secret's own bytes.
static bool standard_key(struct str secret, struct buf *key) {
    struct str prefix = STR("whsec_");
    if (str_starts(secret, prefix))
        return base64_decode(str_sub(secret, prefix.len, secret.len), key) == ERR_OK;
    buf_str(key, secret);
    return !key->failed;
}

static bool standard_fits(const struct trial *t, struct str secret) {
    struct str list = t->given, one,
               parts[] = { intake_header(t->r, STR("webhook-id")), STR("."),
                           intake_header(t->r, STR("webhook-timestamp")), STR("."), t->r->body };
    unsigned char want[SIGNATURE_HMAC_MAX];
    char text[48] = "v1,";
    struct buf key;
    buf_init(&key, SECRET_MAX);
    size_t n =
        standard_key(secret, &key) ? signature_hmac(SIGNATURE_SHA256, buf_view(&key), parts, 5, want) : 0;
    buf_fini(&key);
    if (n == 0) return false;
    base64_encode(want, n, text + 3);
    bool more = true, fits = false;
    for (unsigned i = 0; i < SIGNATURES_MAX && more; i++) {
        more = str_cut(list, ' ', &one, &list);
        if (same(one, (struct str){ text, 3 + base64_size(n) })) fits = true;
    }
    return fits;
}

static bool token_fits(const struct trial *t, struct str secret) {
    return same(t->given, secret);
}

static bool basic_fits(struct str coded, struct str secret) {
    struct buf b;
    struct str name, word = { 0 };
    buf_init(&b, SECRET_MAX);
    bool fits =
        base64_decode(coded, &b) == ERR_OK && str_cut(buf_view(&b), ':', &name, &word) && same(word, secret);
    buf_fini(&b);
    return fits;
}

static bool bearer_fits(const struct trial *t, struct str secret) {
    struct str word, rest;
    if (!str_cut(t->given, ' ', &word, &rest)) return same(t->given, secret);
    if (str_eq_nocase(word, STR("Bearer"))) return same(str_trim(rest), secret);
    if (str_eq_nocase(word, STR("Basic"))) return basic_fits(str_trim(rest), secret);
    return same(t->given, secret);
}

static bool query_fits(const struct trial *t, struct str secret) {
    char plain[SECRET_MAX];
    size_t n = 0;
    for (size_t i = 0; i < t->given.len && n < sizeof plain; i++) {
        plain[n] = t->given.ptr[i];
        if (plain[n] == '%' && hex_decode(str_sub(t->given, i + 1, 2), &plain[n], 1)) i += 2;
        n++;
    }
    return same((struct str){ plain, n }, secret);
}

// --- the check -----------------------------------------------------------------------------------

static struct str query_token(struct str query) {
    struct str one;
    for (bool more = query.len > 0; more;) {
        more = str_cut(query, '&', &one, &query);
        if (str_starts(one, STR("token="))) return str_sub(one, 6, one.len);
    }
    return STR("");
}

static bool (*const fits_of[])(const struct trial *t, struct str secret) = {
    [SIGNATURE_HEX] = hex_fits,       [SIGNATURE_STANDARD] = standard_fits, [SIGNATURE_TOKEN] = token_fits,
    [SIGNATURE_BEARER] = bearer_fits, [SIGNATURE_QUERY] = query_fits,
};

static const char *form_place(const struct signature_form *f) {
    return f->how == SIGNATURE_QUERY      ? "token in the URL"
           : f->how == SIGNATURE_STANDARD ? "webhook-signature"
                                          : f->header;
}

static struct str form_given(const struct intake_request *r, const struct signature_form *f) {
    return f->how == SIGNATURE_QUERY ? query_token(r->query) : intake_header(r, str_of(form_place(f)));
}

static enum err form_check(const struct trial *t, const struct intake_secret *secrets, unsigned n,
                           struct err_ctx *ctx) {
    bool fits = false, is_signed = t->form->how == SIGNATURE_HEX || t->form->how == SIGNATURE_STANDARD;
    for (unsigned i = 0; i < n; i++) {
        struct str secret = secrets[i].value;
        if (secret.len && secret.len <= SECRET_MAX && fits_of[t->form->how](t, secret)) fits = true;
    }
    if (fits) return ERR_OK;
    if (t->form->how == SIGNATURE_QUERY)
        return err_set(ctx, ERR_INVALID, "the token in the URL is not a secret of this source");
    if (!is_signed)
        return err_set(ctx, ERR_INVALID, "the token in %s is not a secret of this source",
                       form_place(t->form));
    return err_set(ctx, ERR_INVALID, "the signature in %s does not fit the body", form_place(t->form));
}

static enum err not_signed(const struct signature_form *forms, unsigned n, struct err_ctx *ctx) {
    char list[160] = "";
    size_t len = 0;
    for (unsigned i = 0; i < n; i++) {
        int more = snprintf(list + len, sizeof list - len, "%s%s", i ? " or " : "", form_place(&forms[i]));
        if (more > 0 && (size_t)more < sizeof list - len) len += (size_t)more;
    }
    return err_set(ctx, ERR_INVALID, "the request is not signed: there is no %s", list);
}

enum err signature_check(const struct intake_request *r, const struct signature_form *forms, unsigned n_forms,
                         const struct intake_secret *secrets, unsigned n, struct err_ctx *ctx) {
    struct err_ctx first = { 0 };
    for (unsigned i = 0; i < n_forms && n; i++) {
        struct trial t = { r, &forms[i], form_given(r, &forms[i]) };
        if (t.given.len && form_check(&t, secrets, n, &first) == ERR_OK) return ERR_OK;
    }
    if (n == 0) return ERR_OK;
    if (first.text[0]) return err_set(ctx, ERR_INVALID, "%s", first.text);
    return not_signed(forms, n_forms, ctx);
}
