/* The least that a process between a client and a Jupyter Server can do: it passes on the bytes of each connection, both
 * ways, and looks at none of them. What executions take longer through it is what being asked through somebody costs on
 * this machine, whoever that is. Build: cc -O2 -pthread relay.c -o relay. `relay PORT` prints
 * "Listening on http://127.0.0.1:PORT" and relays to the PORT that it was given. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>

#include "loopback.h"

enum { BLOCK_SIZE = 256 * 1024 };

static struct sockaddr_in target = {.sin_family = AF_INET};

/* Passes on what has come; 0 at the end. Acknowledged at once, as Jupyter Server waits for that before it sends more. */
static int pass(int from, int to, char *block) {
  ssize_t got = recv(from, block, BLOCK_SIZE, 0);
  if (got <= 0) return 0;
  for (ssize_t sent = 0; sent < got;) {
    ssize_t taken = send(to, block + sent, (size_t)(got - sent), MSG_NOSIGNAL);
    if (taken <= 0) return 0;
    sent += taken;
  }
  set_tcp_option(from, TCP_QUICKACK);
  return 1;
}

static void *relay(void *argument) {
  int client = (int)(intptr_t)argument, server = socket(AF_INET, SOCK_STREAM, 0);
  char *block = malloc(BLOCK_SIZE);
  if (block != NULL && server >= 0 && connect(server, (struct sockaddr *)&target, sizeof target) == 0) {
    struct pollfd ends[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    set_tcp_option(client, TCP_NODELAY);
    set_tcp_option(server, TCP_NODELAY);
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
  if (count != 2) return 2;
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  target.sin_port = htons((uint16_t)atoi(arguments[1]));
  return serve_on_loopback(relay);
}
