/* A disk that refuses: preloaded into a program under test, it lets calls on chosen files fail or take long.
 *
 * FAULTY_DISK names a folder. Each line of the file `faults` there is a rule, looked up at every call, so that a
 * fault can begin and end while the program runs:
 *
 *     CALL WHAT TIMES PART      write ENOSPC 0 /extracted_data/
 *
 * CALL: open (for writing), read, write, sync, resize, name (rename and link); WHAT: an errno's name, or `slow`;
 * TIMES: how often in all, 0 for always; PART: a part of the path. What was done to whom is in `met`, a line each,
 * beginning with the number of the rule.
 *
 * A `sync` that fails loses what was written to the file since the last one that did not: the system may forget
 * what it could not write, and a later `sync` that succeeds says nothing about it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define PATH_LENGTH 4096
#define SLOW_MICROSECONDS 100000

static const struct { const char *name; int number; } ERRORS[] = {
    {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EIO", EIO}, {"EROFS", EROFS},
};

/* The rules and the notes are read and written without the calls below. */
static int plain_open(const char *name, int flags) {
    char path[PATH_LENGTH];
    const char *folder = getenv("FAULTY_DISK");
    if (!folder) return -1;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0666);
}

static int number_of(const char *what) {
    for (size_t at = 0; at < sizeof ERRORS / sizeof *ERRORS; at++)
        if (!strcmp(ERRORS[at].name, what)) return ERRORS[at].number;
    return 0;
}

static int times_met(int file, int rule) {
    static char notes[1 << 16];
    ssize_t length = syscall(SYS_pread64, file, notes, sizeof notes - 1, 0);
    int times = 0;
    notes[length < 0 ? 0 : length] = 0;
    for (char *line = notes; *line; line = strchr(line, '\n') + 1) {
        times += atoi(line) == rule;
        if (!strchr(line, '\n')) break;
    }
    return times;
}

/* Notes it, unless the rule was met often enough. */
static int still_holds(int rule, int times, const char *call, const char *path) {
    char line[PATH_LENGTH + 64];
    int file = plain_open("met", O_RDWR | O_CREAT | O_APPEND), holds;
    if (file < 0) return 0;
    flock(file, LOCK_EX);
    holds = !times || times_met(file, rule) < times;
    if (holds) {
        int length = snprintf(line, sizeof line, "%d %s %s\n", rule, call, path);
        syscall(SYS_write, file, line, length);
    }
    syscall(SYS_close, file);
    return holds;
}

struct rule { int number, times; char call[16], what[16], part[PATH_LENGTH]; };

/* Whether there is a rule for the call on the path, beginning behind rule number `after`. */
static int find(const char *call, const char *path, struct rule *rule) {
    char text[8192], *rest = text, *line;
    int file = plain_open("faults", O_RDONLY), number = 0;
    if (file < 0) return 0;
    ssize_t length = syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    text[length < 0 ? 0 : length] = 0;
    while ((line = strsep(&rest, "\n"))) {
        rule->number = ++number;
        if (sscanf(line, "%15s %15s %d %4095s", rule->call, rule->what, &rule->times, rule->part) == 4
            && !strcmp(rule->call, call) && strstr(path, rule->part)) return 1;
    }
    return 0;
}

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* The error with which a call on a path fails now; 0 for none. */
static int fault(const char *call, const char *path) {
    struct rule rule;
    int holds;
    if (!getenv("FAULTY_DISK") || !find(call, path, &rule)) return 0;
    pthread_mutex_lock(&one_at_a_time);
    holds = still_holds(rule.number, rule.times, call, path);
    pthread_mutex_unlock(&one_at_a_time);
    if (!holds) return 0;
    if (!strcmp(rule.what, "slow")) usleep(SLOW_MICROSECONDS);
    return number_of(rule.what);
}

static const char *path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_LENGTH - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

static int fault_of(const char *call, int file) {
    char path[PATH_LENGTH];
    int kept = errno, found = getenv("FAULTY_DISK") ? fault(call, path_of(file, path)) : 0;
    errno = found ? found : kept;
    return found;
}

/* The same file for what the descriptor itself is not open for. Only then: to close another descriptor of a file drops
 * all locks that the process has on it, and SQLite's are needed. */
static int opened_again(int file, int how) {
    char link[64];
    int mode = fcntl(file, F_GETFL) & O_ACCMODE;
    if (mode == O_RDWR || mode == how) return file;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    return syscall(SYS_openat, AT_FDCWD, link, how | O_CLOEXEC);
}

static void close_again(int again, int file) {
    if (again != file) syscall(SYS_close, again);
}

/* What a file had where it was written since the last sync, latest first. */
struct old { struct old *next; dev_t dev; ino_t ino; off_t at; size_t count; char bytes[]; };
static struct old *unsynced;

