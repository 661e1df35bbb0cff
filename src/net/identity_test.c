// SPDX-License-Identifier: Apache-2.0
#include "net/identity_test.h"

#include <openssl/pem.h>
#include <stdio.h>

static void write_pem(const struct identity *id) {
    FILE *f = fopen(id->cert_file, "w");
    CHECK(f && PEM_write_X509(f, id->cert) == 1 && fclose(f) == 0);
    f = fopen(id->key_file, "w");
    CHECK(f && PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
}

void identity_make(struct identity *id, const char *name, const struct identity *ca) {
    id->key = EVP_EC_gen("P-256");
    id->cert = X509_new();
    CHECK(id->key && id->cert);
    X509_set_version(id->cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(id->cert), (long)(1 + test_below(1 << 30)));
    X509_gmtime_adj(X509_getm_notBefore(id->cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(id->cert), 3600);
    X509_set_pubkey(id->cert, id->key);
    X509_NAME *n = X509_get_subject_name(id->cert);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(id->cert, ca ? X509_get_subject_name(ca->cert) : n);
    if (!ca) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        CHECK(e && X509_add_ext(id->cert, e, -1) == 1);
        X509_EXTENSION_free(e);
    }
    CHECK(X509_sign(id->cert, ca ? ca->key : id->key, EVP_sha256()) > 0);
    (void)snprintf(id->cert_file, sizeof id->cert_file, "%s/%s.crt", test_dir(), name);
    (void)snprintf(id->key_file, sizeof id->key_file, "%s/%s.key", test_dir(), name);
    write_pem(id);
}

void identity_free(struct identity *id) {
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}
