/* A clock that a test sets while a program runs: the program sees the time of day plus the seconds in a file
 * (CLOCK_OFFSET, eight bytes), and what waits until a time of day waits as the kernel has it wait when somebody sets the
 * machine's clock. To be preloaded. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const long SECOND = 1000000000L;
/* How soon somebody who waits sees that the clock was set. */
static const long LOOK = 20000000L;

static volatile int64_t *offset;

__attribute__((constructor)) static void find_offset(void) {
    const char *path = getenv("CLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *seen = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (seen != MAP_FAILED)
        offset = seen;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *offset;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now)
        *now = exact.tv_sec;
    return exact.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

static int is_over(const struct timespec *until) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec > until->tv_sec || (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec);
}

/* Never longer than until the next look; shorter near the end. */
static struct timespec next_look(const struct timespec *until) {
    struct timespec now, look;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t left = (int64_t)(until->tv_sec - now.tv_sec) * SECOND + (until->tv_nsec - now.tv_nsec);
    long wait = left < 0 ? 0 : left < LOOK ? (long)left : LOOK;
    clock_gettime(CLOCK_MONOTONIC, &look);
    look.tv_nsec += wait;
    look.tv_sec += look.tv_nsec / SECOND;
    look.tv_nsec %= SECOND;
    return look;
}

/* Those that wait by the monotonic clock name moments long before any time of day of ours. */
static int is_time_of_day(const struct timespec *until) { return until->tv_sec > 1000000000; }

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    if (!is_time_of_day(until))
        return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, until);
    while (!is_over(until)) {
        struct timespec look = next_look(until);
        int result = pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &look);
        if (result != ETIMEDOUT)
            return result;
    }
    return ETIMEDOUT;
}

/* In glibc both kinds of threads have the same conditions and mutexes. */
int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
    switch (pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until)) {
    case 0:
        return thrd_success;
    case ETIMEDOUT:
        return thrd_timedout;
    default:
        return thrd_error;
    }
}
