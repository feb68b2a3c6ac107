/*
 * The floor: what a user-space HTTP/1.1 proxy on sockets costs when parsing is free.
 *
 *   relay PORT ORIGIN_PORT [READ_KIB]
 *
 * One thread, one level-triggered epoll, a LIFO pool of origin connections. A request head is
 * searched for its end, gets the header bytes every product adds, and goes out in one send();
 * bodies with Content-Length pass through both ways; the response is not touched. Nothing is
 * validated, matched, limited, timed or counted: it is a denominator and not a proxy.
 *
 *   downstream fd ── conn ◄─ peer ─► conn ── upstream fd          idle upstreams: pool ─► conn ─► …
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX = 16 << 10, READ_MAX = 512 << 10, EVENTS_MAX = 256 };

static const char ADDED[] =
    "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
    "X-Forwarded-Host: bench.example\r\nX-Forwarded-Port: 8000\r\n"
    "X-Real-IP: 127.0.0.1\r\nVia: 1.1 floor\r\n\r\n";

struct conn {
  int fd, upstream, events;
  struct conn *peer, *next;
  size_t left;   /* body bytes of the message being read that are still to come */
  int in_head;   /* upstream: the response head is still to come */
  char *tail;    /* what the kernel did not take, or NULL */
  size_t tail_at, tail_length;
  char *head;    /* an incomplete head, or NULL */
  size_t held;
  struct conn *dead; /* closed in this turn of the loop: freed at its end */
};

static char buffer[READ_MAX], slab[HEAD_MAX + READ_MAX + sizeof ADDED];
static size_t read_max = 256 << 10;
static struct sockaddr_in origin;
static struct conn *pool, *graveyard;
static int epoll;

static void watch(struct conn *conn, int events) {
  if (conn->events == events) return;
  struct epoll_event event = {.events = events, .data.ptr = conn};
  epoll_ctl(epoll, EPOLL_CTL_MOD, conn->fd, &event);
  conn->events = events;
}

static struct conn *adopt(int fd, int upstream) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct conn *conn = calloc(1, sizeof *conn);
  *conn = (struct conn){.fd = fd, .upstream = upstream, .events = EPOLLIN};
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  return conn;
}

static void shut(struct conn *conn) {
  if (conn->fd < 0) return;
  for (struct conn **at = &pool; conn->upstream && *at; at = &(*at)->next)
    if (*at == conn) {
      *at = conn->next;
      break;
    }
  close(conn->fd);
  conn->fd = -1;
  free(conn->tail);
  free(conn->head);
  conn->dead = graveyard;
  graveyard = conn;
  struct conn *peer = conn->peer;
  conn->peer = NULL;
  if (peer) peer->peer = NULL, shut(peer);
}

static struct conn *take(void) {
  struct conn *conn = pool;
  if (conn) {
    pool = conn->next;
    return conn;
  }
  /* A blocking connect is at most 64 of them on loopback, all before the first timed request. */
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (void *)&origin, sizeof origin)) {
    close(fd);
    return NULL;
  }
  return adopt(fd, 1);
}

/* Sends, or keeps the rest as the tail and stops reading from whom it came. */
static int forward(struct conn *from, struct conn *to, const char *bytes, size_t length) {
  ssize_t n = send(to->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && errno != EAGAIN) return shut(to), 0;
  if (n < 0) n = 0;
  if ((size_t)n == length) return 1;
  to->tail = malloc(length - n);
  memcpy(to->tail, bytes + n, length - n);
  to->tail_at = 0;
  to->tail_length = length - n;
  watch(to, EPOLLIN | EPOLLOUT);
  watch(from, 0);
  return 1;
}

static void writable(struct conn *conn) {
  ssize_t n = send(conn->fd, conn->tail + conn->tail_at, conn->tail_length - conn->tail_at,
                   MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n < 0) return shut(conn);
  conn->tail_at += n;
  if (conn->tail_at < conn->tail_length) return;
  free(conn->tail);
  conn->tail = NULL;
  watch(conn, EPOLLIN);
  if (conn->peer) watch(conn->peer, EPOLLIN);
}

static size_t content_length(char *head, char *end) {
  char kept = *end;
  *end = 0;
  char *field = strcasestr(head, "\ncontent-length:");
  *end = kept;
  return field ? strtoul(field + 16, NULL, 10) : 0;
}

static void request(struct conn *down, char *bytes, size_t length) {
  char *end = memmem(bytes, length, "\r\n\r\n", 4);
  if (!end) {
    if (down->head != bytes) {
      if (length > HEAD_MAX) return shut(down);
      if (!down->head) down->head = malloc(2 * HEAD_MAX);
      memcpy(down->head, bytes, down->held = length);
    } else {
      down->held = length;
    }
    return;
  }
  size_t fields = end + 2 - bytes, body = length - fields - 2;
  struct conn *up = take();
  if (!up) return shut(down);
  down->left = bytes[0] == 'G' ? 0 : content_length(bytes, end) - body;
  down->held = 0;
  down->peer = up;
  up->peer = down;
  up->in_head = 1;
  memcpy(slab, bytes, fields);
  memcpy(slab + fields, ADDED, sizeof ADDED - 1);
  memcpy(slab + fields + sizeof ADDED - 1, end + 4, body);
  forward(down, up, slab, fields + sizeof ADDED - 1 + body);
}

static void downstream(struct conn *down) {
  ssize_t n = recv(down->fd, buffer, read_max, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return shut(down);
  if (down->peer) {
    down->left -= n;
    forward(down, down->peer, buffer, n);
  } else if (down->held) {
    if (down->held + n > HEAD_MAX) return shut(down);
    memcpy(down->head + down->held, buffer, n);
    request(down, down->head, down->held + n);
  } else {
    request(down, buffer, n);
  }
}

static void upstream(struct conn *up) {
  ssize_t n = recv(up->fd, buffer, read_max, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  struct conn *down = up->peer;
  if (n <= 0 || !down) return shut(up);
  if (up->in_head) {
    /* An origin that splits its head is not ours: it would be counted as broken. */
    char *end = memmem(buffer, n, "\r\n\r\n", 4);
    if (!end) return shut(up);
    up->left = content_length(buffer, end) + (end + 4 - buffer);
    up->in_head = 0;
  }
  up->left -= n;
  if (!forward(up, down, buffer, n) || up->left > 0) return;
  down->peer = up->peer = NULL;
  watch(up, EPOLLIN);
  up->next = pool;
  pool = up;
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: relay PORT ORIGIN_PORT [READ_KIB]\n"), 2;
  if (argc > 3) read_max = (size_t)atoi(argv[3]) << 10;
  if (read_max < 1024 || read_max > READ_MAX) return fprintf(stderr, "READ_KIB: 1 to 512\n"), 2;
  signal(SIGPIPE, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(atoi(argv[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  origin = address;
  origin.sin_port = htons(atoi(argv[2]));
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096))
    return perror("listen"), 1;
  epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, ready[EVENTS_MAX];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int count = epoll_wait(epoll, ready, EVENTS_MAX, -1);
    for (int i = 0; i < count; i++) {
      struct conn *conn = ready[i].data.ptr;
      int fd;
      if (!conn)
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) adopt(fd, 0);
      else if (conn->fd >= 0 && conn->tail && ready[i].events & (EPOLLOUT | EPOLLERR))
        writable(conn);
      else if (conn->fd >= 0)
        (conn->upstream ? upstream : downstream)(conn);
    }
    while (graveyard) {
      struct conn *conn = graveyard;
      graveyard = conn->dead;
      free(conn);
    }
  }
}
