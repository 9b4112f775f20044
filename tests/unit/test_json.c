/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>

#include "common/base/file.h"
#include "common/base/json.h"
#include "tests/unit/support.h"

static struct json *parse(const char *text)
{
    struct err e = {0};
    struct json *v = json_parse(text, strlen(text), &e);
    if (!v)
        fail_msg("%s: %s", text, e.text);
    return v;
}

static void check_text(struct json *v, const char *expected)
{
    assert_non_null(v);
    assert_string_equal(json_text(v), expected);
    json_free(v);
}

static void test_parse(void **state)
{
    (void)state;
    check_text(parse(" {\"b\":1, \"a\":[true,null,\"x/y\\u00e9\\n\"]}\n"),
               "{\"b\":1,\"a\":[true,null,\"x/y\xc3\xa9\\n\"]}");
    check_text(parse("[\"\xc3\xa9\\n\\\\\xe2\x82\xac\xf0\x9f\x98\x80\"]"),
               "[\"\xc3\xa9\\n\\\\\xe2\x82\xac\xf0\x9f\x98\x80\"]");
    check_text(parse("12"), "12");
    check_text(parse("null"), "null");
    check_text(parse("[NaN, 1.50, 1e3]"), "[NaN,1.50,1e3]");
    check_text(parse("\xef\xbb\xbf{}"), "{}");
    struct json *v = parse("[[NaN]]");
    assert_true(isnan(json_f64(json_at(json_at(v, 0), 0))));
    json_free(v);
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "1:1: unexpected end of data"},
        {"\n  ", "2:3: unexpected end of data"},
        {"{\"a\":1,\n \"b\" 2}", "2:6: "},
        {"[1,2", "1:5: unexpected end of data"},
        {"\"abc", "1:5: unexpected end of data"},
        {"{} x", "1:4: unexpected character"},
        {"12 x", "1:4: unexpected"},
        {"[1,]", "1:4: "},
        {"['a']", "1:2: "},
        {"// x\n1", "1:1: "},
        {"[\"\xff\"]", "1:3: invalid utf-8"},
        {"[\"\\\xc3\xa9\"]", "1:4: invalid escape"},
        {"[\xc3\xa9]", "1:2: "},
        {"[01]", "1:4: "},
        {"nul", "unexpected end"},
        {"truth", "expected"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        assert_null(json_parse(bad[i].text, strlen(bad[i].text), &e));
        support_failed(ERR_FAIL, &e, bad[i].message);
    }
    char deep[200];
    memset(deep, '[', sizeof deep);
    struct err e = {0};
    assert_null(json_parse(deep, sizeof deep, &e));
    support_failed(ERR_FAIL, &e, "nesting too deep");
}

static void test_load(void **state)
{
    (void)state;
    struct err e = {0};
    char folder[256];
    support_make_folder(folder, sizeof folder);
    const char *path = support_path(folder, "a.json");
    assert_null(json_load(path, &e));
    support_failed(ERR_FAIL, &e, "a.json: No such file");
    support_write(path, "{\"a\":\n}", 7);
    assert_null(json_load(path, &e));
    support_failed(ERR_FAIL, &e, "a.json: 2:1: ");
    support_write(path, "{\"a\": 1}\n", 9);
    check_text(json_load(path, &e), "{\"a\":1}");
    support_remove(folder);
}

static void test_get(void **state)
{
    (void)state;
    struct err e = {0};
    struct json *v = parse("{\"s\":\"x\",\"i\":-3,\"r\":2.5,\"b\":true,\"n\":null,\"a\":[1],"
                           "\"o\":{},\"z\":\"a\\u0000b\",\"big\":9223372036854775808}");
    const char *s = NULL;
    int64_t i = 0;
    double r = 0;
    bool b = false;
    struct json *sub = NULL;
    support_ok(json_get_str(v, "s", &s, &e), &e);
    assert_string_equal(s, "x");
    support_ok(json_get_i64(v, "i", &i, &e), &e);
    assert_int_equal(i, -3);
    support_ok(json_get_f64(v, "r", &r, &e), &e);
    assert_true(r == 2.5);
    support_ok(json_get_f64(v, "i", &r, &e), &e);
    assert_true(r == -3);
    support_ok(json_get_bool(v, "b", &b, &e), &e);
    assert_true(b);
    support_ok(json_get_array(v, "a", &sub, &e), &e);
    assert_int_equal(json_len(sub), 1);
    support_ok(json_get_object(v, "o", &sub, &e), &e);
    assert_int_equal(json_len(sub), 0);

    assert_int_equal(json_get_str(v, "none", &s, &e), ERR_NOT_FOUND);
    assert_string_equal(e.text, "member 'none' is missing");
    assert_int_equal(json_get_i64(v, "r", &i, &e), ERR_FAIL);
    assert_string_equal(e.text, "member 'r': expected an integer, got a number");
    support_failed(json_get_f64(v, "s", &r, &e), &e, "expected a number, got a string");
    support_failed(json_get_bool(v, "n", &b, &e), &e, "expected a boolean, got null");
    support_failed(json_get_array(v, "o", &sub, &e), &e, "expected an array, got an object");
    support_failed(json_get_object(v, "a", &sub, &e), &e, "expected an object, got an array");
    support_failed(json_get_str(v, "z", &s, &e), &e, "holds a NUL");
    support_failed(json_get_i64(v, "big", &i, &e), &e, "too large");
    support_failed(json_get_str(sub, "z", &s, &e), &e, "is missing");
    support_failed(json_get_str(json_member(v, "a"), "z", &s, &e), &e,
                   "expected an object, got an");
    json_free(v);
}

