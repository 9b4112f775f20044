/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/store/safetensors.h"
#include "tests/unit/folder_support.h"

static const float weights[6] = {0, 1, 2.5f, -3, 1e-30f, 5};
static const uint16_t halves[4] = {0x3f80, 0x4000, 0xbf80, 0};
static const int64_t step = -77;

static const struct safetensor model[] = {
    {.name = "conv.weight",
     .dtype = "F32",
     .n_dims = 2,
     .dim = {2, 3},
     .data = weights,
     .bytes = 24},
    {.name = "bias \"\xc3\xa9\"",
     .dtype = "BF16",
     .n_dims = 1,
     .dim = {4},
     .data = halves,
     .bytes = 8},
    {.name = "empty", .dtype = "U8", .n_dims = 2, .dim = {0, 7}, .data = NULL, .bytes = 0},
    {.name = "step", .dtype = "I64", .n_dims = 0, .data = &step, .bytes = 8},
};
enum { N_MODEL = sizeof model / sizeof *model };

/* The first n tensors. */
static void write_tensors(const char *path, size_t n)
{
    struct err e = {0};
    struct json *metadata = json_new_object();
    assert_int_equal(json_add(metadata, "format", json_new_str("pt")), 0);
    assert_int_equal(json_add(metadata, "settings", json_new_str("{\"depth\": 50}")), 0);
    support_ok(safetensors_write(path, model, n, metadata, &e), &e);
    json_free(metadata);
}

static void write_model(const char *path)
{
    write_tensors(path, N_MODEL);
}

static void check_tensor(const struct safetensor *t, const struct safetensor *expected)
{
    assert_non_null(t);
    assert_string_equal(t->name, expected->name);
    assert_string_equal(t->dtype, expected->dtype);
    assert_int_equal(t->n_dims, expected->n_dims);
    assert_int_equal(t->bytes, expected->bytes);
    for (int i = 0; i < t->n_dims; i++)
        assert_int_equal(t->dim[i], expected->dim[i]);
    if (t->bytes)
        assert_memory_equal(t->data, expected->data, t->bytes);
}

static void check_model(const char *path)
{
    struct err e = {0};
    struct safetensors *s;
    support_ok(safetensors_open(&s, path, &e), &e);
    assert_int_equal(safetensors_n(s), N_MODEL);
    for (size_t i = 0; i < N_MODEL; i++)
        check_tensor(safetensors_find(s, model[i].name), &model[i]);
    assert_null(safetensors_find(s, "conv"));
    assert_null(safetensors_find(s, "__metadata__"));
    const char *settings = NULL;
    support_ok(json_get_str(safetensors_metadata(s), "settings", &settings, &e), &e);
    assert_string_equal(settings, "{\"depth\": 50}");
    safetensors_close(s);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct err e = {0};
    const char *path = support_path(folder, "a.safetensors");
    write_model(path);
    check_model(path);
    struct safetensors *s;
    support_ok(safetensors_open(&s, path, &e), &e);
    for (size_t i = 0; i < N_MODEL; i++)
        check_tensor(safetensors_at(s, i), &model[i]);
    assert_null(safetensors_at(s, N_MODEL));
    assert_int_equal((uintptr_t)safetensors_at(s, 0)->data % 64, 0);
    safetensors_close(s);
    safetensors_close(NULL);
    /* No tensors and no metadata but the hash are fine as well. */
    support_ok(safetensors_write(path, NULL, 0, NULL, &e), &e);
    support_ok(safetensors_open(&s, path, &e), &e);
    assert_int_equal(safetensors_n(s), 0);
    assert_int_equal(json_len(safetensors_metadata(s)), 1);
    assert_int_equal(safetensors_check_content(s, &e), 1);
    assert_null(safetensors_find(s, "x"));
    safetensors_close(s);
}

/* Whatever bit is turned: the file is refused, or its content is not what was written. (Of a tensor
 * without elements the shape might be another one.) */
