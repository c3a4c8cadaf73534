#pragma once
#include <zmq.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <errno.h>
#include <unistd.h>

/* The functions of libzmq that are used, by their names without "zmq_". */
#define CZMQ_FUNCTIONS(EACH) \
  EACH(ctx_new) EACH(ctx_set) EACH(ctx_term) EACH(socket) EACH(close) EACH(connect) EACH(socket_monitor) \
  EACH(setsockopt) EACH(getsockopt) EACH(msg_init) EACH(msg_init_size) EACH(msg_init_data) EACH(msg_send) \
  EACH(msg_recv) EACH(msg_more) EACH(msg_size) EACH(msg_data) EACH(msg_move) EACH(msg_close)

#define CZMQ_POINTER(name) __typeof__(&zmq_##name) name;
struct czmq_functions { CZMQ_FUNCTIONS(CZMQ_POINTER) };

#define CZMQ_FIND(name) \
  if (!(functions->name = (__typeof__(&zmq_##name))dlsym(library, "zmq_" #name))) return dlerror();

/* Loads libzmq and finds its functions; null, or why that fails (dlerror(3)). */
static inline const char *czmq_load(struct czmq_functions *functions) {
  void *library = dlopen("libzmq.so.5", RTLD_NOW);
  if (!library) return dlerror();
  CZMQ_FUNCTIONS(CZMQ_FIND)
  return 0;
}

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
