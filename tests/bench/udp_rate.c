/* Small UDP datagrams, as many as go. Bounded by its own clock.

   udp_rate send ADDRESS PORT SECONDS BYTES FLOWS: sends by sendmmsg from FLOWS sockets; prints how many.
   udp_rate receive ADDRESS SECONDS: prints its port, and after SECONDS from the first datagram on how many
   came and in how many seconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define FLOWS 64
#define MOST 1472

static struct mmsghdr messages[BATCH];
static struct iovec parts[BATCH];
static char room[BATCH][MOST];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void prepare(size_t size) {
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){room[i], size};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
}

static int send_all(struct sockaddr_in *to, double seconds, size_t size, int flows) {
    int fds[FLOWS];
    long sent = 0;
    prepare(size);
    for (int i = 0; i < flows; i++) {
        fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (fds[i] < 0 || connect(fds[i], (struct sockaddr *)to, sizeof *to))
            return 1;
    }
    for (double end = now() + seconds; now() < end;)
        for (int i = 0; i < flows; i++) {
            int done = sendmmsg(fds[i], messages, BATCH, 0);
            sent += done > 0 ? done : 0;
        }
    printf("%ld\n", sent);
    return 0;
}

static int receive_all(struct sockaddr_in *at, double seconds) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0), big = 1 << 24;
    socklen_t length = sizeof *at;
    struct timeval slice = {.tv_usec = 100000}, first = {.tv_sec = 10};
    if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof *at) || getsockname(fd, (struct sockaddr *)at, &length))
        return 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &first, sizeof first);
    printf("%d\n", ntohs(at->sin_port));
    fflush(stdout);
    prepare(MOST);
    if (recv(fd, room[0], MOST, 0) < 0)
        return 1; /* nothing came */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice);
    double begin = now(), last = begin;
    long got = 0;
    while (now() < begin + seconds) {
        int done = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        if (done > 0)
            got += done, last = now();
    }
    printf("%ld %f\n", got, last - begin);
    return 0;
}

int main(int count, char **words) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (count < 4 || !inet_aton(words[2], &address.sin_addr))
        return 2;
    if (!strcmp(words[1], "receive"))
        return receive_all(&address, atof(words[3]));
    if (strcmp(words[1], "send") || count != 7 || atoi(words[5]) > MOST || atoi(words[6]) > FLOWS)
        return 2;
    address.sin_port = htons(atoi(words[3]));
    return send_all(&address, atof(words[4]), atoi(words[5]), atoi(words[6]));
}