static void test_content(void **state)
{
    (void)state;
    struct err e = {0};
    struct safetensors *s;
    struct buf file = {0};
    const char *path = support_path(folder, "c.safetensors");
    write_tensors(path, 2);
    support_ok(file_read(path, &file, &e), &e);
    char *member = memmem(file.data, file.len, "\"content\"", 9);
    assert_non_null(member);
    size_t at = (size_t)(member + 1 - (char *)file.data), end = at + strlen("content");
    for (size_t i = 0; i < 8 * file.len; i++) {
        bool named = i / 8 < at || i / 8 >= end; /* without its name it is no hash */
        file.data[i / 8] ^= (unsigned char)(1 << i % 8);
        if (safetensors_view(&s, file.data, file.len, &e) == 0) {
            if (named && safetensors_check_content(s, &e) >= 0)
                fail_msg("bit %zu is not missed", i);
            safetensors_close(s);
        }
        file.data[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    support_ok(safetensors_view(&s, file.data, file.len, &e), &e);
    assert_int_equal(safetensors_check_content(s, &e), 1);
    safetensors_close(s);
    memcpy(member, "\"contend\"", 9);
    support_ok(safetensors_view(&s, file.data, file.len, &e), &e);
    assert_int_equal(safetensors_check_content(s, &e), 0);
    safetensors_close(s);
    buf_release(&file);
}

static void test_item_bytes(void **state)
{
    (void)state;
    assert_int_equal(safetensors_item_bytes("BF16"), 2);
    assert_int_equal(safetensors_item_bytes("BOOL"), 1);
    assert_int_equal(safetensors_item_bytes("F64"), 8);
    assert_int_equal(safetensors_item_bytes("f32"), 0);
    assert_int_equal(safetensors_item_bytes(""), 0);
}

/* What the reference implementation reads and writes. */
static void test_reference(void **state)
{
    (void)state;
    static const char script[] =
        "import sys, numpy\n"
        "from safetensors import deserialize, safe_open\n"
        "from safetensors.numpy import save_file\n"
        "t = dict(deserialize(open(sys.argv[1], 'rb').read()))\n"
        "m = safe_open(sys.argv[1], 'np').metadata()\n"
        "assert {**m, 'content': len(m['content'])} == {\n"
        "    'format': 'pt', 'settings': '{\"depth\": 50}', 'content': 32}, m\n"
        "assert {k: (v['dtype'], v['shape']) for k, v in t.items()} == {\n"
        "    'conv.weight': ('F32', [2, 3]), 'bias \"\\u00e9\"': ('BF16', [4]),\n"
        "    'empty': ('U8', [0, 7]), 'step': ('I64', [])}, t\n"
        "assert int.from_bytes(t['step']['data'], 'little', signed=True) == -77\n"
        "kinds = {'F32': 'f4', 'BF16': 'u2', 'U8': 'u1', 'I64': 'i8'}\n"
        "save_file({k: numpy.frombuffer(bytes(v['data']), kinds[v['dtype']]).reshape(v['shape'])\n"
        "           for k, v in t.items()}, sys.argv[2], m)\n";
    if (system("python3 -c 'import safetensors, numpy' 2>/dev/null") != 0) {
        support_skip("the safetensors package of Python is not installed");
    }
    const char *ours = support_path(folder, "ours.safetensors");
    const char *theirs = support_path(folder, "theirs.safetensors");
    const char *script_path = support_path(folder, "check.py");
    char command[4096];
    write_model(ours);
    support_write(script_path, script, sizeof script - 1);
    snprintf(command, sizeof command, "python3 '%s' '%s' '%s'", script_path, ours, theirs);
    assert_int_equal(system(command), 0);
    struct err e = {0};
    struct safetensors *s;
    support_ok(safetensors_open(&s, theirs, &e), &e);
    for (size_t i = 0; i < N_MODEL; i++) {
        struct safetensor expected = model[i];
        if (strcmp(expected.dtype, "BF16") == 0)
            expected.dtype = "U16"; /* NumPy has no bfloat16 */
        check_tensor(safetensors_find(s, expected.name), &expected);
    }
    assert_string_equal(json_str(json_member(safetensors_metadata(s), "format")), "pt");
    assert_int_equal(safetensors_check_content(s, &e), 1); /* whatever the order of the tensors */
    safetensors_close(s);
}

/* -- files that must be refused -- */

#define T(name, dtype, shape, offsets)                                                             \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
    const char *header;
    size_t data_bytes;
    const char *message;
} bad_headers[] = {
    {"", 0, "the header does not begin with '{'"},
    {"[]", 0, "the header does not begin with '{'"},
    {" {}", 0, "the header does not begin with '{'"},
    {"{", 0, "header: 1:2: "},
    {"{]", 0, "header: 1:2: "},
    {"{} x", 0, "header: 1:4: "},
    {"{\"a\":1}", 0, "tensor 'a' is not an object"},
    {"{}", 1, "1 bytes at the end belong to no tensor"},
    {"{" T("a", "F32", "[1]", "[0,8]") "}", 8, "make 4 bytes, the data has 8"},
    {"{" T("a", "F32", "[2]", "[0,8]") "}", 7, "bytes 0 to 8 are not in the file's 7 bytes"},
    {"{" T("a", "F32", "[2]", "[0,8]") "}", 12, "4 bytes at the end belong to no tensor"},
    {"{" T("a", "F32", "[2]", "[8,0]") "}", 8, "bytes 8 to 0 are not in"},
    {"{" T("a", "F32", "[2]", "[4,12]") "}", 12, "4 bytes in front of tensor 'a' belong to no"},
    {"{" T("a", "F32", "[2]", "[-8,0]") "}", 8, "data_offsets holds something that is not a size"},
    {"{" T("a", "F32", "[2]", "[0,8,9]") "}", 8, "data_offsets has 3 numbers"},
    {"{" T("a", "F32", "[2]", "[0.0,8.0]") "}", 8, "data_offsets holds something"},
    /* json-c 0.18 refuses such a number itself. */
    {"{" T("a", "F32", "[2]", "[0,99999999999999999999]") "}", 8, "bad.safetensors: "},
    {"{" T("a", "F32", "[-2]", "[0,8]") "}", 8, "shape holds something that is not a size"},
    {"{" T("a", "F32", "[\"2\"]", "[0,8]") "}", 8, "shape holds something"},
    {"{" T("a", "F32", "2", "[0,8]") "}", 8, "member 'shape': expected an array"},
    {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}", 8, "9 dimensions are too many"},
    {"{" T("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0, "the shape is too large"},
    {"{" T("a", "F32", "[4611686018427387904,4]", "[0,0]") "}", 0, "the shape is too large"},
    {"{" T("a", "F33", "[2]", "[0,8]") "}", 8, "tensor 'a': dtype 'F33' is not known"},
    {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "'a': member 'dtype' is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "'a': member 'shape' is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "'a': member 'data_offsets' is missing"},
    {"{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[3,7]") "}", 7, "'b' shares bytes"},
    {"{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[0,4]") "}", 4, "shares bytes with"},
    {"{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[2]", "[5,7]") "}", 7, "1 bytes in front"},
    {"{" T("a", "U8", "[4]", "[0,4]") "," T("a", "U8", "[4]", "[0,4]") "}", 4, "something twice"},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
     "twice"},
    {"{\"__metadata__\":{\"x\":\"1\",\"x\":\"1\"}}", 0, "something twice"},
    {"{" T("b", "U8", "[0]", "[2,2]") "," T("a", "U8", "[4]", "[0,4]") "}", 4, "'b' shares bytes"},
    {"{\"__metadata__\":{\"x\":1}}", 0, "__metadata__: member 'x' is not a string"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
};

