/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of official evaluators in the shared folder beside the repository. */
#ifndef TEG_TESTS_UNIT_GOLDEN_H
#define TEG_TESTS_UNIT_GOLDEN_H

#include <dirent.h>

#include "common/base/file.h"
#include "tests/unit/support.h"

/* The path of a golden set; skips the test where it is absent. */
static inline const char *golden_path(const char *name)
{
    static char path[512];
    const char *shared = getenv("SHARED");
    snprintf(path, sizeof path, "%s/golden/%s", shared ? shared : "../shared", name);
    if (!file_exists(path)) {
        char reason[600];
        snprintf(reason, sizeof reason, "%s is absent", path);
        support_skip(reason);
    }
    return path;
}

/* Calls `check` for each folder of a golden set; fails where there is none. */
static inline void golden_each_folder(const char *name, void (*check)(const char *, void *),
                                      void *user)
{
    const char *root = golden_path(name);
    int n_done = 0;
    DIR *list = opendir(root);
    assert_non_null(list);
    for (struct dirent *entry; (entry = readdir(list));) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s/expected.json", root, entry->d_name);
        if (!file_exists(path))
            continue;
        path[strlen(path) - strlen("/expected.json")] = '\0';
        check(path, user);
        n_done++;
    }
    closedir(list);
    assert_true(n_done > 0);
    print_message("# %d cases of %s\n", n_done, root);
}

#endif
