/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/nv12.h"
#include "tests/unit/support.h"

/* A planar picture with a value of its own at every place, rows apart by more than their width. */
enum { STRIDE = 64, ROWS = 64 };
static uint8_t y_plane[ROWS * STRIDE], u_plane[ROWS * STRIDE], v_plane[ROWS * STRIDE];

static void fill(void)
{
    for (int i = 0; i < ROWS * STRIDE; i++) {
        y_plane[i] = (uint8_t)(i * 7 + i / 251);
        u_plane[i] = (uint8_t)(i * 11 + 3);
        v_plane[i] = (uint8_t)(i * 13 + 5);
    }
}

static int clamp(int i, int n)
{
    return i < n ? i : n - 1;
}

struct point {
    int x, y;
};

/* Where sample `to` of the picture turned by `degrees`, whose unturned size is w x h, was before.
 */
static struct point before(int degrees, int w, int h, struct point to)
{
    int x = to.x, y = to.y;
    struct point from;
    from.x = degrees == 90 ? y : degrees == 180 ? w - 1 - x : degrees == 270 ? w - 1 - y : x;
    from.y = degrees == 90 ? h - 1 - x : degrees == 180 ? h - 1 - y : degrees == 270 ? x : y;
    return from;
}

static void check(const uint8_t *picture, int w, int h, int degrees)
{
    int out_w = degrees % 180 ? h : w, out_h = degrees % 180 ? w : h;
    int stored_w = out_w + out_w % 2, stored_h = out_h + out_h % 2;
    int cw = (w + 1) / 2, ch = (h + 1) / 2;
    for (int y = 0; y < stored_h; y++)
        for (int x = 0; x < stored_w; x++) {
            struct point from =
                before(degrees, w, h, (struct point){clamp(x, out_w), clamp(y, out_h)});
            assert_int_equal(picture[y * stored_w + x], y_plane[from.y * STRIDE + from.x]);
        }
    const uint8_t *chroma = picture + stored_w * stored_h;
    for (int y = 0; y < stored_h / 2; y++)
        for (int x = 0; x < stored_w / 2; x++) {
            struct point from = before(degrees, cw, ch, (struct point){x, y});
            assert_int_equal(chroma[y * stored_w + 2 * x], u_plane[from.y * STRIDE + from.x]);
            assert_int_equal(chroma[y * stored_w + 2 * x + 1], v_plane[from.y * STRIDE + from.x]);
        }
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(nv12_even(1), 2);
    assert_int_equal(nv12_even(2), 2);
    assert_int_equal(nv12_bytes(1, 1), 6);
    assert_int_equal(nv12_bytes(3, 5), 4 * 6 * 3 / 2);
    assert_int_equal(nv12_bytes(40000, 40000), (size_t)2400000000);
}

static void test_all_turns_of_all_sizes(void **state)
{
    (void)state;
    const struct nv12_planes planes = {y_plane, u_plane, v_plane, STRIDE, STRIDE, STRIDE};
    fill();
    for (int w = 1; w <= 9; w++)
        for (int h = 1; h <= 9; h++) {
            size_t bytes = nv12_bytes(w, h);
            uint8_t *lying = malloc(bytes), *turned = malloc(bytes + 1);
            nv12_from_planes(&planes, w, h, lying);
            check(lying, w, h, 0);
            for (int degrees = 0; degrees < 360; degrees += 90) {
                turned[bytes] = 0xa5;
                nv12_rotate(lying, w, h, degrees, turned);
                check(turned, w, h, degrees);
                assert_int_equal(turned[bytes], 0xa5);
            }
            free(lying);
            free(turned);
        }
}

static void test_turning_back(void **state)
{
    (void)state;
    const struct nv12_planes planes = {y_plane, u_plane, v_plane, STRIDE, STRIDE, STRIDE};
    uint8_t a[22 * 14 * 3 / 2], b[22 * 14 * 3 / 2];
    fill();
    nv12_from_planes(&planes, 21, 14, a);
    nv12_rotate(a, 21, 14, 90, b);
    nv12_rotate(b, 14, 21, 270, a);
    check(a, 21, 14, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_all_turns_of_all_sizes),
        cmocka_unit_test(test_turning_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
