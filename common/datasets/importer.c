/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/importer.h"

#include <string.h>

static const struct importer *const importers[] = {
    &importer_folder,  &importer_list,   &importer_annotations, &importer_kinetics,
    &importer_ucf101,  &importer_hmdb51, &importer_ssv2,        &importer_diving48,
    &importer_vidsitu, &importer_gebd,   &importer_ava,         &importer_ava_kinetics,
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

int importer_check(const struct importer *importer, const struct import_options *o, struct err *e)
{
    const struct {
        const char *option;
        unsigned extra;
        bool given;
    } extras[] = {{"fold", IMPORT_FOLD, o->fold != 0},
                  {"detections", IMPORT_DETECTIONS, o->detections != NULL},
                  {"video-start", IMPORT_VIDEO_START, o->video_start >= 0}};
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++)
        if (extras[i].given && !(importer->extras & extras[i].extra))
            return err_set(e, "--%s means nothing to --format %s", extras[i].option,
                           importer->name);
    if (importer->needs_annotations && !o->annotations)
        return err_set(e, "--format %s needs --annotations", importer->name);
    return 0;
}
