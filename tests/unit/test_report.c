/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "common/eval/report.h"
#include "tests/unit/support.h"

static void test_document(void **state)
{
    (void)state;
    struct err e = {0};
    char folder[256], text[512] = "";
    struct json *argv = json_new_array();
    argv = report_append(argv, json_new_str("--seed=7"));
    struct report part = report_new();
    report_put_i64(&part, "n", 3);
    report_put_hash(&part, "file", "abc", 3);
    struct report r = report_start("teg-probe", argv);
    report_put_f64(&r, "top1", 0.5);
    report_put_f64(&r, "ap", NAN);
    report_put(&r, "part", report_take(&part));
    struct json *metrics = report_take(&r);
    assert_non_null(metrics);
    support_make_folder(folder, sizeof folder);
    const char *path = support_path(folder, "metrics.json");
    support_ok(report_write(metrics, path, &e), &e);
    struct json *again = json_load(path, &e);
    json_remove(again, "tool_version");
    snprintf(text, sizeof text, "%s", json_text(again));
    assert_string_equal(text, "{\"schema\":\"metrics\",\"version\":1,\"tool\":\"teg-probe\","
                              "\"argv\":[\"--seed=7\"],\"top1\":0.5,\"ap\":null,\"part\":{\"n\":3,"
                              "\"file\":\"06b05ab6733a618578af5f94892f3950\"}}");
    support_failed(report_write(metrics, "/nowhere/metrics.json", &e), &e, "/nowhere/metrics.json");
    json_free(again);
    json_free(metrics);
    json_free(argv);
    support_remove(folder);
}

/* Whatever is missing on the way is seen at the end. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct report r = report_new();
    report_put(&r, "nothing", NULL);
    report_put_i64(&r, "n", 1);
    assert_null(report_take(&r));
    assert_null(report_append(json_new_array(), NULL));
    assert_null(report_append(NULL, json_new_i64(1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
