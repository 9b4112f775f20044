/* SPDX-License-Identifier: Apache-2.0 */
/* The learning rate over a training. */
#include <math.h>

#include "common/nn/schedule.h"
#include "tests/unit/support.h"

static void close_to(double a, double b)
{
    assert_true(fabs(a - b) < 1e-12);
}

static void test_values(void **state)
{
    const struct schedule s = {.base = 2, .warmup_steps = 20, .total_steps = 80};
    (void)state;
    close_to(schedule_lr(&s, 0), 0);
    /* cosine at a quarter of the way, where the warm-up ends; half of it in its middle */
    close_to(schedule_lr(&s, 20), 1 + sqrt(0.5));
    close_to(schedule_lr(&s, 10), (1 + sqrt(0.5)) / 2);
    close_to(schedule_lr(&s, 40), 1);
    close_to(schedule_lr(&s, 60), 1 - sqrt(0.5));
    assert_true(schedule_lr(&s, 79) > 0 && schedule_lr(&s, 79) < 0.001);
}

static void test_shape(void **state)
{
    const struct schedule s = {.base = 0.32, .warmup_steps = 5, .total_steps = 200};
    (void)state;
    for (uint64_t step = 1; step < 200; step++)
        assert_true((schedule_lr(&s, step) > schedule_lr(&s, step - 1)) == (step <= 5));
}

static void test_without_warmup(void **state)
{
    const struct schedule s = {.base = 4, .total_steps = 10};
    (void)state;
    close_to(schedule_lr(&s, 0), 4);
    close_to(schedule_lr(&s, 5), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_without_warmup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
