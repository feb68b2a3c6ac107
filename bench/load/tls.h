/*
 * What the TLS generators share: a context that trusts whatever it is shown (the proxy is measured,
 * not believed), connections to loopback that never block, and a clock.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_A_SECOND 1000000000LL

static inline long long now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * NS_A_SECOND + time.tv_nsec;
}

/* `version` is 0x0303 or 0x0304. */
static inline SSL_CTX *open_context(int version) {
  static const unsigned char alpn[] = "\x08http/1.1";
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, version);
  SSL_CTX_set_max_proto_version(context, version);
  SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1);
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
  return context;
}

/* A socket on its way to 127.0.0.1:PORT, or -1. */
static inline int open_socket(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  if (fd < 0) return -1;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (!connect(fd, (void *)&address, sizeof address) || errno == EINPROGRESS) return fd;
  close(fd);
  return -1;
}

/* The client's end of a handshake that asks for NAME. */
static inline SSL *open_ssl(SSL_CTX *context, int fd, const char *name) {
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  SSL_set_tlsext_host_name(ssl, name);
  SSL_set_connect_state(ssl);
  return ssl;
}

/* Whether an operation that returned `result` shall be tried again later. */
static inline int wants_more(SSL *ssl, int result) {
  int error = SSL_get_error(ssl, result);
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}
