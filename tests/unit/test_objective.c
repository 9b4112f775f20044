/* SPDX-License-Identifier: Apache-2.0 */
/* Equations 1 to 4: matching, losses and gradients against PyTorch's autograd and finite
 * differences. */
#include <math.h>

#include "common/nn/objective.h"
#include "tests/ops/tolerances.h"
#include "tests/unit/oracle_file.h"
#include "tests/unit/support.h"

enum { N = 6, STEPS_SHORT = 8, STEPS_LONG = 16, DIM = 12 };
enum { N_SHORT = N * STEPS_SHORT * DIM, N_LONG = N * STEPS_LONG * DIM, N_SCALARS = 7 };

struct fixture {
    struct backend *b;
    struct model *m;
    struct objective o;
    struct loss *l;
    struct sample rows[2][N]; /* short, long */
    float *z;                 /* short of both heads, then long */
};

static struct loss_input input_of(struct fixture *f)
{
    struct loss_input in = {0};
    for (int h = 0; h < 2; h++) {
        in.z_short[h] = f->z + h * N_SHORT;
        in.z_long[h] = f->z + 2 * N_SHORT + h * N_LONG;
    }
    return in;
}

static double total_of(struct fixture *f, const struct loss_input *in)
{
    struct err e = {0};
    double total;
    support_ok(loss_post(f->l, f->rows[0], f->rows[1], &e), &e);
    support_ok(loss_run(f->l, in, &e), &e);
    support_ok(loss_result(f->l, &total, &e), &e);
    return total;
}

static void load_rows(struct fixture *f)
{
    struct buf file = {0};
    struct npy a = oracle_load(&file, "objective_rows", "<i4");
    const int32_t *v = a.data; /* [N, (long, short), (start, stride)] */
    for (uint32_t i = 0; i < N; i++)
        for (int role = 0; role < 2; role++) {
            struct sample *s = &f->rows[1 - role][i];
            *s = (struct sample){.video = i,
                                 .start = v[4 * i + 2 * (uint32_t)role],
                                 .stride = (uint16_t)v[4 * i + 2 * (uint32_t)role + 1],
                                 .length = role ? 2 * STEPS_SHORT : 2 * STEPS_LONG};
        }
    buf_release(&file);
}

static void open_fixture(struct fixture *f, bool other_only)
{
    struct err e = {0};
    struct backend_options bo = {.device = "cpu", .n_threads = 2};
    struct model_desc d = {.backbone = "r3d-tiny", .head_dim = DIM, .head_layers = 1};
    struct loss_shape shape = {N, STEPS_SHORT, STEPS_LONG, DIM};
    struct buf file = {0};
    memset(f, 0, sizeof *f);
    support_ok(backend_open(&f->b, &bo, &e), &e);
    support_ok(objective_parse(&f->o, "teg-fg", &e), &e);
    f->o.other_only = other_only;
    objective_heads(&f->o, &d);
    support_ok(model_new(&f->m, f->b, &d, &e), &e);
    support_ok(loss_new(&f->l, f->m, &f->o, &shape, &e), &e);
    load_rows(f);
    struct npy a = oracle_load(&file, "objective_input", "<f4");
    assert_int_equal(a.dim[0], 2 * (N_SHORT + N_LONG));
    f->z = malloc(a.data_bytes);
    memcpy(f->z, a.data, a.data_bytes);
    buf_release(&file);
}

static void close_fixture(struct fixture *f)
{
    loss_free(f->l);
    model_free(f->m);
    backend_close(f->b);
    free(f->z);
}

static void near(double got, double want, double limit)
{
    if (!(fabs(got - want) <= limit))
        fail_msg("%.9g instead of %.9g", got, want);
}

static void check_gradients(const struct fixture *f, const double *want)
{
    for (int side = 0; side < 2; side++)
        for (int h = 0; h < 2; h++) {
            size_t n = side ? N_LONG : N_SHORT;
            const float *got = side ? loss_grad_long(f->l, h) : loss_grad_short(f->l, h);
            double difference = 0.0, norm = 0.0;
            for (size_t i = 0; i < n; i++, want++) {
                difference += ((double)got[i] - *want) * ((double)got[i] - *want);
                norm += *want * *want;
            }
            near(sqrt(difference / norm), 0.0, TOLERANCE_OBJECTIVE);
        }
}

static void check_against_autograd(bool other_only)
{
    struct fixture f;
    struct buf file = {0};
    open_fixture(&f, other_only);
    struct npy a = oracle_load(&file, other_only ? "objective_other" : "objective_all", "<f8");
    const double *want = a.data;
    struct loss_input in = input_of(&f);
    double total = total_of(&f, &in);
    near(total, want[0], TOLERANCE_OBJECTIVE * fabs(want[0]));
    for (int i = 0; i < 2; i++) {
        const struct loss_part *p = &loss_parts(f.l)[i];
        near(p->loss, want[1 + 3 * i], TOLERANCE_OBJECTIVE * want[1 + 3 * i]);
        near(p->positive_sim, want[2 + 3 * i], TOLERANCE_OBJECTIVE);
        near(p->negative_sim, want[3 + 3 * i], TOLERANCE_OBJECTIVE);
    }
    check_gradients(&f, want + N_SCALARS);
    buf_release(&file);
    close_fixture(&f);
}