static void remember(int file, off_t at, size_t count) {
    char path[PATH_LENGTH];
    struct rule rule;
    struct stat about;
    if (!getenv("FAULTY_DISK") || !find("sync", path_of(file, path), &rule) || fstat(file, &about)) return;
    struct old *old = calloc(1, sizeof *old + count);
    if (!old) return;
    int again = opened_again(file, O_RDONLY);
    syscall(SYS_pread64, again, old->bytes, count, at);
    close_again(again, file);
    old->dev = about.st_dev, old->ino = about.st_ino, old->at = at, old->count = count;
    pthread_mutex_lock(&one_at_a_time);
    old->next = unsynced, unsynced = old;
    pthread_mutex_unlock(&one_at_a_time);
}

/* Takes note that a file is on the disk, or puts back what is there. */
static void synced(int file, int lost) {
    struct stat about;
    int kept = errno, again = file;
    if (!unsynced || fstat(file, &about)) return;
    if (lost) again = opened_again(file, O_WRONLY);
    pthread_mutex_lock(&one_at_a_time);
    for (struct old **at = &unsynced; *at;) {
        struct old *old = *at;
        if (old->dev != about.st_dev || old->ino != about.st_ino) {
            at = &old->next;
            continue;
        }
        if (lost) syscall(SYS_pwrite64, again, old->bytes, old->count, old->at);
        *at = old->next;
        free(old);
    }
    pthread_mutex_unlock(&one_at_a_time);
    close_again(again, file);
    errno = kept;
}

static int sync_with(int (*sync)(int), int file) {
    if (fault_of("sync", file)) {
        synced(file, 1);
        return -1;
    }
    int done = sync(file);
    if (!done) synced(file, 0);
    return done;
}

int fsync(int file) { return sync_with(REAL(fsync), file); }
int fdatasync(int file) { return sync_with(REAL(fdatasync), file); }

static off_t place_of(int file) {
    struct stat about;
    int append = fcntl(file, F_GETFL) & O_APPEND;
    return append && !fstat(file, &about) ? about.st_size : lseek(file, 0, SEEK_CUR);
}

ssize_t write(int file, const void *bytes, size_t count) {
    if (fault_of("write", file)) return -1;
    int kept = errno;
    off_t at = place_of(file);
    if (at >= 0) remember(file, at, count);
    errno = kept;
    return REAL(write)(file, bytes, count);
}

#define PWRITE(name, offset)                                                  \
    ssize_t name(int file, const void *bytes, size_t count, offset at) {      \
        if (fault_of("write", file)) return -1;                               \
        remember(file, at, count);                                            \
        return REAL(name)(file, bytes, count, at);                            \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t count, unsigned flags) {
    return fault_of("write", out) ? -1 : REAL(copy_file_range)(in, from, out, to, count, flags);
}

ssize_t read(int file, void *bytes, size_t count) {
    return fault_of("read", file) ? -1 : REAL(read)(file, bytes, count);
}
ssize_t pread(int file, void *bytes, size_t count, off_t at) {
    return fault_of("read", file) ? -1 : REAL(pread)(file, bytes, count, at);
}
ssize_t pread64(int file, void *bytes, size_t count, off64_t at) {
    return fault_of("read", file) ? -1 : REAL(pread64)(file, bytes, count, at);
}

int ftruncate(int file, off_t length) {
    return fault_of("resize", file) ? -1 : REAL(ftruncate)(file, length);
}
int ftruncate64(int file, off64_t length) {
    return fault_of("resize", file) ? -1 : REAL(ftruncate64)(file, length);
}

/* A path by an open folder, `/proc/self/fd/7/name`, as people know it. */
static const char *known(const char *path, char *whole) {
    int folder, length = 0;
    if (sscanf(path, "/proc/self/fd/%d%n", &folder, &length) != 1) return path;
    path_of(folder, whole);
    strncat(whole, path + length, PATH_LENGTH - 1 - strlen(whole));
    return whole;
}

static int fault_at(const char *call, const char *path) {
    char whole[PATH_LENGTH];
    int found = fault(call, known(path, whole));
    if (found) errno = found;
    return found;
}

#define OPEN(name)                                                            \
    int name(const char *path, int flags, ...) {                              \
        va_list more;                                                         \
        va_start(more, flags);                                                \
        int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, int) : 0;   \
        va_end(more);                                                         \
        if (flags & (O_WRONLY | O_RDWR | O_CREAT) && fault_at("open", path)) return -1; \
        return REAL(name)(path, flags, mode);                                 \
    }
OPEN(open)
OPEN(open64)

int rename(const char *from, const char *to) {
    return fault_at("name", to) ? -1 : REAL(rename)(from, to);
}
int link(const char *from, const char *to) {
    return fault_at("name", to) ? -1 : REAL(link)(from, to);
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
    return fault_at("name", to) ? -1 : REAL(linkat)(a, from, b, to, flags);
}
