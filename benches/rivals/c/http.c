/* The least that an HTTP server can do: it counts ends of heads and answers each with a prepared
 * response. It reads no request. A yardstick, not a server. */
#define _GNU_SOURCE
#include "serve.h"

#define ROOM (64 * 1024)
#define HEAD_MAX 8192

static char in[ROOM + HEAD_MAX];
static char out[4 * 1024 * 1024];
static char answer[256];
static size_t answer_bytes;
/* Of a head that has not ended yet. */
static struct { char *bytes; size_t count; } begun[FDS_MAX];

static void forget(int fd) {
    free(begun[fd].bytes);
    begun[fd].bytes = NULL;
    begun[fd].count = 0;
}

/* The date changes once a second. */
static void prepare(void) {
    static time_t last;
    time_t now = time(NULL);
    char date[64];
    struct tm parts;
    if (now == last) return;
    last = now;
    gmtime_r(&now, &parts);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    answer_bytes = (size_t)snprintf(answer, sizeof answer,
                                    "HTTP/1.1 200 OK\r\nServer: C\r\nDate: %s\r\n"
                                    "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
                                    "Hello, World!", date);
}

static int serve(int fd) {
    prepare();
    for (;;) {
        size_t have = begun[fd].count;
        if (have) memcpy(in, begun[fd].bytes, have);
        ssize_t n = recv(fd, in + have, ROOM, 0);
        if (n <= 0) return n < 0 && errno == EAGAIN ? 0 : -1;
        char *at = in, *end = in + have + n, *found;
        size_t filled = 0;
        while ((found = memmem(at, (size_t)(end - at), "\r\n\r\n", 4))) {
            memcpy(out + filled, answer, answer_bytes);
            filled += answer_bytes;
            at = found + 4;
        }
        begun[fd].count = (size_t)(end - at);
        if (begun[fd].count > HEAD_MAX) return -1;
        if (begun[fd].count) {
            if (!begun[fd].bytes) begun[fd].bytes = malloc(HEAD_MAX);
            memcpy(begun[fd].bytes, at, begun[fd].count);
        }
        for (size_t sent = 0; sent < filled;) {
            ssize_t taken = send(fd, out + sent, filled - sent, MSG_NOSIGNAL);
            /* Who does not read is not served any more. */
            if (taken < 0) return -1;
            sent += (size_t)taken;
        }
        if (n < ROOM) return 0;
    }
}

int main(int argc, char **argv) { return run(argc, argv, serve, forget); }
