#pragma once
#include <stdbool.h>
// OpenSSL 3 calls SHA256_Init(3) and its like deprecated; `MessageAuthentication` says why they are used.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/err.h>
#include <openssl/pem.h>
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

/// Keeps no sessions: clients get them as tickets (RFC 8446, section 2.2), which cost the server no memory.
static inline void keepNoSessions(SSL_CTX *context) { SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); }

/// Chooses `http/1.1` for a client that offers it (ALPN, RFC 7301); refuses one that only offers others, such as `h2`.
static inline int chooseHTTP11(SSL *connection, const unsigned char **chosen, unsigned char *length,
                               const unsigned char *offered, unsigned int offeredLength, void *unused) {
  static const unsigned char ours[] = "\x08http/1.1";
  int outcome = SSL_select_next_proto((unsigned char **)chosen, length, ours, sizeof ours - 1, offered, offeredLength);
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static inline void offerHTTP11(SSL_CTX *context) { SSL_CTX_set_alpn_select_cb(context, chooseHTTP11, NULL); }

/// Called for an encrypted key. Without it OpenSSL would ask at the terminal.
static inline int refusePassphrase(char *target, int length, int isWriting, void *isEncrypted) {
  *(bool *)isEncrypted = true;
  return -1;
}

/// Reads the private key of a PEM file; 1 on success.
static inline int usePrivateKey(SSL_CTX *context, const char *path, bool *isEncrypted) {
  SSL_CTX_set_default_passwd_cb(context, refusePassphrase);
  SSL_CTX_set_default_passwd_cb_userdata(context, isEncrypted);
  int status = SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM);
  SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
  SSL_CTX_set_default_passwd_cb(context, NULL);
  return status;
}

/// Says whether a read of a BIO found nothing yet.
static inline void setRetryRead(BIO *bio, bool isEmpty) {
  BIO_clear_retry_flags(bio);
  if (isEmpty) BIO_set_retry_read(bio);
}

/// Sets the host name of the ClientHello (SNI, RFC 6066, section 3).
static inline int sendServerName(SSL *connection, const char *name) {
  return (int)SSL_set_tlsext_host_name(connection, name);
}
