/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/json_items.h"

#include "common/base/buf.h"
#include "tests/unit/support.h"

/* "name=value;" for every item, as compact text. */
static int collect(const char *text, struct buf *out, struct err *e)
{
    struct json_items items;
    int rc;
    json_items_init(&items, text, strlen(text));
    while ((rc = json_items_next(&items, e)) == 1)
        buf_printf(out, e, "%s=%s;", items.name ? items.name : "", json_text(items.value));
    json_items_release(&items);
    return rc;
}

static void check_items(const char *text, const char *expected)
{
    struct err e = {0};
    struct buf out = {0};
    support_ok(buf_printf(&out, &e, "%s", ""), &e);
    support_ok(collect(text, &out, &e), &e);
    assert_string_equal((char *)out.data, expected);
    buf_release(&out);
}

static void test_items(void **state)
{
    (void)state;
    check_items("[]", "");
    check_items("\xef\xbb\xbf { } \r\n", "");
    check_items("[1, \"a,]\\\"b\" ,[2,[3]],{\"x\":[\"}\"]}, null,NaN,true]",
                "=1;=\"a,]\\\"b\";=[2,[3]];={\"x\":[\"}\"]};=null;=NaN;=true;");
    check_items("{\"a\" : 1,\n\"b\\u0041\":[],\"a\":{}}", "a=1;bA=[];a={};");
    check_items("[\"\xc3\xa9\"]", "=\"\xc3\xa9\";");
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "1:1: neither an array nor an object"},
        {"1", "1:1: neither"},
        {"[", "1:2: "},
        {"[1", "1:3: unexpected end of data"},
        {"[1 2]", "1:4: ',' is missing"},
        {"[1,\n ,2]", "2:2: "},
        {"[1,]", "1:4: "},
        {"[1]x", "1:4: unexpected text behind"},
        {"[1}", "1:3: ',' is missing"},
        {"[[1}]", "1:2: "},
        {"[\"a]", "1:2: "},
        {"[\"a\\", "1:2: "},
        {"{1:2}", "1:2: a name is missing"},
        {"{\"a\" 2}", "1:6: ':' is missing"},
        {"{\"a\":}", "1:6: "},
        {"{\"a\":1,}", "1:8: a name is missing"},
        {"[\"\xff\"]", "invalid utf-8"},
        {"[1,\n {\"a\":\n x}]", "2:2: in the value that begins here, at 2:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        struct buf out = {0};
        support_failed(collect(cases[i][0], &out, &e), &e, cases[i][1]);
        buf_release(&out);
    }
}

/* Nothing behind the end, and an item in use may be left. */
static void test_end(void **state)
{
    (void)state;
    struct err e = {0};
    struct json_items items;
    json_items_init(&items, "[1,2]", 5);
    assert_int_equal(json_items_next(&items, &e), 1);
    assert_int_equal(items.n, 1);
    json_items_release(&items);
    json_items_init(&items, "[1]", 3);
    assert_int_equal(json_items_next(&items, &e), 1);
    assert_int_equal(json_items_next(&items, &e), 0);
    assert_null(items.value);
    json_items_release(&items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
