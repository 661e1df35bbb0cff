// SPDX-License-Identifier: Apache-2.0
// For the tests of this folder: keys and certificates made on the spot.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "net/kit_test.h"

struct identity {
    EVP_PKEY *key;
    X509 *cert;
    char cert_file[300], key_file[300];
};
// Signed by `ca`, or by itself. In files named after it.
void identity_make(struct identity *id, const char *name, const struct identity *ca);
void identity_free(struct identity *id);
