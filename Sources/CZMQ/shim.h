#pragma once
#include <zmq.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <errno.h>
#include <unistd.h>

/* Why sockets of libzmq had better not be made now: fewer than `count` descriptors are free, or no thread can be started.
 * Zero where nothing is in the way, else an errno. */
static inline int czmq_missing_descriptors(int count) {
  int taken[64];
  int number = 0, error = 0;
  if (count > 64) count = 64;
  while (number < count && (taken[number] = eventfd(0, EFD_CLOEXEC)) >= 0) number++;
  if (number < count) error = errno;
  while (number > 0) close(taken[--number]);
  return error;
}

static inline void *czmq_no_work(void *nothing) { return nothing; }

/* Likewise: whether `count` threads can be started. */
static inline int czmq_missing_threads(int count) {
  pthread_t threads[8];
  int number = 0, error = 0;
  if (count > 8) count = 8;
  while (number < count && (error = pthread_create(&threads[number], NULL, czmq_no_work, NULL)) == 0) number++;
  while (number > 0) pthread_join(threads[--number], NULL);
  return error;
}
