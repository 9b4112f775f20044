/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/render.h"

#include <math.h>
#include <string.h>

enum { MAX_SIDE = 1 << 15 };

static int check_pixels(const struct clip_pixels *p, struct err *e)
{
    if (p->n_frames == 0)
        return err_set(e, "a clip without frames");
    if (p->width < 1 || p->height < 1 || p->width > MAX_SIDE || p->height > MAX_SIDE)
        return err_set(e, "picture size %dx%d is out of range", p->width, p->height);
    if (p->stored_width % 2 || p->stored_height % 2 || p->stored_width < p->width ||
        p->stored_height < p->height || p->stored_width > MAX_SIDE || p->stored_height > MAX_SIDE)
        return err_set(e, "stored size %dx%d does not fit the picture size %dx%d", p->stored_width,
                       p->stored_height, p->width, p->height);
    if (p->matrix < 0 || p->matrix > 2)
        return err_set(e, "colour matrix %d is unknown", p->matrix);
    return 0;
}

static int check_factor(const char *name, float value, struct err *e)
{
    if (!isfinite(value) || value < 0.0f)
        return err_set(e, "%s %g is not a number >= 0", name, (double)value);
    return 0;
}

static int check_augment(const struct clip_augment *a, const struct clip_pixels *p, struct err *e)
{
    if (a->crop_w < 1 || a->crop_h < 1 || a->crop_x < 0 || a->crop_y < 0 ||
        a->crop_w > p->width - a->crop_x || a->crop_h > p->height - a->crop_y)
        return err_set(e, "crop box %dx%d at (%d, %d) is not inside the %dx%d picture", a->crop_w,
                       a->crop_h, a->crop_x, a->crop_y, p->width, p->height);
    int rc = check_factor("blur sigma", a->blur, e);
    if (rc < 0 || !a->jitter)
        return rc;
    if (a->order > 23)
        return err_set(e, "jitter order %u is not one of the 24 permutations", a->order);
    if (!isfinite(a->hue))
        return err_set(e, "hue %g is not a number", (double)a->hue);
    if ((rc = check_factor("brightness", a->brightness, e)) < 0 ||
        (rc = check_factor("contrast", a->contrast, e)) < 0)
        return rc;
    return check_factor("saturation", a->saturation, e);
}

/* ITU-R BT.601, BT.709, BT.2020 (non-constant luminance): R = Y + 2(1-Kr)Cr, B = Y + 2(1-Kb)Cb, G
 * from Y. */
static struct elem_yuv yuv_constants(int matrix, bool full_range)
{
    static const double weights[3][2] = {{0.299, 0.114}, {0.2126, 0.0722}, {0.2627, 0.0593}};
    double kr = weights[matrix][0], kb = weights[matrix][1], kg = 1.0 - kr - kb;
    double luma = full_range ? 255.0 : 219.0, chroma = full_range ? 255.0 : 224.0;
    struct elem_yuv m = {.y_zero = full_range ? 0.0f : 16.0f,
                         .y_scale = (float)(1.0 / luma),
                         .r_v = (float)(2.0 * (1.0 - kr) / chroma),
                         .g_u = (float)(-2.0 * kb * (1.0 - kb) / (kg * chroma)),
                         .g_v = (float)(-2.0 * kr * (1.0 - kr) / (kg * chroma)),
                         .b_u = (float)(2.0 * (1.0 - kb) / chroma)};
    return m;
}

/* Permutation `number` of the lexicographic list of all 24. */
static void permutation(unsigned number, enum render_op op[RENDER_N_OPS])
{
    enum render_op left[RENDER_N_OPS] = {RENDER_BRIGHTNESS, RENDER_CONTRAST, RENDER_SATURATION,
                                         RENDER_HUE};
    static const unsigned block[RENDER_N_OPS] = {6, 2, 1, 1};
    for (size_t i = 0; i < RENDER_N_OPS; i++) {
        size_t k = number / block[i];
        number %= block[i];
        op[i] = left[k];
        memmove(left + k, left + k + 1, (RENDER_N_OPS - 1 - k) * sizeof left[0]);
    }
}

