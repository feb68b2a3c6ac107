/*
 * Handshakes as fast as they go: so many connections at a time, each shakes hands, says that it
 * closes, waits until the server has closed, and begins anew. No request is made.
 *
 *   handshakes PORT NAME SECONDS CONNECTIONS 1.2|1.3 full|resumed|hello
 *
 * The server's end is awaited, since a client is done before the server has read its last message.
 * `resumed` gets one session by one request, for some servers send tickets with their first bytes
 * only, and shows it each time. `hello` is an attack: always the same ClientHello, which costs the
 * client nothing, and a reset as soon as the server has done its part. It prints what was agreed on,
 * and in the words of wrk's script (wrk.ts): handshakes, bytes (0), refused, broken, late, and not
 * as asked.
 */
#include "tls.h"

enum { EVENTS_MAX = 256, CONNECTIONS_MAX = 1024 };

struct conn {
  int fd;
  int open;
  SSL *ssl; /* NULL in an attack */
  int shaken;
};

static int port, resumed, epoll;
/* What `hello` sends; 0 bytes otherwise. */
static unsigned char hello[4096];
static int hello_length;
static const char *name;
static SSL_CTX *context;
static SSL_SESSION *session;
static long done, refused, broken, unlike;
static char agreed[128];

static int keep_session(SSL *ssl, SSL_SESSION *fresh) {
  (void)ssl;
  if (session) return 0;
  session = fresh;
  return 1;
}

static void begin(struct conn *conn) {
  conn->shaken = 0;
  conn->fd = open_socket(port);
  conn->open = conn->fd >= 0;
  if (!conn->open) {
    refused++;
    return;
  }
  conn->ssl = hello_length ? NULL : open_ssl(context, conn->fd, name);
  if (resumed) SSL_set_session(conn->ssl, session);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = conn};
  epoll_ctl(epoll, EPOLL_CTL_ADD, conn->fd, &event);
}

static void end(struct conn *conn) {
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  if (hello_length) setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  SSL_free(conn->ssl);
  close(conn->fd);
  conn->open = 0;
  ERR_clear_error();
}

/* Returns 1 when the server has answered the hello, or never will. */
static int attack(struct conn *conn) {
  char answer[4096];
  if (!conn->shaken) {
    if (send(conn->fd, hello, hello_length, 0) == hello_length) conn->shaken = 1;
    else if (errno == EAGAIN || errno == ENOTCONN) return 0;
    else return broken++, 1;
  }
  ssize_t length = recv(conn->fd, answer, sizeof answer, 0);
  if (length < 0 && errno == EAGAIN) return 0;
  /* 22 is a handshake record; 21 would be an alert (RFC 8446, 5.1). */
  if (length > 0 && answer[0] == 22) done++;
  else broken++;
  return 1;
}

/* Keeps a ClientHello for later. */
static void get_hello(void) {
  SSL *ssl = SSL_new(context);
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_tlsext_host_name(ssl, name);
  SSL_set_connect_state(ssl);
  SSL_do_handshake(ssl);
  hello_length = BIO_read(SSL_get_wbio(ssl), hello, sizeof hello);
  SSL_free(ssl);
}

/* Returns 1 when the connection has ended, well or not. */
static int advance(struct conn *conn) {
  char last[1024];
  if (!conn->shaken) {
    int result = SSL_do_handshake(conn->ssl);
    if (result != 1) {
      if (wants_more(conn->ssl, result)) return 0;
      broken++;
      return 1;
    }
    conn->shaken = 1;
    if (!agreed[0])
      snprintf(agreed, sizeof agreed, "%s %s", SSL_get_version(conn->ssl),
               SSL_get_cipher_name(conn->ssl));
    if (SSL_session_reused(conn->ssl) != resumed) unlike++;
    SSL_shutdown(conn->ssl);
  }
  int result;
  /* Some take their leave with a 400: nobody asked, nobody is hurt. */
  while ((result = SSL_read(conn->ssl, last, sizeof last)) > 0);
  if (wants_more(conn->ssl, result)) return 0;
  else if (SSL_get_error(conn->ssl, result) == SSL_ERROR_ZERO_RETURN) done++;
  else broken++;
  return 1;
}

/* One connection with one request: returns when a session has come with the answer. */
static void get_session(void) {
  char request[512], answer[4096];
  int fd = open_socket(port), blocking = 0;
  if (fd < 0) return;
  fcntl(fd, F_SETFL, blocking);
  SSL *ssl = open_ssl(context, fd, name);
  int length = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", name);
  if (SSL_connect(ssl) == 1 && SSL_write(ssl, request, length) == length)
    SSL_read(ssl, answer, sizeof answer);
  SSL_shutdown(ssl);
  SSL_free(ssl);
  close(fd);
}

int main(int argc, char **argv) {
  if (argc != 7)
    return fputs("usage: handshakes PORT NAME SECONDS CONNECTIONS 1.2|1.3 full|resumed|hello\n",
                 stderr),
           2;
  static struct conn conns[CONNECTIONS_MAX];
  signal(SIGPIPE, SIG_IGN);
  port = atoi(argv[1]);
  name = argv[2];
  long long until = now_ns() + atoi(argv[3]) * NS_A_SECOND;
  int count = atoi(argv[4]);
  if (count < 1 || count > CONNECTIONS_MAX) return fprintf(stderr, "too many connections\n"), 2;
  context = open_context(strcmp(argv[5], "1.2") ? TLS1_3_VERSION : TLS1_2_VERSION);
  if (!strcmp(argv[6], "resumed")) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    get_session();
    /* With a cache, OpenSSL calls a session used up once a newer ticket has come. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (!session) return fprintf(stderr, "the server gave no session\n"), 1;
    resumed = 1;
  }
  if (!strcmp(argv[6], "hello")) get_hello();
  epoll = epoll_create1(0);
  for (int i = 0; i < count; i++) begin(&conns[i]);
  int open = count;
  while (open > 0) {
    struct epoll_event ready[EVENTS_MAX];
    int events = epoll_wait(epoll, ready, EVENTS_MAX, 1000);
    int over = now_ns() >= until;
    /* Who is still not through a second after the end never will be. */
    if (over && events == 0) break;
    for (int i = 0; i < events; i++) {
      struct conn *conn = ready[i].data.ptr;
      if (!conn->open || !(hello_length ? attack(conn) : advance(conn))) continue;
      end(conn);
      if (!over) begin(conn);
      if (!conn->open) open--;
    }
  }
  if (agreed[0]) printf("agreed %s\n", agreed);
  printf("rind-bench %ld 0 %ld %ld %d %ld\n", done, refused, broken, open, unlike);
  return 0;
}
