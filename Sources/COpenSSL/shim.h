#pragma once
// OpenSSL 3 calls SHA256_Init(3) and its like deprecated; `MessageAuthentication` says why they are used.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Macros of OpenSSL with casts or arguments, which Swift does not import.

/// No renegotiation, which TLS 1.3 has removed, and no compression (CRIME).
static const uint64_t hardenedOptions = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION;

/// Refuses TLS 1.1 and older (RFC 8996).
static inline int requireModernVersion(SSL_CTX *context) {
  return (int)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

/// Frees the buffers of idle connections.
static inline void releaseIdleBuffers(SSL_CTX *context) { SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); }

/// Sets the host name of the ClientHello (SNI, RFC 6066, section 3).
static inline int sendServerName(SSL *connection, const char *name) {
  return (int)SSL_set_tlsext_host_name(connection, name);
}
