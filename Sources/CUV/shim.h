#pragma once
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <uv.h>

// Declared by glibc for _GNU_SOURCE alone, which Swift's Glibc module is built without.
extern int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags);

/// Accepts a connection with SOCK_NONBLOCK and SOCK_CLOEXEC; -1 and errno on failure.
static inline int cuv_accept(int listener) {
  return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/// The number of written bytes that the peer has not acknowledged (tcp(7), SIOCOUTQ); -1 and errno on failure.
static inline int cuv_unacknowledged(int socket) {
  int count = 0;
  return ioctl(socket, SIOCOUTQ, &count) == 0 ? count : -1;
}
