#pragma once
#include <zmq.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <errno.h>
#include <unistd.h>

/* Zero if `count` descriptors are free, else an errno. libzmq aborts the process where it lacks some (zmq_assert). */
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

/* Zero if `count` threads can be started, else an errno. */
static inline int czmq_missing_threads(int count) {
  pthread_t threads[8];
  int number = 0, error = 0;
  if (count > 8) count = 8;
  while (number < count && (error = pthread_create(&threads[number], NULL, czmq_no_work, NULL)) == 0) number++;
  while (number > 0) pthread_join(threads[--number], NULL);
  return error;
}
