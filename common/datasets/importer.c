/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/importer.h"

#include <string.h>

static const struct importer *const importers[] = {
    &importer_folder,
    &importer_list,
    &importer_annotations,
};

enum { N_IMPORTERS = sizeof importers / sizeof *importers };

const struct importer *importer_at(size_t i)
{
    return i < N_IMPORTERS ? importers[i] : NULL;
}

const struct importer *importer_find(const char *name)
{
    for (size_t i = 0; i < N_IMPORTERS; i++)
        if (strcmp(importers[i]->name, name) == 0)
            return importers[i];
    return NULL;
}