static void test_null_is_a_value(void **state)
{
    (void)state;
    struct json *v = parse("{\"n\":null,\"a\":[null]}");
    assert_non_null(json_member(v, "n"));
    assert_int_equal(json_kind(json_member(v, "n")), JSON_NULL);
    assert_null(json_member(v, "m"));
    assert_non_null(json_at(json_member(v, "a"), 0));
    assert_null(json_at(json_member(v, "a"), 1));
    assert_int_equal(json_add(v, "k", json_new_null()), 0);
    assert_int_equal(json_add(v, "failed", NULL), ERR_FAIL);
    check_text(v, "{\"n\":null,\"a\":[null],\"k\":null}");
    check_text(json_ref(json_new_null()), "null");
}

static void test_walk(void **state)
{
    (void)state;
    struct json *v = parse("{\"z\":1,\"a\":null,\"m\":3}");
    const char *name, *expected[] = {"z", "a", "m"};
    struct json *value;
    struct json_walk w = {0};
    for (size_t i = 0; i < 3; i++) {
        assert_true(json_next(v, &w, &name, &value));
        assert_string_equal(name, expected[i]);
        assert_true(json_pair(v, i, &name, &value));
        assert_string_equal(name, expected[i]);
        assert_ptr_equal(value, json_member(v, name));
    }
    assert_false(json_next(v, &w, &name, &value));
    assert_false(json_next(v, &w, &name, &value));
    assert_false(json_pair(v, 3, &name, &value));
    json_remove(v, "a");
    assert_int_equal(json_len(v), 2);
    json_free(v);
}

static void test_reals(void **state)
{
    (void)state;
    check_text(json_new_f64(0.1), "0.1");
    check_text(json_new_f64(3), "3.0");
    check_text(json_new_f64(-0.0), "-0.0");
    check_text(json_new_f64(1e22), "1e+22");
    check_text(json_new_f64(1.0 / 3), "0.3333333333333333");
    check_text(json_new_f64(NAN), "NaN");
    check_text(json_new_f64(-HUGE_VAL), "-Infinity");
    const double values[] = {DBL_MAX,   DBL_MIN,           5e-324, 123456789012345678.0, M_PI,
                             0.1 + 0.2, -29.97002997002997};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct json *v = json_new_f64(values[i]);
        struct json *back = parse(json_text(v));
        assert_int_equal(json_kind(back), JSON_REAL);
        assert_true(json_f64(back) == values[i]);
        json_free(v);
        json_free(back);
    }
}

static void test_make(void **state)
{
    (void)state;
    struct json *v = json_new_object(), *list = json_new_array();
    assert_int_equal(json_append(list, json_new_i64(INT64_MIN)), 0);
    assert_int_equal(json_append(list, json_new_bool(false)), 0);
    assert_int_equal(json_append(list, NULL), ERR_FAIL);
    assert_int_equal(json_append(v, json_new_i64(1)), ERR_FAIL);
    assert_int_equal(json_add(list, "x", json_new_i64(1)), ERR_FAIL);
    assert_int_equal(json_add(v, "s", json_new_str("a\"b/c")), 0);
    assert_int_equal(json_add(v, "list", json_ref(list)), 0);
    assert_string_equal(json_pretty(v), "{\n  \"s\": \"a\\\"b/c\",\n  \"list\": [\n"
                                        "    -9223372036854775808,\n    false\n  ]\n}");
    check_text(v, "{\"s\":\"a\\\"b/c\",\"list\":[-9223372036854775808,false]}");
    check_text(list, "[-9223372036854775808,false]");
}

static void test_equal(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"{\"a\":1,\"b\":0.10}", "{\"b\":0.1,\"a\":1}", true},
        {"[NaN]", "[NaN]", true},
        {"null", "null", true},
        {"[1,2]", "[2,1]", false},
        {"{\"a\":1}", "{\"a\":1,\"b\":null}", false},
        {"null", "0", false},
        {"\"1\"", "1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json *a = parse(cases[i].a), *b = parse(cases[i].b);
        assert_int_equal(json_equal(a, b), cases[i].equal);
        json_free(a);
        json_free(b);
    }
}

static void test_wrong_kinds(void **state)
{
    (void)state;
    struct json *v = parse("[\"x\",1,true,{}]");
    assert_null(json_str(json_at(v, 1)));
    assert_string_equal(json_str(json_at(v, 0)), "x");
    assert_int_equal(json_i64(json_at(v, 0)), 0);
    assert_true(json_f64(json_at(v, 1)) == 1);
    assert_true(json_f64(json_at(v, 2)) == 0);
    assert_true(json_bool(json_at(v, 2)));
    assert_false(json_bool(json_at(v, 1)));
    assert_int_equal(json_len(json_at(v, 0)), 0);
    assert_null(json_member(v, "x"));
    assert_null(json_at(json_at(v, 3), 0));
    json_free(v);
    json_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_null_is_a_value),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_reals),
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_wrong_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
