/*
 * The origin every product forwards to: a keep-alive HTTP/1.1 server, one thread, one epoll.
 *
 *   origin PORT      GET /      64 B      GET /64k    64 KiB      GET /1m    1 MiB
 *                    any request with Content-Length: the body is read and answered 200, 64 B
 *
 * It trusts its peers (they are proxies under test) and costs as little as it can, so that the
 * generator, which shares its core, is not starved. Body byte i is 'a' + i % 23: a proxy that
 * loses, repeats or reorders a byte is found by comparing one response.
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

enum { HEAD_MAX = 32 << 10, READ_MAX = 256 << 10, EVENTS_MAX = 256, PAGES = 3 };

struct page {
  const char *path;
  size_t body;
  char *bytes; /* head and body in one piece: one send() */
  size_t length;
};

struct conn {
  int fd;
  int events;            /* what epoll watches for now */
  size_t held;           /* bytes in `head` */
  size_t unread;         /* request body still to come */
  const struct page *to; /* the answer under way, or NULL */
  size_t sent;
  char head[HEAD_MAX];
};

static struct page pages[PAGES] = {
    {"/ ", 64, 0, 0}, {"/64k ", 64 << 10, 0, 0}, {"/1m ", 1 << 20, 0, 0}};
static char sink[READ_MAX];
static int epoll;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void make_pages(void) {
  for (int p = 0; p < PAGES; p++) {
    struct page *page = &pages[p];
    page->bytes = malloc(page->body + 256);
    int head = sprintf(page->bytes,
                       "HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 12:00:00 GMT\r\n"
                       "Content-Type: text/plain\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       page->body);
    for (size_t i = 0; i < page->body; i++) page->bytes[head + i] = 'a' + i % 23;
    page->length = head + page->body;
  }
}

static void watch(struct conn *conn, int events) {
  if (conn->events == events) return;
  struct epoll_event event = {.events = events, .data.ptr = conn};
  epoll_ctl(epoll, conn->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, conn->fd, &event);
  conn->events = events;
}

static void shut(struct conn *conn) {
  close(conn->fd);
  free(conn);
}

/* Returns 0 when the connection is gone. */
static int answer(struct conn *conn) {
  while (conn->sent < conn->to->length) {
    ssize_t n = send(conn->fd, conn->to->bytes + conn->sent, conn->to->length - conn->sent,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) {
      watch(conn, EPOLLOUT);
      return 1;
    }
    if (n <= 0) {
      shut(conn);
      return 0;
    }
    conn->sent += n;
  }
  conn->to = NULL;
  watch(conn, EPOLLIN);
  return 1;
}

static const struct page *choose(const char *head) {
  const char *target = strchr(head, ' ');
  for (int p = 1; target && p < PAGES; p++)
    if (!strncmp(target + 1, pages[p].path, strlen(pages[p].path))) return &pages[p];
  return &pages[0];
}

/* Reads heads out of what is held until the bytes run out. Returns 0 when the connection is gone. */
static int parse(struct conn *conn) {
  char *end;
  while (!conn->to && (end = memmem(conn->head, conn->held, "\r\n\r\n", 4))) {
    end[2] = 0;
    size_t head = end + 4 - conn->head, rest = conn->held - head;
    char *length = strcasestr(conn->head, "\ncontent-length:");
    size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
    size_t here = rest < body ? rest : body;
    const struct page *page = choose(conn->head);
    memmove(conn->head, conn->head + head + here, conn->held = rest - here);
    conn->to = page;
    conn->sent = 0;
    conn->unread = body - here;
    if (conn->unread == 0 && !answer(conn)) return 0;
  }
  return 1;
}

static void readable(struct conn *conn) {
  if (conn->unread > 0) {
    size_t want = conn->unread < READ_MAX ? conn->unread : READ_MAX;
    ssize_t n = recv(conn->fd, sink, want, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return shut(conn);
    conn->unread -= n;
    if (conn->unread == 0 && answer(conn)) parse(conn);
    return;
  }
  ssize_t n = recv(conn->fd, conn->head + conn->held, HEAD_MAX - conn->held, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return shut(conn); /* a full buffer without a head ends here too */
  conn->held += n;
  parse(conn);
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: origin PORT\n"), 2;
  signal(SIGPIPE, SIG_IGN);
  make_pages();
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(atoi(argv[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) fail("listen");
  epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, ready[EVENTS_MAX];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int count = epoll_wait(epoll, ready, EVENTS_MAX, -1);
    for (int i = 0; i < count; i++) {
      struct conn *conn = ready[i].data.ptr;
      if (!conn) {
        int fd;
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          conn = calloc(1, sizeof *conn);
          conn->fd = fd;
          watch(conn, EPOLLIN);
        }
      } else if (ready[i].events & EPOLLOUT) {
        if (answer(conn)) parse(conn);
      } else {
        readable(conn);
      }
    }
  }
}