static void write_file(const char *path, const char *header, size_t data_bytes)
{
    struct err e = {0};
    struct buf b = {0};
    uint64_t len = strlen(header);
    support_ok(buf_append(&b, &len, sizeof len, &e), &e);
    support_ok(buf_append(&b, header, len, &e), &e);
    for (size_t i = 0; i < data_bytes; i++)
        support_ok(buf_append(&b, "x", 1, &e), &e);
    support_write(path, b.data, b.len);
    buf_release(&b);
}

static void test_bad_headers(void **state)
{
    (void)state;
    const char *path = support_path(folder, "bad.safetensors");
    for (size_t i = 0; i < sizeof bad_headers / sizeof *bad_headers; i++) {
        struct err e = {0};
        struct safetensors *s;
        write_file(path, bad_headers[i].header, bad_headers[i].data_bytes);
        support_failed(safetensors_open(&s, path, &e), &e, bad_headers[i].message);
        assert_memory_equal(e.text, path, strlen(path));
    }
}

/* The form of the good ones around the bad ones: colons and escaped quotes in strings are no
 * members. */
static void test_good_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{}  ",
        "{" T("a", "U8", "[2,2]", "[0,4]") "}",
        "{" T("b", "U8", "[2]", "[2,4]") "," T("a", "U8", "[2]", "[0,2]") "}",
        "{\"__metadata__\":{\"a:b\":\"c:\\\"d\\\\\"}," T("x", "F32", "[]", "[0,4]") "}",
    };
    static const size_t data_bytes[] = {0, 4, 4, 4};
    const char *path = support_path(folder, "good.safetensors");
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct err e = {0};
        struct safetensors *s = NULL;
        write_file(path, headers[i], data_bytes[i]);
        support_ok(safetensors_open(&s, path, &e), &e);
        safetensors_close(s);
    }
}

