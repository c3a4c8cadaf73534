#pragma once
// What glibc declares only under _GNU_SOURCE, or as a variadic function, which Swift does not import.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

/// A descriptor of a place in the tree, without read access (O_PATH).
static const int openPathOnly = __O_PATH;
/// A file without a name, which vanishes with its last descriptor (O_TMPFILE).
static const int openUnnamed = __O_TMPFILE;

/// openat2(2) with a resolution that can neither leave `directory` nor go through a magic link of procfs.
static inline int openBeneath(int directory, const char *path, int flags, unsigned int mode) {
  struct open_how how = {0};
  how.flags = (uint64_t)(unsigned int)flags;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

/// Asks the kernel to begin writing a range of a file to disk, without waiting for it (SYNC_FILE_RANGE_WRITE).
static inline int beginWriteback(int file, int64_t offset, int64_t length) {
  return (int)syscall(SYS_sync_file_range, file, offset, length, 2u);
}

/// sendfile(2): lets a socket take bytes of a file, from the page cache, without a copy.
static inline int64_t cuv_sendfile(int socket, int file, int64_t offset, int64_t count) {
  off_t position = offset;
  return sendfile(socket, file, &position, (size_t)count);
}