static void plan_jitter(struct render_plan *plan, const struct clip_augment *a)
{
    permutation(a->order, plan->op);
    plan->n_ops = RENDER_N_OPS;
    for (size_t i = 0; i < RENDER_N_OPS; i++)
        if (plan->op[i] == RENDER_CONTRAST)
            plan->contrast_at = i;
    plan->factor[RENDER_BRIGHTNESS] = a->brightness;
    plan->factor[RENDER_CONTRAST] = a->contrast;
    plan->factor[RENDER_SATURATION] = a->saturation;
    float sixths = (float)(6.0 * ((double)a->hue - floor((double)a->hue)));
    plan->factor[RENDER_HUE] = sixths < 6.0f ? sixths : 0.0f;
}

/* Taps too small to move a sum of values up to 1 by half a unit in its last place are left out. */
static void plan_blur(struct render_plan *plan, double sigma, size_t size)
{
    const double negligible = 1e-8;
    size_t radius = size / 20;
    double weight[RENDER_MAX_RADIUS + 1], sum = 0.0;
    for (size_t d = 0; d <= radius; d++) {
        double z = (double)d / sigma;
        weight[d] = exp(-0.5 * z * z);
        sum += d == 0 ? weight[d] : 2.0 * weight[d];
    }
    for (size_t d = 0; d <= radius && weight[d] / sum > negligible; d++) {
        plan->tap[d] = (float)(weight[d] / sum);
        plan->radius = d;
    }
}

int render_prepare(struct render_plan *plan, const struct render_args *args, struct err *e)
{
    const struct clip_augment *a = args->augment;
    if (args->size < 1 || args->size > RENDER_MAX_SIZE)
        return err_set(e, "output size %zu is not in 1..%d", args->size, RENDER_MAX_SIZE);
    if (args->dtype != DTYPE_F32 && args->dtype != DTYPE_BF16)
        return err_set(e, "pixels can only be rendered as float32 or bfloat16");
    int rc = check_pixels(args->pixels, e);
    if (rc < 0 || (rc = check_augment(a, args->pixels, e)) < 0)
        return rc;
    *plan = (struct render_plan){0};
    plan->yuv = yuv_constants(args->pixels->matrix, args->pixels->full_range);
    if (a->jitter)
        plan_jitter(plan, a); /* otherwise n_ops = contrast_at = 0 */
    if (a->blur > 0.0f)
        plan_blur(plan, (double)a->blur, args->size);
    return 0;
}

struct render_position render_position(size_t i, size_t n_in, size_t n_out)
{
    double at = ((double)i + 0.5) * ((double)n_in / (double)n_out) - 0.5;
    double last = (double)(n_in - 1);
    at = at < 0.0 ? 0.0 : at > last ? last : at;
    struct render_position p = {.low = (int)at, .t = (float)(at - (double)(int)at)};
    p.high = p.low + ((size_t)p.low + 1 < n_in);
    return p;
}

static uint8_t to_byte(float x)
{
    return (uint8_t)(255.0f * elem_clip(x) + 0.5f);
}

int render_picture(const struct clip_pixels *pixels, size_t frame, uint8_t *rgb, struct err *e)
{
    int rc = check_pixels(pixels, e);
    if (rc < 0)
        return rc;
    struct elem_yuv m = yuv_constants(pixels->matrix, pixels->full_range);
    size_t stride = (size_t)pixels->stored_width, width = (size_t)pixels->width;
    const uint8_t *luma = pixels->picture[frame];
    const uint8_t *chroma = luma + stride * (size_t)pixels->stored_height;
    for (size_t y = 0; y < (size_t)pixels->height; y++)
        for (size_t x = 0; x < width; x++) {
            const uint8_t *uv = chroma + y / 2 * stride + x / 2 * 2;
            struct elem_rgb c = elem_chroma(uv[0], uv[1], m);
            float light = elem_luma(luma[y * stride + x], m);
            uint8_t *out = rgb + 3 * (y * width + x);
            out[0] = to_byte(light + c.r);
            out[1] = to_byte(light + c.g);
            out[2] = to_byte(light + c.b);
        }
    return 0;
}
