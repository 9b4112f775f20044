/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/planar.h"
#include "tests/unit/support.h"

/* Rows lie further apart than they are long, by another distance in every plane. */
enum { MOST = 70, ROW_BYTES = 2 * (MOST + 1), GAP = 6, ROOM = MOST * (ROW_BYTES + 4 * GAP) };
enum { UNTOUCHED = 0xa5 };

static _Alignas(2) uint8_t luma[ROOM], chroma[ROOM], plane[3][ROOM];

static const struct planar_planes planes = {
    {plane[0], plane[1], plane[2]},
    {ROW_BYTES + 2 * GAP, ROW_BYTES + 3 * GAP, ROW_BYTES + 4 * GAP}};

/* Sample (x, y) of bytes, or of words of this shift. */
static unsigned sample(const uint8_t *from, ptrdiff_t stride, int x, int y, int shift)
{
    const uint8_t *row = from + y * stride;
    return shift == 0 ? row[x] : (unsigned)((row[2 * x] | row[2 * x + 1] << 8) >> shift);
}

/* Every byte of a plane: its samples, and what lies beside them. */
static void check_plane(const struct planar_source *s, int k)
{
    int bytes = s->shift == 0 ? 1 : 2;
    int width = k ? (s->width + 1) / 2 : s->width, height = k ? (s->height + 1) / 2 : s->height;
    ptrdiff_t stride = planes.stride[k];
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            unsigned wanted = k ? sample(s->chroma, s->chroma_stride, 2 * x + k - 1, y, s->shift)
                                : sample(s->luma, s->luma_stride, x, y, s->shift);
            const uint8_t *at = plane[k] + y * stride + x * bytes;
            assert_int_equal(bytes == 1 ? at[0] : at[0] | at[1] << 8, wanted);
        }
    for (ptrdiff_t i = 0; i < ROOM; i++)
        if (i / stride >= height || i % stride >= width * bytes)
            assert_int_equal(plane[k][i], UNTOUCHED);
}

static void check_size(int width, int height, int shift)
{
    const struct planar_source s = {.luma = luma,
                                    .chroma = chroma,
                                    .luma_stride = ROW_BYTES + GAP,
                                    .chroma_stride = ROW_BYTES,
                                    .width = width,
                                    .height = height,
                                    .shift = shift};
    memset(plane, UNTOUCHED, sizeof plane);
    planar_split(&s, &planes);
    for (int k = 0; k < 3; k++)
        check_plane(&s, k);
}

/* Bytes, and words of 10 and of 12 bits. */
static void test_sizes_and_strides(void **state)
{
    static const int size[] = {1, 2, 3, 16, 17, 33, 64, 69, 70}, shift[] = {0, 6, 4};
    const size_t n = sizeof size / sizeof size[0];
    (void)state;
    for (size_t i = 0; i < ROOM; i++) {
        luma[i] = (uint8_t)(i * 7 + i / 251);
        chroma[i] = (uint8_t)(i * 11 + i / 241);
    }
    for (size_t k = 0; k < 3; k++)
        for (size_t w = 0; w < n; w++)
            for (size_t h = 0; h < n; h++)
                check_size(size[w], size[h], shift[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes_and_strides)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
