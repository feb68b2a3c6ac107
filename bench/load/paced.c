/*
 * A client at an even pace over kept TLS connections, and how long each answer took.
 *
 *   paced PORT NAME SECONDS CONNECTIONS PER_SECOND
 *
 * Requests fall due at random, as those of many clients do (Poisson, always the same seed), however
 * slow the answers are; time counts from then on, so that waiting for a free connection is in it.
 * It prints a line `failed N` and the microseconds of every answer, a line each.
 */
#include "tls.h"

#include <math.h>
#include <sys/timerfd.h>

enum { EVENTS_MAX = 256, CONNECTIONS_MAX = 256, ANSWER_MAX = 4096, REQUESTS_MAX = 1 << 20 };

struct conn {
  int fd;
  SSL *ssl;
  int busy;
  long long due;
  size_t held;
  char answer[ANSWER_MAX];
};

static struct conn conns[CONNECTIONS_MAX];
static int count, timer;
static long long due, until;
static double mean_ns;
static char request[512];
static int request_length;
static long failed, asked, answered;
static unsigned took_us[REQUESTS_MAX];

static void fail(const char *what) {
  fprintf(stderr, "paced: %s\n", what);
  exit(1);
}

/* Whole head and body of a 200 are there. */
static int complete(struct conn *conn) {
  conn->answer[conn->held] = 0;
  char *end = strstr(conn->answer, "\r\n\r\n");
  if (!end) return 0;
  char *length = strcasestr(conn->answer, "\ncontent-length:");
  size_t body = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
  return conn->held >= (size_t)(end + 4 - conn->answer) + body;
}

static void ask(struct conn *conn) {
  conn->busy = 1;
  conn->due = due;
  conn->held = 0;
  asked++;
  if (SSL_write(conn->ssl, request, request_length) != request_length) fail("cannot write");
}

/* Asks what is due, as long as a connection is free, and sets the timer for what is not yet. */
static void pace(void) {
  for (int i = 0; i < count && due <= now_ns() && due < until; i++) {
    if (conns[i].busy) continue;
    ask(&conns[i]);
    due += -log(1 - drand48()) * mean_ns;
  }
  struct itimerspec next = {.it_value = {due / NS_A_SECOND, due % NS_A_SECOND}};
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &next, NULL);
}

static void readable(struct conn *conn) {
  int result = 0;
  while (conn->held < ANSWER_MAX - 1 &&
         (result = SSL_read(conn->ssl, conn->answer + conn->held, ANSWER_MAX - 1 - conn->held)) > 0)
    conn->held += result;
  if (conn->held == ANSWER_MAX - 1 || !wants_more(conn->ssl, result)) fail("a connection broke");
  if (!conn->busy || !complete(conn)) return;
  if (strncmp(conn->answer, "HTTP/1.1 200 ", 13)) failed++;
  if (answered < REQUESTS_MAX) took_us[answered++] = (now_ns() - conn->due) / 1000;
  conn->busy = 0;
}

int main(int argc, char **argv) {
  if (argc != 6) return fprintf(stderr, "usage: paced PORT NAME SECONDS CONNECTIONS PER_SECOND\n"), 2;
  signal(SIGPIPE, SIG_IGN);
  const char *name = argv[2];
  count = atoi(argv[4]);
  if (count < 1 || count > CONNECTIONS_MAX) fail("too many connections");
  mean_ns = NS_A_SECOND / atof(argv[5]);
  request_length =
      snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", name);
  srand48(20261125);
  SSL_CTX *context = open_context(TLS1_3_VERSION);
  int epoll = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    struct conn *conn = &conns[i];
    conn->fd = open_socket(atoi(argv[1]));
    if (conn->fd < 0) fail("cannot connect");
    fcntl(conn->fd, F_SETFL, 0);
    conn->ssl = open_ssl(context, conn->fd, name);
    if (SSL_connect(conn->ssl) != 1) fail("no handshake");
    fcntl(conn->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = conn};
    epoll_ctl(epoll, EPOLL_CTL_ADD, conn->fd, &event);
  }
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event tick = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &tick);
  due = now_ns();
  until = due + atoi(argv[3]) * NS_A_SECOND;
  pace();
  /* A second more for the last answers. */
  while (now_ns() < until + NS_A_SECOND && (due < until || answered < asked)) {
    struct epoll_event ready[EVENTS_MAX];
    int events = epoll_wait(epoll, ready, EVENTS_MAX, 1000);
    for (int i = 0; i < events; i++)
      if (ready[i].data.ptr) readable(ready[i].data.ptr);
    pace();
  }
  printf("failed %ld\n", failed + asked - answered);
  for (long i = 0; i < answered; i++) printf("%u\n", took_us[i]);
  return 0;
}
