/* The least that forwarding between two TUNs costs: read from one, write to the other, nothing else.

   Both with virtio headers and all offloads, non-blocking, one epoll, 64 packets a turn: as snat does it.
   tun_loop NAME OTHER; prints "ready" once both exist, and ends with its standard input. */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#define BATCH 64

static unsigned char buffer[70000];

static int open_tun(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    unsigned most = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    int size = 10, fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETVNETHDRSZ, &size))
        return -1;
    if (ioctl(fd, TUNSETOFFLOAD, most | TUN_F_USO4 | TUN_F_USO6) && ioctl(fd, TUNSETOFFLOAD, most))
        return -1;
    return fd;
}

int main(int count, char **names) {
    int fds[2], poll = epoll_create1(0);
    if (count != 3)
        return 2;
    for (int i = 0; i < 2; i++) {
        struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = i};
        if ((fds[i] = open_tun(names[i + 1])) < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, fds[i], &wanted)) {
            perror(names[i + 1]);
            return 1;
        }
    }
    struct epoll_event end = {.events = EPOLLIN, .data.u32 = 2}, ready[3];
    epoll_ctl(poll, EPOLL_CTL_ADD, 0, &end);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int found = epoll_wait(poll, ready, 3, -1);
        for (int i = 0; i < found; i++) {
            unsigned from = ready[i].data.u32;
            if (from == 2)
                return 0;
            for (int n = 0; n < BATCH; n++) {
                ssize_t length = read(fds[from], buffer, sizeof buffer);
                if (length <= 0)
                    break;
                if (write(fds[1 - from], buffer, length) < 0)
                    continue; /* as snat: dropped, never waited for */
            }
        }
    }
}
