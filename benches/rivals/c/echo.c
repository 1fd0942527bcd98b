/* The least that an echo server can do: one thread, edge-triggered epoll, one buffer for all. What a
 * socket does not take is kept and sent later. A second argument makes it spin instead of sleeping.
 * A yardstick, not a server. */
#define _GNU_SOURCE
#include "serve.h"

#define ROOM (64 * 1024)

static char room[ROOM];
static struct { char *bytes; size_t at, end; } rest[FDS_MAX];

static void forget(int fd) {
    free(rest[fd].bytes);
    rest[fd].bytes = NULL;
}

/* 1 when everything has gone, 0 when the socket is full, -1 when it is broken. */
static int send_all(int fd, const char *bytes, size_t end, size_t *at) {
    while (*at < end) {
        ssize_t n = send(fd, bytes + *at, end - *at, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN ? 0 : -1;
        *at += (size_t)n;
    }
    return 1;
}

static int serve(int fd) {
    if (rest[fd].bytes) {
        int sent = send_all(fd, rest[fd].bytes, rest[fd].end, &rest[fd].at);
        if (sent <= 0) return sent;
        forget(fd);
    }
    for (;;) {
        ssize_t n = recv(fd, room, ROOM, 0);
        if (n <= 0) return n < 0 && errno == EAGAIN ? 0 : -1;
        size_t at = 0;
        int sent = send_all(fd, room, (size_t)n, &at);
        if (sent < 0) return -1;
        if (sent == 0) {
            rest[fd].end = (size_t)n - at;
            rest[fd].at = 0;
            rest[fd].bytes = malloc(rest[fd].end);
            memcpy(rest[fd].bytes, room + at, rest[fd].end);
            return 0;
        }
        if (n < ROOM) return 0;
    }
}

int main(int argc, char **argv) { return run(argc, argv, serve, forget); }
