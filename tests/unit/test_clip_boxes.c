/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes as the network sees them through a crop. */
#include "common/nn/clip_boxes.h"
#include "tests/unit/support.h"

static const double size[2] = {200, 100};

static void expect(const float place[4], float left, float top, float right, float bottom)
{
    const float wanted[4] = {left, top, right, bottom};
    for (int i = 0; i < 4; i++)
        assert_float_equal(place[i], wanted[i], 1e-6f);
}

static void test_whole_picture(void **state)
{
    struct sample row = {.crop_w = 200, .crop_h = 100};
    struct sample_box box = {.left = 0.1f, .top = 0.2f, .right = 0.4f, .bottom = 0.9f};
    float place[4];
    (void)state;
    assert_true(clip_boxes_place(size, &row, &box, place));
    expect(place, 0.1f, 0.2f, 0.4f, 0.9f);
    row.flip = 1;
    assert_true(clip_boxes_place(size, &row, &box, place));
    expect(place, 0.6f, 0.2f, 0.9f, 0.9f);
}

static void test_crop(void **state)
{
    struct sample row = {.crop_x = 50, .crop_y = 20, .crop_w = 100, .crop_h = 40};
    struct sample_box box = {.left = 0.2f, .top = 0.3f, .right = 0.5f, .bottom = 0.9f};
    float place[4];
    (void)state;
    assert_true(clip_boxes_place(size, &row, &box, place)); /* 40..100 x 30..90 pixels */
    expect(place, 0, 0.25f, 0.5f, 1);
    row.flip = 1;
    assert_true(clip_boxes_place(size, &row, &box, place));
    expect(place, 0.5f, 0.25f, 1, 1);
}

static void test_outside_of_the_crop(void **state)
{
    struct sample row = {.crop_x = 100, .crop_w = 100, .crop_h = 100};
    struct sample_box box = {.left = 0.1f, .top = 0, .right = 0.5f, .bottom = 1};
    float place[4];
    (void)state;
    assert_false(clip_boxes_place(size, &row, &box, place));
    expect(place, 0, 0, 0, 1);
    box.right = 0.75f;
    assert_true(clip_boxes_place(size, &row, &box, place));
    expect(place, 0, 0, 0.5f, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_picture),
        cmocka_unit_test(test_crop),
        cmocka_unit_test(test_outside_of_the_crop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
