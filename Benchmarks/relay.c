/* The least that a process between a client and a Jupyter Server can do: it passes on the bytes of each connection, both
 * ways, and looks at none of them. What executions take longer through it is what being asked through somebody costs on
 * this machine, whoever that is. Build: cc -O2 -pthread relay.c -o relay. `relay PORT` prints
 * "Listening on http://127.0.0.1:PORT" and relays to the PORT that it was given. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCK_SIZE = 256 * 1024 };

static struct sockaddr_in target = {.sin_family = AF_INET};

static void set_option(int connection, int option) {
  int one = 1;
  setsockopt(connection, IPPROTO_TCP, option, &one, sizeof one);
}

/* Passes on what has come; 0 at the end. Acknowledged at once, as Jupyter Server waits for that before it sends more. */
static int pass(int from, int to, char *block) {
  ssize_t got = recv(from, block, BLOCK_SIZE, 0);
  if (got <= 0) return 0;
  for (ssize_t sent = 0; sent < got;) {
    ssize_t taken = send(to, block + sent, (size_t)(got - sent), MSG_NOSIGNAL);
    if (taken <= 0) return 0;
    sent += taken;
  }
  set_option(from, TCP_QUICKACK);
  return 1;
}

static void *relay(void *argument) {
  int client = (int)(intptr_t)argument, server = socket(AF_INET, SOCK_STREAM, 0);
  char *block = malloc(BLOCK_SIZE);
  if (block != NULL && server >= 0 && connect(server, (struct sockaddr *)&target, sizeof target) == 0) {
    struct pollfd ends[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    set_option(client, TCP_NODELAY);
    set_option(server, TCP_NODELAY);
    for (int going = 1; going && poll(ends, 2, -1) > 0;) {
      if (ends[0].revents) going = pass(client, server, block);
      if (going && ends[1].revents) going = pass(server, client, block);
    }
  }
  free(block);
  close(client);
  if (server >= 0) close(server);
  return NULL;
}

int main(int count, char **arguments) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (count != 2) return 2;
  target.sin_addr = address.sin_addr;
  target.sin_port = htons((uint16_t)atoi(arguments[1]));
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 64) != 0) return 1;
  getsockname(listener, (struct sockaddr *)&address, &size);
  printf("Listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    int connection = accept(listener, NULL, NULL);
    pthread_t thread;
    if (connection < 0) continue;
    if (pthread_create(&thread, NULL, relay, (void *)(intptr_t)connection) == 0) pthread_detach(thread);
    else close(connection);
  }
}
