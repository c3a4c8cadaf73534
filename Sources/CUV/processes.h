#pragma once
// What glibc of Debian 12 does not declare, or as a variadic function, which Swift does not import.
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/// pidfd_open(2): a descriptor that becomes readable when the process ends.
static inline int openProcess(int process) { return (int)syscall(SYS_pidfd_open, process, 0u); }

/// PIDFD_SIGNAL_PROCESS_GROUP, since Linux 6.9: signals the process group of the process.
static const unsigned int toProcessGroup = 1u << 2;

/// pidfd_send_signal(2): signals the process of a pidfd, and no later one with the same number.
static inline int signalProcess(int descriptor, int signal, unsigned int flags) {
  return (int)syscall(SYS_pidfd_send_signal, descriptor, signal, NULL, flags);
}

/// PR_SET_CHILD_SUBREAPER: adopts descendants whose parents have ended.
static inline int adoptOrphans(int wanted) { return prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)wanted, 0, 0, 0); }

/// PR_SET_DUMPABLE: no core, and no access by other processes of the user.
static inline int forbidDumps(void) { return prctl(PR_SET_DUMPABLE, 0ul, 0, 0, 0); }

/// close_range(2) with CLOSE_RANGE_CLOEXEC, since Linux 5.11: marks all descriptors from `first` on.
static inline int closeRangeOnExec(unsigned int first) {
  return (int)syscall(SYS_close_range, first, ~0u, 1u << 2);
}

/// The version of Landlock (landlock_create_ruleset(2)), negative without it.
static inline int landlockABI(void) { return (int)syscall(444, NULL, (size_t)0, 1u); }

/// Whether seccomp(2) can make system calls fail: SECCOMP_GET_ACTION_AVAIL of SECCOMP_RET_ERRNO.
static inline bool canFilterSystemCalls(void) {
  uint32_t action = 0x00050000u;
  return syscall(SYS_seccomp, 2u, 0u, &action) == 0;
}

extern char **environ;

/// Overwrites the values of a variable where the system has put them, and removes it from the environment.
static inline void wipeVariable(const char *name) {
  size_t length = strlen(name);
  for (char **entry = environ; entry && *entry; entry++)
    if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
      explicit_bzero(*entry + length + 1, strlen(*entry + length + 1));
  unsetenv(name);
}

/// prlimit(2): sets the soft limit of file locks (RLIMIT_LOCKS) of a process, not the hard one.
static inline int limitFileLocks(int process, uint64_t number) {
  struct { uint64_t soft, hard; } limits;
  if (syscall(SYS_prlimit64, process, RLIMIT_LOCKS, NULL, &limits) != 0) return -1;
  limits.soft = number;
  return (int)syscall(SYS_prlimit64, process, RLIMIT_LOCKS, &limits, NULL);
}

/// The soft limit of file locks of a process; false if the system denies it.
static inline bool fileLockLimit(int process, uint64_t *number) {
  struct { uint64_t soft, hard; } limits;
  if (syscall(SYS_prlimit64, process, RLIMIT_LOCKS, NULL, &limits) != 0) return false;
  *number = limits.soft;
  return true;
}

/// prlimit(2): limits the private writable memory (RLIMIT_DATA) of a process; never above its hard limit.
static inline int limitData(int process, uint64_t soft, uint64_t hard) {
  struct { uint64_t soft, hard; } limits;
  if (syscall(SYS_prlimit64, process, RLIMIT_DATA, NULL, &limits) != 0) return -1;
  if (hard < limits.hard) limits.hard = hard;
  limits.soft = soft < limits.hard ? soft : limits.hard;
  return (int)syscall(SYS_prlimit64, process, RLIMIT_DATA, &limits, NULL);
}

/// A zombie child, which is not reaped; 0 if there is none (waitid(2) with WNOWAIT).
static inline int endedChild(void) {
  siginfo_t information = {0};
  if (waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) != 0) return 0;
  return information.si_pid;
}