static void test_cut_files(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf b = {0};
    struct safetensors *s;
    const char *path = support_path(folder, "cut.safetensors");
    write_model(path);
    support_ok(file_read(path, &b, &e), &e);
    for (size_t len = 0; len < b.len; len++) {
        support_write(path, b.data, len);
        support_failed(safetensors_open(&s, path, &e), &e, "cut.safetensors: ");
    }
    b.data[7] = 0xff; /* a header of 2^63 bytes */
    support_write(path, b.data, b.len);
    support_failed(safetensors_open(&s, path, &e), &e, "not a safetensors file, or cut off");
    buf_release(&b);
    assert_int_equal(safetensors_open(&s, support_path(folder, "none"), &e), ERR_NOT_FOUND);
    support_failed(safetensors_open(&s, folder, &e), &e, "not a regular file");
}

static void test_write_refuses(void **state)
{
    (void)state;
    const char *path = support_path(folder, "w.safetensors");
    static const struct {
        struct safetensor t[2];
        const char *message;
    } cases[] = {
        {{{.name = "a", .dtype = "F32", .n_dims = 1, .dim = {2}, .bytes = 4, .data = weights}},
         "w.safetensors: tensor 'a': dtype and shape make 8 bytes, the data has 4"},
        {{{.name = "a", .dtype = "float", .n_dims = 1, .dim = {2}, .bytes = 8, .data = weights}},
         "tensor 'a': dtype 'float' is not known"},
        {{{.name = "a", .dtype = "F32", .n_dims = 9, .bytes = 8, .data = weights}}, "9 dimensions"},
        {{{.name = "__metadata__", .dtype = "F32", .bytes = 4, .data = weights}}, "name is taken"},
        {{{.name = "a", .dtype = "U8", .bytes = 1, .data = weights},
          {.name = "a", .dtype = "U8", .bytes = 1, .data = weights}},
         "tensor 'a': the name is taken"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        size_t n = cases[i].t[1].name ? 2 : 1;
        support_failed(safetensors_write(path, cases[i].t, n, NULL, &e), &e, cases[i].message);
        assert_false(file_exists(path));
    }
    struct err e = {0};
    struct json *metadata = json_new_object();
    assert_int_equal(json_add(metadata, "x", json_new_i64(1)), 0);
    support_failed(safetensors_write(path, model, 1, metadata, &e), &e, "'x' is not a string");
    json_free(metadata);
    support_failed(safetensors_write("/dev/full", model, 1, NULL, &e), &e,
                   "/dev/full: No space left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_content, set_up, tear_down),
        cmocka_unit_test(test_item_bytes),
        cmocka_unit_test_setup_teardown(test_reference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_good_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_write_refuses, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
