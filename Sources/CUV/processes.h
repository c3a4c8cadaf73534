#pragma once
// What glibc of Debian 12 does not declare, or as a variadic function, which Swift does not import.
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/// pidfd_open(2): a descriptor that becomes readable when the process ends.
static inline int openProcess(int process) { return (int)syscall(SYS_pidfd_open, process, 0u); }

/// PR_SET_CHILD_SUBREAPER: whether descendants of ours become our children when their parents end.
static inline int adoptOrphans(int wanted) { return prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)wanted, 0, 0, 0); }

/// A child that has ended and that nobody has waited for yet; 0 where there is none. It stays as it is.
static inline int endedChild(void) {
  siginfo_t information = {0};
  if (waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) != 0) return 0;
  return information.si_pid;
}
