/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of how a convolution is computed on a GPU: read back as it was written, or not at
 * all. */
#include "tests/unit/support.h"

#if TEG_CUDA
#include "kernels/cuda/conv_choice.h"

static void reads_what_it_wrote(void **state)
{
    static const struct {
        struct conv_choice choice;
        const char *text;
    } cases[] = {
        {{.way = WAY_PLAIN, .w_type = DTYPE_F32}, "plain"},
        {{.way = WAY_PRODUCT, .index = 2, .number = 21, .w_type = DTYPE_F32, .ms = 0.3125f},
         "product 2 algorithm 21 in 0.3125 ms"},
        {{.way = WAY_GRAPH,
          .n_spatial = 3,
          .index = 7,
          .number = 1065,
          .knobs = 0xdeadbeef,
          .w_type = DTYPE_BF16,
          .ms = 12.5f},
         "graph 3 7 engine 1065 knobs deadbeef bf16 in 12.5 ms"},
        {{.way = WAY_FUSED,
          .fusion = FUSES_ALL,
          .w_type = DTYPE_F32,
          .ms = 0.5f,
          .apart_ms = 1e-3f},
         "fused in 0.5 ms, apart in 0.001"},
        {{.way = WAY_FUSED,
          .fusion = FUSES_AFTER,
          .w_type = DTYPE_F32,
          .ms = 0.5f,
          .apart_ms = 2.0f},
         "fused after in 0.5 ms, apart in 2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct conv_choice *want = &cases[i].choice;
        struct conv_choice got;
        char text[CONV_CHOICE_TEXT];
        conv_choice_write(want, text);
        assert_string_equal(text, cases[i].text);
        assert_true(conv_choice_read(&got, text));
        assert_int_equal(got.way, want->way);
        assert_int_equal(got.n_spatial, want->n_spatial);
        assert_int_equal(got.index, want->index);
        assert_int_equal(got.number, want->number);
        assert_int_equal(got.knobs, want->knobs);
        assert_int_equal(got.fusion, want->fusion);
        assert_int_equal(got.w_type, want->w_type);
    }
}

static void refuses_the_rest(void **state)
{
    static const char *const bad[] = {
        "",
        "fuse",
        "fused before",
        "fused after in",
        "product 1",
        "product 1 algorithm 2 more",
        "graph 2 1 engine 3 knobs 4",
        "graph 2 1 engine 3 knobs 4 bf16 f32",
        "broken",
        " in 0.5 ms",
        "plain and a text that is longer than any name of a choice can be, so that it has to be "
        "cut "
        "off somewhere, and still is none",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct conv_choice c;
        assert_false(conv_choice_read(&c, bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_what_it_wrote),
                                       cmocka_unit_test(refuses_the_rest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
static void not_built(void **state)
{
    (void)state;
    support_skip("built without CUDA");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(not_built)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
