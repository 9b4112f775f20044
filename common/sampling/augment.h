/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to the pictures of a clip: one draw a clip, the same for all its frames (RECIPE
 * section 3). A draw only fills the columns of a sample; the renderer of the trainer carries it
 * out.
 *
 *     struct augment a;
 *     augment_preset(AUGMENT_PRETRAIN, &a);
 *     augment_draw(&a, &picture, &rng, &sample);    // looks at sample.role and sample.view
 *
 * The draws that every clip makes come first, the crop, whose number of tries varies, last: a
 * change of one probability or range changes what is decided by it and nothing else.
 */
#ifndef TEG_SAMPLING_AUGMENT_H
#define TEG_SAMPLING_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/rng.h"
#include "common/store/samples.h"

enum augment_kind {
    AUGMENT_PRETRAIN, /* random crop, flip, jitter, grey, blur */
    AUGMENT_LINEAR,   /* random crop and flip: linear probes, fine-tuning */
    AUGMENT_TEST,     /* fixed square crops, nothing else */
    AUGMENT_NONE,     /* the whole picture */
};
extern const char *const augment_names[]; /* in the order of the enum, NULL-ended */

struct augment {
    enum augment_kind kind; /* decides the form of the crop: random, random, fixed, whole */
    double area[2];         /* of a random crop, min and max, relative to the picture's */
    double aspect[2];       /* of a random crop, width / height in pixels, min and max */
    double fraction;        /* side of a fixed crop relative to the picture's short side */
    int64_t n_crops;        /* crops a clip: fixed ones evenly along the long side, or draws */
    double flip;            /* probability */
    double jitter;          /* probability of the four colour changes */
    double brightness, contrast, saturation; /* strength s: factor uniform in max(0, 1-s) .. 1+s */
    double hue;         /* strength: turn uniform in -hue .. hue of the circle, at most 0.5 */
    double grey;        /* probability */
    double blur[2];     /* probability for the long (or only) and the short clip */
    double sigma[2];    /* of the blur, min and max, in pixels of the rendered picture */
    double solarise[2]; /* probability for the long (or only) and the short clip */
};

void augment_preset(enum augment_kind kind, struct augment *a);
bool augment_is_random(const struct augment *a); /* false: augment_draw makes no draw */

struct picture_size {
    int width, height; /* pixels, 1 .. 65535 */
};

/* Fills the crop and all columns from `flip` to `blur`. `r` may be NULL where nothing is random. */
void augment_draw(const struct augment *a, struct picture_size size, struct rng *r,
                  struct sample *s);

/*
 * A random crop into the crop columns. Aspect uniform in a->aspect; height uniform over the whole
 * numbers from sqrt(min / aspect) to sqrt(max / aspect), in units of sqrt(W * H) (so that `area` is
 * relative to the picture, whatever its form), as far as it and the width, height * aspect, have
 * room; each rounded to the nearest. Where that leaves no height, the aspect is drawn anew; after
 * 100 tries the whole picture is taken. Position uniform over all that fit.
 */
void augment_crop(const struct augment *a, struct picture_size size, struct rng *r,
                  struct sample *s);

/* Fixed crop number `view` of a->n_crops: 1 is the centre, 3 are left, centre, right (top,
 * centre, bottom of an upright picture). */
void augment_view(const struct augment *a, struct picture_size size, unsigned view,
                  struct sample *s);

#endif
