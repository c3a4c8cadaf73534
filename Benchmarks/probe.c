/* The least a Jupyter kernel can do, and one that tells when it did it: what lies between the client and this kernel is
 * not the kernel's time. Of an execution it says what ipykernel says of `1+1`. The code is a number: how many
 * microseconds it computes before each message, as a kernel does.
 *
 * The times, in nanoseconds of CLOCK_MONOTONIC, are in the file that PROBE_STAMPS names: when it had the request, and
 * just before it sent its last message. It is started with the path of a connection file, believes whoever knows where
 * its sockets are, and signs what it says. Build: cc -O2 probe.c -lzmq -lcrypto -o probe. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { PARTS = 16, PART_SIZE = 64 * 1024, ANSWER_SIZE = 256, VALUE_SIZE = 512 };

static const char DELIMITER[] = "<IDS|MSG>";

struct stamps {
  volatile uint64_t received, last;
};

/* A request: its identities, and the parts behind the signature. */
struct request {
  int identities, parts;
  size_t sizes[PARTS];
  char part[PARTS][PART_SIZE];
};

static char key[VALUE_SIZE];
static struct stamps *stamps;
static void *shell, *iopub, *control;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void compute(long microseconds) {
  uint64_t end = now() + (uint64_t)microseconds * 1000;
  while (now() < end) {}
}

/* The value of a name in JSON that has it once, without escapes. */
static void read_value(const char *json, const char *name, char *value) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\"", name);
  const char *at = strstr(json, quoted);
  *value = 0;
  if (at == NULL) return;
  at += strlen(quoted);
  at += strspn(at, ": \"");
  size_t length = strcspn(at, "\",}\n");
  snprintf(value, VALUE_SIZE, "%.*s", (int)length, at);
}

static void *bind_socket(void *context, int kind, const char *connection, const char *port_name) {
  char transport[VALUE_SIZE], ip[VALUE_SIZE], port[VALUE_SIZE], address[2000];
  read_value(connection, "transport", transport);
  read_value(connection, "ip", ip);
  read_value(connection, port_name, port);
  snprintf(address, sizeof address, "%s://%s%c%s", transport, ip, strcmp(transport, "ipc") ? ':' : '-', port);
  void *made = zmq_socket(context, kind);
  if (made == NULL || zmq_bind(made, address) != 0) fail(address);
  return made;
}

/* Receives what is there; false for what is no message of Jupyter's. `first` is when its first part was there. */
static int receive(void *from, struct request *request, uint64_t *first) {
  int more = 1, delimiter = -1;
  size_t size = sizeof more;
  for (request->parts = 0; more && request->parts < PARTS; request->parts++) {
    int count = zmq_recv(from, request->part[request->parts], PART_SIZE - 1, 0);
    if (request->parts == 0) *first = now();
    if (count < 0 || count >= PART_SIZE) return 0;
    request->sizes[request->parts] = (size_t)count;
    request->part[request->parts][count] = 0;
    if (delimiter < 0 && strcmp(request->part[request->parts], DELIMITER) == 0) delimiter = request->parts;
    zmq_getsockopt(from, ZMQ_RCVMORE, &more, &size);
  }
  request->identities = delimiter;
  return delimiter >= 0 && request->parts >= delimiter + 6;
}

static const char *header_of(const struct request *request) { return request->part[request->identities + 2]; }
static const char *content_of(const struct request *request) { return request->part[request->identities + 5]; }

static void send_part(void *to, const char *bytes, size_t size) { zmq_send(to, bytes, size, ZMQ_SNDMORE); }

