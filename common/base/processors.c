/* SPDX-License-Identifier: Apache-2.0 */
/* How many processors this process may use: the affinity mask, cut down by the quota of its cgroup
 * (v2). */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Lowers *n to the quota that FOLDER/cpu.max sets ("200000 100000": two processors; or "max ...").
 */
static void apply_quota(const char *folder, size_t *n)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    double quota, period;
    if (fscanf(f, "%lf %lf", &quota, &period) == 2 && quota > 0 && period > 0) {
        size_t whole = (size_t)(quota / period);
        size_t limit = whole + ((double)whole * period < quota);
        *n = limit < *n ? limit : *n;
    }
    fclose(f);
}

size_t pool_n_processors(void)
{
    static const char root[] = "/sys/fs/cgroup";
    size_t n = affinity();
    char line[4096], folder[sizeof root + sizeof line];
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "0::/", 4) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(folder, sizeof folder, "%s%s", root, line + 3);
        /* A quota binds everything below it, so all folders up to the root count. */
        for (char *slash; (slash = strrchr(folder, '/')) >= folder + sizeof root - 1; *slash = '\0')
            apply_quota(folder, &n);
    }
    if (f)
        fclose(f);
    apply_quota(root, &n); /* inside a container the root may hold its own */
    return n ? n : 1;
}