static void equals_autograd_all_negatives(void **state)
{
    (void)state;
    check_against_autograd(false);
}

static void equals_autograd_other_videos(void **state)
{
    (void)state;
    check_against_autograd(true);
}

/* The loss along its gradient, where the slope is largest, by central differences. */
static void equals_finite_differences(void **state)
{
    (void)state;
    struct fixture f;
    enum { TOTAL = 2 * (N_SHORT + N_LONG) };
    open_fixture(&f, false);
    struct loss_input in = input_of(&f);
    double slope = 0.0, side[2];
    const double step = 0.1;
    float *direction = malloc(TOTAL * sizeof *direction);
    total_of(&f, &in);
    for (int i = 0; i < TOTAL; i++) {
        bool is_long = i >= 2 * N_SHORT;
        int at = is_long ? i - 2 * N_SHORT : i, n = is_long ? N_LONG : N_SHORT;
        direction[i] = (is_long ? loss_grad_long : loss_grad_short)(f.l, at / n)[at % n];
        slope += (double)direction[i] * (double)direction[i];
    }
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < TOTAL; i++)
            f.z[i] += (k ? -2.0f : 1.0f) * (float)step * direction[i];
        side[k] = total_of(&f, &in);
    }
    double measured = (side[0] - side[1]) / (2.0 * step);
    near(measured, slope, TOLERANCE_FINITE_DIFFERENCE * fabs(slope));
    free(direction);
    close_fixture(&f);
}

/* -- equation 1 -- */

static void matches_the_nearest_moment(void **state)
{
    (void)state;
    struct sample long_clip = {.start = 10, .stride = 4}, short_clip = {.start = 10, .stride = 2};
    uint32_t match[8];
    struct clip_embeddings keys = {&long_clip, 1, 16}, anchors = {&short_clip, 2, 4};
    /* long step j is at 10 + 4 (2j + 0.5) = 12 + 8 j; short group i at 10 + 2 (4i + 1.5) = 13 + 8 i
     */
    objective_match(&anchors, &keys, match);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(match[i], i);
    short_clip.start = 13; /* 16 + 8 i: half-way between two steps, the smaller one */
    objective_match(&anchors, &keys, match);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(match[i], i);
    short_clip.start = 14;
    objective_match(&anchors, &keys, match);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(match[i], i + 1);
    short_clip.start = 10 + 124 - 30; /* the end of the long clip */
    objective_match(&anchors, &keys, match);
    assert_int_equal(match[3], 15);
}

/* -- text -- */

static void parses(void **state)
{
    (void)state;
    struct objective o;
    struct err e = {0};
    char text[256];
    struct model_desc d = {0};
    support_ok(objective_parse(&o, "a:1,1,0.5;b:4,all,0.25;a:2,2,0.25", &e), &e);
    objective_text(&o, text, sizeof text);
    assert_string_equal(text, "a:1,1,0.5;b:4,all,0.25;a:2,2,0.25");
    objective_heads(&o, &d);
    assert_int_equal(d.n_heads, 2);
    support_ok(objective_from_alpha(&o, 0.0, 2, 1, &e), &e);
    objective_text(&o, text, sizeof text);
    assert_string_equal(text, "persistent:all,all,1");
    support_ok(objective_from_alpha(&o, 0.9, 2, 1, &e), &e);
    assert_int_equal(o.n_parts, 2);
}

static void longest_text_fits(void **state)
{
    (void)state;
    struct objective o = {.n_parts = OBJECTIVE_MAX}, back;
    struct err e = {0};
    char text[OBJECTIVE_TEXT_BYTES], again[OBJECTIVE_TEXT_BYTES];
    for (int i = 0; i < OBJECTIVE_MAX; i++) {
        o.part[i] = (struct granularity){"", 1 << 20, 1 << 20, 123456.789e-9};
        memset(o.part[i].head, 'a' + i, sizeof o.part[i].head - 1);
    }
    objective_text(&o, text, sizeof text);
    support_ok(objective_parse(&back, text, &e), &e);
    objective_text(&back, again, sizeof again);
    assert_string_equal(again, text);
    assert_int_equal(back.n_parts, OBJECTIVE_MAX);
    assert_true(fabs(back.part[0].weight - 123456.789e-9) < 1e-15);
}

static void refuses_other_text(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "teg",         "a:1,1",   "a:0,1,1",  "a:1,1,x",
        "a:1,1,0.5;", "a:1,1,0.5;;", "A:1,1,1", "a:1,1,-1", "averyveryverylongheadname:1,1,1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct objective o;
        struct err e = {0};
        assert_true(objective_parse(&o, bad[i], &e) < 0);
        assert_true(e.text[0]);
    }
}

static void aggregation_must_divide(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    struct loss *l;
    struct loss_shape shape = {N, 7, STEPS_LONG, DIM};
    open_fixture(&f, false);
    support_failed(loss_new(&l, f.m, &f.o, &shape, &e), &e, "does not divide the 7 steps");
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_autograd_all_negatives),
        cmocka_unit_test(equals_autograd_other_videos),
        cmocka_unit_test(equals_finite_differences),
        cmocka_unit_test(matches_the_nearest_moment),
        cmocka_unit_test(parses),
        cmocka_unit_test(longest_text_fits),
        cmocka_unit_test(refuses_other_text),
        cmocka_unit_test(aggregation_must_divide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
