/* The smallest useful service: listens on 127.0.0.1:PORT, accepts and closes.
 *
 *   tinyserver [PORT]         serve on that port, or on $PORT
 *   tinyserver lines COUNT    write COUNT lines of 80 bytes and "end of lines" to stdout instead, then sleep
 *
 * It tells 127.0.0.1:$BENCH_NOTIFY by UDP what happens when: "EVENT PORT PID CLOCK_MONOTONIC_NS",
 * with the events ready, begin and done. So nobody has to poll while something is timed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 80, BATCH = 512 };

static struct sockaddr_in loopback(const char *number)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(number))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "0";
}

static const char *port = "0";

static void tell(const char *event)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    char text[96];
    int length = snprintf(text, sizeof text, "%s %s %d %lld", event, port, (int)getpid(),
                          now.tv_sec * 1000000000LL + now.tv_nsec);
    struct sockaddr_in to = loopback(variable("BENCH_NOTIFY"));
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    sendto(udp, text, (size_t)length, 0, (struct sockaddr *)&to, sizeof to);
    close(udp);
}

static int write_all(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(1, bytes, length);
        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        }
    }
    return 0;
}

static int print_lines(long lines)
{
    static char batch[LINE * BATCH];
    memset(batch, 'x', sizeof batch);
    for (int i = 1; i <= BATCH; i++)
        batch[i * LINE - 1] = '\n';
    tell("begin");
    for (long left = lines; left > 0; left -= BATCH)
        if (write_all(batch, LINE * (size_t)(left < BATCH ? left : BATCH)) < 0)
            return 1;
    write_all("end of lines\n", 13);
    tell("done");
    for (;;)
        pause();
}

static int serve(void)
{
    struct sockaddr_in address = loopback(port);
    int one = 1, server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 128)) {
        perror("tinyserver");
        return 1;
    }
    tell("ready");
    for (;;)
        close(accept(server, NULL, NULL));
}

int main(int argc, char **argv)
{
    if (argc > 2)
        return print_lines(atol(argv[2]));
    port = argc > 1 ? argv[1] : variable("PORT");
    return serve();
}
