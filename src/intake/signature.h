// SPDX-License-Identifier: Apache-2.0
// How a request shows that it comes from a source: signatures over its raw bytes, or a shared token.
// All comparisons take the same time whatever the request says. Several secrets hold at once, while
// one replaces the other. thread: any.
#pragma once

#include "intake/intake.h"

enum signature_how {
    SIGNATURE_HEX,      // HMAC of the body in hex, behind `prefix`; several separated by commas
    SIGNATURE_STANDARD, // Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature
    SIGNATURE_TOKEN,    // the secret itself, as the whole header
    SIGNATURE_BEARER,   // Authorization: Bearer SECRET, Basic (any name and SECRET), or SECRET
    SIGNATURE_QUERY,    // ?token=SECRET, for tools that can set nothing else
};
enum signature_hash { SIGNATURE_SHA256, SIGNATURE_SHA1 };

struct signature_form {
    enum signature_how how;
    enum signature_hash hash;
    const char *header, *prefix;
    const char *time_header; // HEX: where this header is there, what is signed is "its value:body"
};

// One form that fits is enough; a form that the request does not have says nothing. ERR_INVALID with the
// reason; with no secrets all fits.
NODISCARD enum err signature_check(const struct intake_request *r, const struct signature_form *forms,
                                   unsigned n_forms, const struct intake_secret *secrets, unsigned n,
                                   struct err_ctx *ctx);

enum { SIGNATURE_HMAC_MAX = 32 };
// HMAC over parts, one behind the other; its length, or 0 when it cannot be computed.
size_t signature_hmac(enum signature_hash hash, struct str key, const struct str *parts, unsigned n,
                      unsigned char out[SIGNATURE_HMAC_MAX]);
// SHA-256 over parts, each with its length in front, so that no two lists of parts are the same bytes.
NODISCARD bool signature_digest(const struct str *parts, unsigned n, unsigned char out[32]);
