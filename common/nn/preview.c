/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/preview.h"

#include <inttypes.h>
#include <string.h>

#include "common/nn/preview_sheets.h"
#include "common/store/store.h"

/* Opens what `schema` says the store is, draws, writes. */
static int draw(const struct preview_options *o, const char *schema, struct image *sheet,
                struct err *e)
{
    bool of_frames = strcmp(schema, FRAMES_SCHEMA) == 0;
    struct preview p = {.options = o};
    if (!of_frames && strcmp(schema, SAMPLES_SCHEMA) != 0)
        return err_set(e, "%s: a store of schema %s; frames and samples can be shown", o->store,
                       schema);
    if (of_frames && !o->id)
        return err_set(e, "%s: which video? give its id", o->store);
    if (!of_frames && o->id)
        return err_set(e, "%s: a samples store shows examples, not video %s", o->store, o->id);
    if (!of_frames && !o->frames)
        return err_set(e, "%s: the frames store of these samples is missing (--frames)", o->store);
    int rc = backend_open(&p.backend,
                          &(struct backend_options){.device = "cpu", .n_threads = o->n_threads}, e);
    if (rc == 0)
        rc = frames_open(&p.frames, of_frames ? o->store : o->frames, e);
    if (rc == 0 && of_frames)
        rc = preview_video(&p, sheet, e);
    else if (rc == 0 && (rc = samples_open(&p.samples, o->store, e)) == 0 &&
             (rc = store_check_input(samples_store(p.samples), "frames", frames_store(p.frames),
                                     e)) == 0)
        rc = preview_example(&p, sheet, e);
    samples_close(p.samples);
    frames_close(p.frames);
    backend_close(p.backend);
    return rc;
}

int preview_write(const struct preview_options *o, struct err *e)
{
    struct store *s;
    struct image sheet = {0};
    char schema[64];
    int rc = store_open_any(&s, o->store, e);
    if (rc < 0)
        return rc;
    snprintf(schema, sizeof schema, "%s", store_meta(s)->schema);
    store_close(s);
    rc = draw(o, schema, &sheet, e);
    if (rc == 0)
        rc = image_write_png(o->output, &sheet, e);
    image_release(&sheet);
    return rc;
}