/* Says something that belongs to `request`: to its sender on shell, with its type as the topic on iopub. */
static void say(void *to, const struct request *request, const char *type, const char *content) {
  static unsigned count;
  char header[ANSWER_SIZE], all[2 * PART_SIZE], signature[2 * EVP_MAX_MD_SIZE + 1];
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  snprintf(header, sizeof header,
           "{\"msg_id\":\"probe-%u\",\"session\":\"probe\",\"username\":\"probe\","
           "\"date\":\"2024-01-01T00:00:00.000000Z\",\"msg_type\":\"%s\",\"version\":\"5.3\"}", ++count, type);
  int size = snprintf(all, sizeof all, "%s%s{}%s", header, header_of(request), content);
  HMAC(EVP_sha256(), key, (int)strlen(key), (unsigned char *)all, (size_t)size, digest, &length);
  for (unsigned index = 0; index < length; index++) sprintf(signature + 2 * index, "%02x", digest[index]);
  if (to == iopub) send_part(to, type, strlen(type));
  for (int index = 0; to != iopub && index < request->identities; index++)
    send_part(to, request->part[index], request->sizes[index]);
  send_part(to, DELIMITER, strlen(DELIMITER));
  send_part(to, signature, 2 * length);
  send_part(to, header, strlen(header));
  send_part(to, header_of(request), strlen(header_of(request)));
  send_part(to, "{}", 2);
  zmq_send(to, content, strlen(content), 0);
}

static void execute(const struct request *request, uint64_t received) {
  static unsigned count;
  char value[VALUE_SIZE], input[ANSWER_SIZE], result[ANSWER_SIZE], reply[ANSWER_SIZE];
  read_value(content_of(request), "code", value);
  long pause = atol(value);
  count++;
  snprintf(input, sizeof input, "{\"code\":\"%ld\",\"execution_count\":%u}", pause, count);
  snprintf(result, sizeof result, "{\"data\":{\"text/plain\":\"2\"},\"metadata\":{},\"execution_count\":%u}", count);
  snprintf(reply, sizeof reply,
           "{\"status\":\"ok\",\"execution_count\":%u,\"user_expressions\":{},\"payload\":[]}", count);
  compute(pause);
  say(iopub, request, "status", "{\"execution_state\":\"busy\"}");
  compute(pause);
  say(iopub, request, "execute_input", input);
  compute(pause);
  say(iopub, request, "execute_result", result);
  compute(pause);
  say(shell, request, "execute_reply", reply);
  compute(pause);
  stamps->received = received;
  stamps->last = now();
  say(iopub, request, "status", "{\"execution_state\":\"idle\"}");
}

static void answer(void *from, const struct request *request, uint64_t received) {
  char type[VALUE_SIZE];
  read_value(header_of(request), "msg_type", type);
  if (strcmp(type, "execute_request") == 0) return execute(request, received);
  if (strcmp(type, "shutdown_request") == 0) exit(0);
  say(iopub, request, "status", "{\"execution_state\":\"busy\"}");
  if (strcmp(type, "kernel_info_request") == 0)
    say(from, request, "kernel_info_reply",
        "{\"status\":\"ok\",\"protocol_version\":\"5.3\",\"implementation\":\"probe\","
        "\"language_info\":{\"name\":\"probe\"},\"banner\":\"\"}");
  say(iopub, request, "status", "{\"execution_state\":\"idle\"}");
}

static void map_stamps(const char *path) {
  int file = open(path, O_RDWR | O_CREAT, 0600);
  if (file < 0 || ftruncate(file, sizeof *stamps) != 0) fail(path);
  stamps = mmap(NULL, sizeof *stamps, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (stamps == MAP_FAILED) fail(path);
}

int main(int count, char **arguments) {
  static char connection[PART_SIZE];
  static struct request request;
  const char *path = getenv("PROBE_STAMPS");
  int file = count == 2 ? open(arguments[1], O_RDONLY) : -1;
  if (path == NULL || file < 0 || read(file, connection, sizeof connection - 1) < 0) fail("connection file");
  map_stamps(path);
  read_value(connection, "key", key);
  void *context = zmq_ctx_new();
  control = bind_socket(context, ZMQ_ROUTER, connection, "control_port");
  iopub = bind_socket(context, ZMQ_PUB, connection, "iopub_port");
  shell = bind_socket(context, ZMQ_ROUTER, connection, "shell_port");
  zmq_pollitem_t items[] = {{shell, 0, ZMQ_POLLIN, 0}, {control, 0, ZMQ_POLLIN, 0}};
  while (zmq_poll(items, 2, -1) >= 0)
    for (int index = 0; index < 2; index++) {
      uint64_t received = 0;
      if ((items[index].revents & ZMQ_POLLIN) && receive(items[index].socket, &request, &received))
        answer(items[index].socket, &request, received);
    }
  return 0;
}
