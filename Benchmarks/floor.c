/* The least an HTTP server can do: fixed answers from blocking threads, nothing parsed but the method and the length.
 * The load generator is measured against it: what it reaches here is its own limit, and no server can be shown to be
 * faster. Build: cc -O2 -pthread floor.c -o floor. It prints "Listening on http://127.0.0.1:PORT". */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "loopback.h"

enum { HEAD_SIZE = 64 * 1024, BLOCK_SIZE = 1024 * 1024 };

static const char HEALTH[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n\"OK\"";
static const char CREATED[] = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
static const char EXECUTED[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    "38\r\n{\"type\": \"number_of_executions\", \"execution_count\": 123}\n\r\n"
    "33\r\n{\"type\": \"result\", \"is_main_result\": true, \"t\": \"2\"}\n\r\n"
    "1d\r\n{\"type\": \"end_of_execution\" }\n\r\n0\r\n\r\n";

static int send_all(int connection, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t sent = send(connection, bytes, count, MSG_NOSIGNAL);
    if (sent <= 0) return -1;
    bytes += sent;
    count -= (size_t)sent;
  }
  return 0;
}

static int swallow(int connection, uint64_t count) {
  char *block = malloc(BLOCK_SIZE);
  if (block == NULL) return -1;
  while (count > 0) {
    ssize_t got = recv(connection, block, count < BLOCK_SIZE ? count : BLOCK_SIZE, 0);
    if (got <= 0) break;
    count -= (uint64_t)got;
  }
  free(block);
  return count == 0 ? 0 : -1;
}

/* GET /bytes/N answers N bytes. */
static int send_bytes(int connection, uint64_t count) {
  char head[128];
  int length = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", (unsigned long long)count);
  if (send_all(connection, head, (size_t)length) != 0) return -1;
  char *block = calloc(1, BLOCK_SIZE);
  int failed = block == NULL;
  while (count > 0 && !failed) {
    size_t now = count < BLOCK_SIZE ? count : BLOCK_SIZE;
    failed = send_all(connection, block, now) != 0;
    count -= now;
  }
  free(block);
  return failed ? -1 : 0;
}

static int answer(int connection, const char *head, uint64_t length, uint64_t body_here) {
  if (length > body_here && swallow(connection, length - body_here) != 0) return -1;
  if (strncmp(head, "PUT", 3) == 0) return send_all(connection, CREATED, sizeof CREATED - 1);
  if (strncmp(head, "POST", 4) == 0) return send_all(connection, EXECUTED, sizeof EXECUTED - 1);
  if (strncmp(head, "GET /bytes/", 11) == 0) return send_bytes(connection, strtoull(head + 11, NULL, 10));
  return send_all(connection, HEALTH, sizeof HEALTH - 1);
}

static void *serve(void *argument) {
  int connection = (int)(intptr_t)argument;
  char *head = malloc(HEAD_SIZE + 1);
  size_t count = 0;
  set_tcp_option(connection, TCP_NODELAY);
  while (head != NULL && count < HEAD_SIZE) {
    ssize_t got = recv(connection, head + count, HEAD_SIZE - count, 0);
    if (got <= 0) break;
    count += (size_t)got;
    head[count] = 0;
    char *end = strstr(head, "\r\n\r\n");
    if (end == NULL) continue;
    char *field = strcasestr(head, "\r\nContent-Length:");
    uint64_t length = field != NULL && field < end ? strtoull(field + 17, NULL, 10) : 0;
    if (answer(connection, head, length, count - (size_t)(end + 4 - head)) != 0) break;
    count = 0; /* The generators here do not pipeline. */
  }
  free(head);
  close(connection);
  return NULL;
}

int main(void) { return serve_on_loopback(serve); }
