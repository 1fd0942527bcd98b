/* The least that a WebSocket echo server can do: one key, whole frames, no control frames. A yardstick,
 * not a server. */
#define _GNU_SOURCE
#include "serve.h"

#define ROOM (256 * 1024)

static unsigned char in[2 * ROOM];
static unsigned char out[2 * ROOM];
static struct { unsigned char *bytes; size_t count; int upgraded; } begun[FDS_MAX];

static const char accepted[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static void forget(int fd) {
    free(begun[fd].bytes);
    begun[fd].bytes = NULL;
    begun[fd].count = 0;
    begun[fd].upgraded = 0;
}

/* Writes the answer to the frame at `at`; answers its length, or 0 when it has not ended yet. */
static size_t echo(const unsigned char *at, size_t have, size_t *filled) {
    if (have < 2) return 0;
    size_t length = at[1] & 127, head = 2;
    if (length == 126) {
        if (have < 4) return 0;
        length = (size_t)at[2] << 8 | at[3];
        head = 4;
    } else if (length == 127) {
        if (have < 10) return 0;
        length = 0;
        for (int n = 2; n < 10; n++) length = length << 8 | at[n];
        head = 10;
    }
    if (have < head + 4 + length || length > ROOM / 2) return 0;
    unsigned char *to = out + *filled;
    memcpy(to, at, head);
    to[1] &= 127;
    const unsigned char *key = at + head, *payload = key + 4;
    unsigned int key32;
    unsigned long long key64;
    memcpy(&key32, key, 4);
    key64 = (unsigned long long)key32 << 32 | key32;
    size_t n = 0;
    for (; n + 8 <= length; n += 8) {
        unsigned long long word;
        memcpy(&word, payload + n, 8);
        word ^= key64;
        memcpy(to + head + n, &word, 8);
    }
    for (; n < length; n++) to[head + n] = payload[n] ^ key[n & 3];
    *filled += head + length;
    return head + 4 + length;
}

static int send_out(int fd, const void *bytes, size_t count) {
    for (size_t sent = 0; sent < count;) {
        ssize_t n = send(fd, (const char *)bytes + sent, count - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) return -1;
        if (n > 0) sent += (size_t)n;
    }
    return 0;
}

static int serve(int fd) {
    for (;;) {
        size_t have = begun[fd].count, at = 0, filled = 0, used;
        if (have) memcpy(in, begun[fd].bytes, have);
        ssize_t n = recv(fd, in + have, ROOM, 0);
        if (n <= 0) return n < 0 && errno == EAGAIN ? 0 : -1;
        have += (size_t)n;
        if (!begun[fd].upgraded) {
            unsigned char *end = memmem(in, have, "\r\n\r\n", 4);
            if (end) {
                begun[fd].upgraded = 1;
                at = (size_t)(end - in) + 4;
                if (send_out(fd, accepted, sizeof accepted - 1)) return -1;
            }
        }
        while (begun[fd].upgraded && filled < ROOM && (used = echo(in + at, have - at, &filled)))
            at += used;
        begun[fd].count = have - at;
        if (begun[fd].count > ROOM) return -1;
        if (begun[fd].count) {
            if (!begun[fd].bytes) begun[fd].bytes = malloc(ROOM);
            memcpy(begun[fd].bytes, in + at, begun[fd].count);
        }
        if (send_out(fd, out, filled)) return -1;
        if (n < ROOM) return 0;
    }
}

int main(int argc, char **argv) { return run(argc, argv, serve, forget); }
