/* SPDX-License-Identifier: Apache-2.0 */
/* How many processors and how much memory this process may use: those of the machine, cut down by
 * the affinity mask and by its cgroup (v2). */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/pool.h"

static size_t affinity(void)
{
    for (size_t n = 1024; n <= 1 << 20; n *= 2) {
        cpu_set_t *set = CPU_ALLOC(n);
        if (!set)
            break;
        int rc = sched_getaffinity(0, CPU_ALLOC_SIZE(n), set);
        int count = rc == 0 ? CPU_COUNT_S(CPU_ALLOC_SIZE(n), set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return (size_t)count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

/* Opens FOLDER/NAME of a cgroup; NULL where it has none. */
static FILE *open_limit(const char *folder, const char *name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, "re");
}

/* Lowers *n to the quota that cpu.max sets ("200000 100000": two processors; or "max ..."). */
static void apply_quota(const char *folder, size_t *n)
{
    double quota, period;
    FILE *f = open_limit(folder, "cpu.max");
    if (f && fscanf(f, "%lf %lf", &quota, &period) == 2 && quota > 0 && period > 0) {
        size_t whole = (size_t)(quota / period);
        size_t limit = whole + ((double)whole * period < quota);
        *n = limit < *n ? limit : *n;
    }
    if (f)
        fclose(f);
}

/* Lowers *n to the bytes that memory.max sets (a number or "max"). */
static void apply_memory(const char *folder, size_t *n)
{
    size_t limit;
    FILE *f = open_limit(folder, "memory.max");
    if (f && fscanf(f, "%zu", &limit) == 1)
        *n = limit < *n ? limit : *n;
    if (f)
        fclose(f);
}

/* A limit binds everything below it, so all folders from ours up to the root count. */
static void apply_cgroups(void (*apply)(const char *folder, size_t *n), size_t *n)
{
    static const char root[] = "/sys/fs/cgroup";
    char line[4096], folder[sizeof root + sizeof line];
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "0::/", 4) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(folder, sizeof folder, "%s%s", root, line + 3);
        for (char *slash; (slash = strrchr(folder, '/')) >= folder + sizeof root - 1; *slash = '\0')
            apply(folder, n);
    }
    if (f)
        fclose(f);
    apply(root, n); /* inside a container the root may hold its own */
}

size_t pool_n_processors(void)
{
    size_t n = affinity();
    apply_cgroups(apply_quota, &n);
    return n ? n : 1;
}

int mem_check(size_t bytes, struct err *e)
{
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return err_code(e, ERR_SHORTAGE,
                        "out of memory (%zu MiB more are not to be had; see ulimit -v; fewer "
                        "--threads need less)",
                        bytes >> 20);
    munmap(block, bytes);
    return 0;
}

size_t mem_limit(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    size_t n = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : SIZE_MAX;
    apply_cgroups(apply_memory, &n);
    return n;
}
