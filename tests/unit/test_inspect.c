/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/inspect.h"

#include <math.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/image.h"
#include "common/store/embeddings.h"
#include "common/store/index.h"
#include "common/store/safetensors.h"
#include "tests/unit/clip_support.h"
#include "tests/unit/folder_support.h"

/* -- the files that are looked at -- */

static void make_frames(const char *path)
{
    struct frames_info videos[] = {
        {.width = 5,
         .height = 3,
         .n_frames = 2,
         .fps_num = 25,
         .fps_den = 1,
         .frame_step = 1,
         .ok = true},
        {.width = 4,
         .height = 4,
         .n_frames = 12,
         .fps_num = 30,
         .fps_den = 1,
         .frame_step = 1,
         .ok = true},
    };
    clip_support_frames(path, videos, 2);
}

static void make_samples(const char *path, float blur)
{
    struct frames_info info = {.width = 16, .height = 12};
    struct sample rows[30];
    for (size_t i = 0; i < 30; i++) {
        rows[i] = clip_support_sample((uint32_t)(i % 2), &info);
        rows[i].start = (int32_t)i - 1;
        rows[i].blur = blur;
    }
    const char *frames = support_path(folder, "of-samples.lmdb");
    if (!file_exists(frames))
        make_frames(frames);
    clip_support_samples(path, frames, rows, 30, 2);
}

static struct store_writer *create(const char *path, const char *schema, int version)
{
    struct err e = {0};
    struct store_writer *w;
    struct store_spec spec = {.schema = schema, .version = version, .tool = "test"};
    support_ok(store_create(&w, path, &spec, &e), &e);
    return w;
}

static void make_index(const char *path, const char *class_name)
{
    struct err e = {0};
    struct store_writer *w = create(path, INDEX_SCHEMA, INDEX_VERSION);
    struct video v = {.path = "a.mp4",
                      .class_name = (char *)class_name,
                      .width = 64,
                      .height = 48,
                      .fps_num = 25,
                      .fps_den = 1,
                      .n_frames = 50,
                      .duration = 2,
                      .codec = "h264",
                      .ok = true};
    struct json *j = video_to_json(&v);
    support_ok(store_put(w, "a", json_text(j), strlen(json_text(j)), &e), &e);
    json_free(j);
    support_ok(store_publish(w, 1, &e), &e);
}

/* Two videos of two clips each; one number may be set. */
static void make_embeddings(const char *path, size_t steps, float special)
{
    struct err e = {0};
    struct store_writer *w = create(path, EMBEDDINGS_SCHEMA, EMBEDDINGS_VERSION);
    struct embedding_clip clips[2] = {
        {.end = 1, .centre = 0.5, .target = -1},
        {.clip = 1, .start = 1, .end = 2, .centre = 1.5, .target = 3}};
    struct embedding_shape shape = {.n_steps = steps, .n_channels = 3};
    struct codec *c;
    float values[12];
    support_ok(codec_new(&c, &e), &e);
    for (int video = 0; video < 2; video++) {
        const char *id = video ? "b" : "a";
        support_ok(embeddings_put_video(w, id, clips, 2, &e), &e);
        for (int k = 0; k < 12; k++)
            values[k] = (float)(k * (video + 1)) / 4;
        support_ok(embeddings_put(w, c, id, 0, &(struct embedding){shape, values}, &e), &e);
        values[5] = special;
        support_ok(embeddings_put(w, c, id, 1, &(struct embedding){shape, values}, &e), &e);
    }
    codec_free(c);
    support_ok(store_publish(w, 2, &e), &e);
}

/* `last` and `bias_last` (bfloat16) are the last numbers of its tensors. */
static void make_tensors(const char *path, float last, uint16_t bias_last)
{
    const uint16_t bias[3] = {0x3f80, 0xc000, bias_last}; /* 1, -2, ... */
    struct err e = {0};
    float weights[6] = {0, 1, 2, 3, 4, last};
    struct safetensor t[2] = {
        {.name = "fc.weight",
         .dtype = "F32",
         .n_dims = 2,
         .dim = {2, 3},
         .data = weights,
         .bytes = 24},
        {.name = "fc.bias", .dtype = "BF16", .n_dims = 1, .dim = {3}, .data = bias, .bytes = 6},
    };
    struct json *metadata = json_new_object();
    assert_int_equal(json_add(metadata, "step", json_new_str("7")), 0);
    support_ok(safetensors_write(path, t, 2, metadata, &e), &e);
    json_free(metadata);
}

static void make_model(const char *path, float last)
{
    make_tensors(path, last, 0x7fc0); /* NaN */
}

/* -- running -- */

struct outcome {
    int rc;
    struct err e;
    char *out; /* freed by the next run */
};

static void run(struct outcome *o, int (*command)(const struct inspect *, struct err *),
                struct inspect request)
{
    static char *text;
    size_t len;
    free(text);
    text = NULL;
    request.out = open_memstream(&text, &len);
    assert_non_null(request.out);
    o->e.text[0] = '\0';
    o->rc = command(&request, &o->e);
    assert_int_equal(fclose(request.out), 0);
    o->out = text;
}

static void has(const struct outcome *o, const char *part)
{
    if (!strstr(o->out, part))
        fail_msg("'%s' is not in\n%s\n(%s)", part, o->out, o->e.text);
}

static void succeeds(const struct outcome *o)
{
    support_ok(o->rc, &o->e);
    assert_string_equal(o->e.text, "");
}

/* -- ls -- */

static void test_ls(void **state)
{
    (void)state;
    struct outcome o;
    const char *path = support_path(folder, "frames.lmdb");
    make_frames(path);
    run(&o, inspect_ls, (struct inspect){.path = path});
    succeeds(&o);
    has(&o, "store     frames, version 1\n");
    has(&o, "made by   test 0.");
    has(&o, "items     2\nrecords   16\nkeys      v0\n          v0/00000000\n");
    has(&o, "          v1/00000005\n          and 6 more, which --long lists\n");
    run(&o, inspect_ls, (struct inspect){.path = path, .all = true});
    succeeds(&o);
    has(&o, "type       shape                   bytes     stored  key\n");
    has(&o, "\njson       {8}                       ");
    has(&o, "\nuint8      [6,6]                      36 ");
    has(&o, "  v1/00000011\n");
}

/* A list of a thousand classes takes one line, and so do the counts of each. */
static void test_ls_long_list(void **state)
{
    (void)state;
    struct err e = {0};
    struct outcome o;
    struct store_writer *w;
    struct json *settings = json_new_object(), *names = json_new_array();
    struct json *counts = json_new_object();
    for (int i = 0; i < 21; i++) {
        json_append(names, json_new_str(i ? "other" : "first"));
        json_add(counts, (char[]){(char)('a' + i), '\0'}, json_new_i64(i));
    }
    json_add(settings, "classes", names);
    struct store_spec spec = {
        .schema = INDEX_SCHEMA, .version = INDEX_VERSION, .tool = "test", .settings = settings};
    const char *path = support_path(folder, "index.lmdb");
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_ok(store_summary(w, "classes", counts, &e), &e);
    support_ok(store_publish(w, 0, &e), &e);
    json_free(settings);
    run(&o, inspect_ls, (struct inspect){.path = path});
    succeeds(&o);
    has(&o, "\nsettings  classes = [21 items, from \"first\"]\n");
    has(&o, "\nsummary   classes = {21 members}\n");
}

static void test_ls_model(void **state)
{
    (void)state;
    struct outcome o;
    const char *path = support_path(folder, "m.safetensors");
    make_model(path, 5);
    run(&o, inspect_ls, (struct inspect){.path = path});
    succeeds(&o);
    assert_string_equal(o.out, "model     safetensors\n"
                               "metadata  step = 7\n"
                               "          content = 6b15cddd6a542c0783765af1276f8845\n"
                               "elements  9 in 30 bytes\n"
                               "records   2\n"
                               "keys      fc.weight\n"
                               "          fc.bias\n");
    run(&o, inspect_ls, (struct inspect){.path = path, .all = true});
    succeeds(&o);
    has(&o, "float32    [2,3]                      24         24  fc.weight\n"
            "bfloat16   [3]                         6          6  fc.bias\n");
}

/* -- show -- */

static void test_show(void **state)
{
    (void)state;
    struct outcome o;
    const char *path = support_path(folder, "e.lmdb");
    make_embeddings(path, 4, 7);
    run(&o, inspect_show, (struct inspect){.path = path, .key = "a/00000000"});
    succeeds(&o);
    assert_string_equal(o.out, "float32 [4,3]\n"
                               "min 0, max 2.75, mean 1.375, deviation 0.863013\n"
                               "0 0.25 0.5\n0.75 1 1.25\n1.5 1.75 2\n2.25 2.5 2.75\n");
    run(&o, inspect_show, (struct inspect){.path = path, .key = "a"});
    succeeds(&o);
    has(&o, "{\n  \"clips\": [\n    {\n      \"clip\": 0,\n");
    run(&o, inspect_show, (struct inspect){.path = path, .key = "!meta"});
    succeeds(&o);
    has(&o, "\n  \"schema\": \"embeddings\",\n");
    run(&o, inspect_show, (struct inspect){.path = path, .key = "c"});
    assert_int_equal(o.rc, ERR_NOT_FOUND);
    support_failed(o.rc, &o.e, "e.lmdb: no record c");
}

static void test_show_model(void **state)
{
    (void)state;
    struct outcome o;
    const char *path = support_path(folder, "m.safetensors");
    make_model(path, 5);
    run(&o, inspect_show, (struct inspect){.path = path, .key = "fc.bias"});
    succeeds(&o);
    assert_string_equal(o.out, "bfloat16 [3]\nmin -2, max 1, mean -0.5, deviation 1.5\n"
                               "1 NaN, 0 infinite\n1 -2 nan\n");
    run(&o, inspect_show, (struct inspect){.path = path, .key = "__metadata__"});
    succeeds(&o);
    has(&o, "{\n  \"step\": \"7\",\n  \"content\": \"");
    run(&o, inspect_show, (struct inspect){.path = path, .key = "fc"});
    support_failed(o.rc, &o.e, "m.safetensors: there is no tensor 'fc'");
}

static void test_show_table(void **state)
{
    (void)state;
    struct outcome o;
    const char *path = support_path(folder, "samples.lmdb");
    make_samples(path, 0.5f);
    run(&o, inspect_show, (struct inspect){.path = path, .key = "epoch/00000000"});
    succeeds(&o);
    has(&o, "table [30] of 25 columns\n    video  example  start  stride  length  clip");
    has(&o, "\n 0      0        0     -1       1       4     0 ");
    has(&o, "\nand 10 more rows, which --all shows\n");
    run(&o, inspect_show, (struct inspect){.path = path, .key = "epoch/00000000", .all = true});
    succeeds(&o);
    has(&o, "\n29      1        0     28       1       4     0 ");
    run(&o, inspect_show, (struct inspect){.path = path, .key = "videos"});
    succeeds(&o);
    assert_string_equal(o.out, "[\n  \"v0\",\n  \"v1\"\n]\n");
}

/* -- verify -- */

static void test_verify_good(void **state)
{
    (void)state;
    struct outcome o;
    const char *path = support_path(folder, "x");
    char expected[512];
    make_frames(path);
    run(&o, inspect_verify, (struct inspect){.path = path});
    succeeds(&o);
    snprintf(expected, sizeof expected, "%s: good: frames, 2 videos in 16 records\n", path);
    assert_string_equal(o.out, expected);
    support_remove(path);
    make_samples(path, 0);
    run(&o, inspect_verify, (struct inspect){.path = path});
    succeeds(&o);
    has(&o, "x: good: samples, 1 epochs in 2 records\n");
    support_remove(path);
    make_index(path, "dance");
    run(&o, inspect_verify, (struct inspect){.path = path});
    succeeds(&o);
    has(&o, "x: good: index, 1 videos in 1 records\n");
    for (size_t steps = 0; steps <= 4; steps += 4) {
        support_remove(path);
        make_embeddings(path, steps, 0);
        run(&o, inspect_verify, (struct inspect){.path = path});
        succeeds(&o);
        has(&o, "x: good: embeddings, 2 videos in 6 records\n");
    }
    support_remove(path);
    make_tensors(path, 0, 0);
    run(&o, inspect_verify, (struct inspect){.path = path});
    succeeds(&o);
    has(&o, "x: good: safetensors, 2 tensors\n");
}

static void test_verify_model(void **state)
{
    (void)state;
    struct err e = {0};
    struct outcome o;
    struct buf file = {0};
    const char *path = support_path(folder, "x");
    make_tensors(path, INFINITY, 0x7fc0);
    run(&o, inspect_verify, (struct inspect){.path = path});
    has(&o, "x: fc.weight: number 5 is not finite\n");
    has(&o, "x: fc.bias: number 2 is not finite\n");
    support_failed(o.rc, &o.e, "x: 2 of 2 tensors are bad");
    make_tensors(path, 5, 0);
    support_ok(file_read(path, &file, &e), &e);
    file.data[file.len - 7] ^= 1;
    support_write(path, file.data, file.len);
    run(&o, inspect_verify, (struct inspect){.path = path});
    support_failed(o.rc, &o.e, "x: damaged: tensors and texts do not sum up to the hash");
    /* Files of other programs have no hash. */
    char *member = memmem(file.data, file.len, "\"content\"", 9);
    assert_non_null(member);
    memcpy(member, "\"contend\"", 9);
    support_write(path, file.data, file.len);
    run(&o, inspect_verify, (struct inspect){.path = path});
    succeeds(&o);
    has(&o, "x: good: safetensors, 2 tensors, without a hash of the content\n");
    buf_release(&file);
}

/* A store of any records, which `!meta` calls complete. */
struct text_record {
    const char *key, *value;
};

static void make_store(const char *path, const char *schema, const struct text_record *r, size_t n)
{
    struct err e = {0};
    struct store_writer *w = create(path, schema, 1);
    for (size_t i = 0; i < n; i++)
        support_ok(store_put(w, r[i].key, r[i].value, strlen(r[i].value), &e), &e);
    support_ok(store_publish(w, n, &e), &e);
}

static void test_verify_bad_records(void **state)
{
    (void)state;
    static const struct text_record frames[] = {
        {"a", "{\"width\":4,\"height\":4,\"n_frames\":0,\"fps\":\"25/1\",\"frame_step\":1,"
              "\"matrix\":\"bt601\",\"range\":\"full\",\"status\":\"ok\"}"},
        {"b", "{\"width\":4,\"height\":4,\"n_frames\":2,\"fps\":\"25/1\",\"frame_step\":1,"
              "\"matrix\":\"bt601\",\"range\":\"full\",\"status\":\"ok\"}"},
        {"c", "{\"width\":4}"},
        {"d", "{"},
        {"e/00000000", "{}"},
        {"f", "(\xb5/\xfd?"},
    };
    struct outcome o;
    const char *path = support_path(folder, "frames.lmdb");
    make_store(path, FRAMES_SCHEMA, frames, sizeof frames / sizeof *frames);
    run(&o, inspect_verify, (struct inspect){.path = path});
    support_failed(o.rc, &o.e, "frames.lmdb: 5 of 6 records are bad");
    assert_null(strstr(o.out, "lmdb: a: "));
    has(&o, "frames.lmdb: b: part 0 of 2 is missing\n");
    has(&o, "frames.lmdb: c: member 'n_frames' is missing\n");
    has(&o, "frames.lmdb: d: 1:2: unexpected end of data\n");
    has(&o, "frames.lmdb: e/00000000: video id 'e/00000000' ends in a part of 8 digits");
    has(&o, "frames.lmdb: f: ");

    static const struct text_record samples[] = {{"epoch/00000000", "{}"}, {"videos", "[1]"}};
    path = support_path(folder, "samples.lmdb");
    make_store(path, SAMPLES_SCHEMA, samples, 2);
    run(&o, inspect_verify, (struct inspect){.path = path});
    support_failed(o.rc, &o.e, "2 of 2 records are bad");
    has(&o, "epoch/00000000: neither a list of videos, classes or boxes, nor an epoch\n");
    has(&o, "videos: 0: not a string\n");
}

/* Arrays under wrong keys, of wrong shapes, with wrong numbers. */
static void test_verify_bad_arrays(void **state)
{
    (void)state;
    struct err e = {0};
    struct codec *c;
    struct buf value = {0};
    struct outcome o;
    static const float numbers[4] = {0, 1, 2, NAN};
    static const char clips[] = "{\"clips\":[{\"clip\":0,\"view\":0,\"start\":0,\"end\":1,"
                                "\"centre\":0.5}]}";
    const char *path = support_path(folder, "e.lmdb");
    struct npy a = {.descr = "<f4", .n_dims = 1, .dim = {3}, .data = numbers, .data_bytes = 12};
    struct store_writer *w = create(path, EMBEDDINGS_SCHEMA, EMBEDDINGS_VERSION);
    support_ok(codec_new(&c, &e), &e);
    static const char *const ids[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++)
        support_ok(store_put(w, ids[i], clips, sizeof clips - 1, &e), &e);
    support_ok(codec_pack(c, &a, &value, &e), &e);
    static const char *const keys[] = {"a/00000000", "a/00000001", "x/00000000", "loose"};
    for (size_t i = 0; i < 4; i++)
        support_ok(store_put(w, keys[i], value.data, value.len, &e), &e);
    a.dim[0] = 4;
    a.data_bytes = 16;
    support_ok(codec_pack(c, &a, &value, &e), &e);
    support_ok(store_put(w, "b/00000000", value.data, value.len, &e), &e);
    a.dim[0] = 2;
    a.data_bytes = 8;
    support_ok(codec_pack(c, &a, &value, &e), &e);
    support_ok(store_put(w, "c/00000000", value.data, value.len, &e), &e);
    value.data[value.len - 1] ^= 1; /* the checksum */
    support_ok(store_put(w, "d/00000000", value.data, value.len, &e), &e);
    support_ok(store_publish(w, 4, &e), &e);
    codec_free(c);
    buf_release(&value);
    run(&o, inspect_verify, (struct inspect){.path = path});
    support_failed(o.rc, &o.e, "e.lmdb: 6 of 11 records are bad");
    has(&o, "a/00000001: the record a counts 1 parts only\n");
    has(&o, "x/00000000: there is no record x\n");
    has(&o, "loose: an array whose key does not end in a number of 8 digits\n");
    has(&o, "b/00000000: number 3 is not finite\n");
    has(&o, "c/00000000: array of another shape or type than the first of the store\n");
    has(&o, "d/00000000: zstd: ");
    run(&o, inspect_ls, (struct inspect){.path = path, .all = true});
    support_failed(o.rc, &o.e, "e.lmdb: 1 records cannot be read");
    has(&o, "\ndamaged    -");
}

static void test_verify_wholes(void **state)
{
    (void)state;
    struct err e = {0};
    struct outcome o;
    const char *path = support_path(folder, "x");
    static const struct text_record index[] = {{"a", "{}"}};
    make_store(path, "boxes", index, 1);
    run(&o, inspect_verify, (struct inspect){.path = path});
    support_failed(o.rc, &o.e, "x: schema boxes is unknown to this program");
    run(&o, inspect_ls, (struct inspect){.path = path});
    succeeds(&o);
    has(&o, "store     boxes, version 1\n");
    support_remove(path);

    struct store_writer *w = create(path, INDEX_SCHEMA, 99);
    support_ok(store_publish(w, 0, &e), &e);
    run(&o, inspect_verify, (struct inspect){.path = path});
    support_failed(o.rc, &o.e, "x: schema index version 99, this program reads 1");
    support_remove(path);

    w = create(path, INDEX_SCHEMA, INDEX_VERSION);
    support_ok(store_publish(w, 3, &e), &e);
    run(&o, inspect_verify, (struct inspect){.path = path});
    support_failed(o.rc, &o.e, "x: holds 0 videos, 3 were written");
    support_remove(path);

    w = create(path, INDEX_SCHEMA, INDEX_VERSION);
    store_abandon(w);
    const char *part = support_path(folder, "x.part");
    run(&o, inspect_verify, (struct inspect){.path = part});
    support_failed(o.rc, &o.e, "x.part: incomplete; the 0 records that it holds are good");
    run(&o, inspect_ls, (struct inspect){.path = part});
    succeeds(&o);
    has(&o, "store     index, version 1, INCOMPLETE\n");
}

/* Whatever bit is flipped or however much is cut off: an error, never a crash or praise. */
static void test_damage(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf b = {0};
    struct outcome o;
    const char *path = support_path(folder, "frames.lmdb"), *bad = support_path(folder, "bad");
    make_frames(path);
    support_ok(file_read(path, &b, &e), &e);
    size_t n_unseen = 0, n = 0;
    for (size_t at = 0; at < b.len; at += 37, n++) {
        b.data[at] ^= 1;
        support_write(bad, b.data, b.len);
        b.data[at] ^= 1;
        run(&o, inspect_verify, (struct inspect){.path = bad});
        n_unseen += o.rc == 0;
        run(&o, inspect_ls, (struct inspect){.path = bad, .all = true});
        run(&o, inspect_diff, (struct inspect){.path = path, .other = bad});
    }
    assert_true(n_unseen < n); /* bits that nothing uses: free space of pages */
    for (size_t len = 0; len < b.len; len += 511) {
        support_write(bad, b.data, len);
        run(&o, inspect_verify, (struct inspect){.path = bad});
        support_failed(o.rc, &o.e, "bad: ");
    }
    buf_release(&b);
}

static void test_foreign_files(void **state)
{
    (void)state;
    struct outcome o;
    char path[300];
    snprintf(path, sizeof path, "%s/x", folder);
    static const struct {
        const char *text, *message;
    } files[] = {
        {"", "x: is empty"},
        {"hello, world, this is no store", "x: not a store"},
        {"\x02\0\0\0\0\0\0\0{]", "x: header: 1:2: "},
    };
    int (*const commands[])(const struct inspect *, struct err *) = {
        inspect_ls, inspect_show, inspect_verify, inspect_export, inspect_diff};
    for (size_t c = 0; c < 5; c++) {
        struct inspect request = {.path = path, .other = path, .key = "a", .npy = "/dev/null"};
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
            support_write(path, files[i].text, i == 2 ? 10 : strlen(files[i].text));
            run(&o, commands[c], request);
            support_failed(o.rc, &o.e, files[i].message);
        }
        request.path = folder;
        run(&o, commands[c], request);
        support_failed(o.rc, &o.e, "is a folder");
        request.path = support_path(folder, "none");
        run(&o, commands[c], request);
        support_failed(o.rc, &o.e, "none: no such file");
    }
}

/* -- export -- */

static void test_export_npy(void **state)
{
    (void)state;
    struct err e = {0};
    struct outcome o;
    struct buf b = {0};
    struct npy a;
    const char *model = support_path(folder, "m"), *npy = support_path(folder, "a.npy");
    make_model(model, 5);
    run(&o, inspect_export, (struct inspect){.path = model, .key = "fc.weight", .npy = npy});
    succeeds(&o);
    support_ok(file_read(npy, &b, &e), &e);
    support_ok(npy_parse(&a, b.data, b.len, &e), &e);
    assert_string_equal(a.descr, "<f4");
    assert_true(a.n_dims == 2 && a.dim[0] == 2 && a.dim[1] == 3);
    assert_true(((const float *)a.data)[5] == 5);
    buf_clear(&b);
    run(&o, inspect_export, (struct inspect){.path = model, .key = "fc.bias", .npy = npy});
    succeeds(&o);
    support_ok(file_read(npy, &b, &e), &e);
    support_ok(npy_parse(&a, b.data, b.len, &e), &e);
    assert_string_equal(a.descr, "<f4"); /* bfloat16 widened */
    const float *x = a.data;
    assert_true(a.dim[0] == 3 && x[0] == 1 && x[1] == -2 && isnan(x[2]));
    buf_release(&b);
    run(&o, inspect_export, (struct inspect){.path = model, .key = "none", .npy = npy});
    support_failed(o.rc, &o.e, "there is no tensor 'none'");
    run(&o, inspect_export, (struct inspect){.path = model, .key = "__metadata__", .npy = npy});
    support_failed(o.rc, &o.e, "__metadata__: is JSON, not an array");
    run(&o, inspect_export, (struct inspect){.path = model, .key = "fc.bias", .npy = "/dev/full"});
    support_failed(o.rc, &o.e, "/dev/full: No space left");
}

static uint32_t at(const struct image *im, size_t x, size_t y)
{
    const uint8_t *p = im->rgb + 3 * (y * im->width + x);
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static void test_export_matrix(void **state)
{
    (void)state;
    struct err e = {0};
    struct outcome o;
    struct image im;
    const char *model = support_path(folder, "m"), *png = support_path(folder, "a.png");
    make_model(model, NAN);
    run(&o, inspect_export, (struct inspect){.path = model, .key = "fc.weight", .png = png});
    succeeds(&o);
    support_ok(image_read_png(png, &im, &e), &e);
    assert_true(im.width == 3 * 85 && im.height == 2 * 85);
    assert_int_equal(at(&im, 0, 0), image_heat(0));
    assert_int_equal(at(&im, 84, 84), image_heat(0));
    assert_int_equal(at(&im, 85, 0), image_heat(0.25));
    assert_int_equal(at(&im, 85, 169), image_heat(1));
    assert_int_equal(at(&im, 254, 169), 0x808080); /* NaN */
    image_release(&im);
}

/* The decoded picture, not the differences that are stored. */
static void test_export_picture(void **state)
{
    (void)state;
    struct err e = {0};
    struct outcome o;
    struct buf b = {0};
    struct npy a;
    uint8_t picture[36];
    const char *path = support_path(folder, "f.lmdb"), *npy = support_path(folder, "f.npy");
    make_frames(path);
    run(&o, inspect_export, (struct inspect){.path = path, .key = "v0/00000001", .npy = npy});
    succeeds(&o);
    support_ok(file_read(npy, &b, &e), &e);
    support_ok(npy_parse(&a, b.data, b.len, &e), &e);
    clip_support_picture(picture, 0, 1, sizeof picture);
    assert_true(a.n_dims == 2 && a.dim[0] == 6 && a.dim[1] == 6);
    assert_memory_equal(a.data, picture, sizeof picture);
    buf_release(&b);
}

/* A frame of known Y'CbCr, against BT.601, BT.709 and BT.2020 computed here in double. */
static void test_export_frame(void **state)
{
    (void)state;
    static const double kr[] = {0.299, 0.2126, 0.2627}, kb[] = {0.114, 0.0722, 0.0593};
    struct err e = {0};
    struct outcome o;
    const char *path = support_path(folder, "f.lmdb"), *png = support_path(folder, "f.png");
    for (int kind = 0; kind < 6; kind++) {
        struct image im;
        struct frames_info info = {.width = 5,
                                   .height = 3,
                                   .n_frames = 1,
                                   .fps_num = 1,
                                   .fps_den = 1,
                                   .frame_step = 1,
                                   .ok = true};
        info.matrix = (enum color_matrix)(kind / 2);
        info.full_range = kind % 2;
        clip_support_frames(path, &info, 1);
        run(&o, inspect_export, (struct inspect){.path = path, .key = "v0/00000000", .png = png});
        succeeds(&o);
        support_ok(image_read_png(png, &im, &e), &e);
        assert_true(im.width == 5 && im.height == 3); /* the padding is cut off */
        uint8_t picture[36];
        clip_support_picture(picture, 0, 0, sizeof picture);
        double r = kr[kind / 2], b = kb[kind / 2], g = 1 - r - b;
        for (size_t i = 0; i < 15; i++) {
            size_t x = i % 5, y = i / 5, uv = 24 + y / 2 * 6 + x / 2 * 2;
            double l =
                info.full_range ? picture[y * 6 + x] / 255.0 : (picture[y * 6 + x] - 16) / 219.0;
            double scale = info.full_range ? 255 : 224;
            double cb = (picture[uv] - 128) / scale, cr = (picture[uv + 1] - 128) / scale;
            double rgb[3] = {l + 2 * (1 - r) * cr, 0, l + 2 * (1 - b) * cb};
            rgb[1] = (l - r * rgb[0] - b * rgb[2]) / g;
            for (int c = 0; c < 3; c++) {
                double want = fmin(fmax(rgb[c], 0), 1) * 255;
                assert_true(fabs(im.rgb[3 * i + (size_t)c] - want) < 0.501);
            }
        }
        image_release(&im);
        support_remove(path);
    }
}

/* -- diff -- */

static void test_diff(void **state)
{
    (void)state;
    struct outcome o;
    const char *a = support_path(folder, "a"), *b = support_path(folder, "b");
    make_embeddings(a, 4, 7);
    make_embeddings(b, 4, 7);
    run(&o, inspect_diff, (struct inspect){.path = a, .other = b});
    succeeds(&o);
    assert_string_equal(o.out, "");
    support_remove(b);
    make_embeddings(b, 4, 6.5f);
    run(&o, inspect_diff, (struct inspect){.path = a, .other = b});
    support_failed(o.rc, &o.e, "differ: 1 members of !meta, 2 records, 0 and 0 only in one");
    has(&o, "!meta:\n  content: \"");
    has(&o, "\na/00000001: 1 of 12 elements differ, by 0.5 at most; first [1, 2]: 7 | 6.5\n"
            "b/00000001: 1 of 12 elements differ, by 0.5 at most; first [1, 2]: 7 | 6.5\n");
    support_remove(b);
    make_embeddings(b, 0, 7);
    run(&o, inspect_diff, (struct inspect){.path = a, .other = b});
    has(&o, "\na/00000000: float32 [4,3] | float32 [3]\n");
    support_remove(b);
    make_index(b, "dance");
    run(&o, inspect_diff, (struct inspect){.path = b, .other = a});
    has(&o, "\n  schema: \"index\" | \"embeddings\"\n");
    has(&o, "\n  path: \"a.mp4\" | absent\n");
    has(&o, "b/00000000: only in ");
    support_failed(o.rc, &o.e, "1 records, 0 and 5 only in one");
}

static void test_diff_others(void **state)
{
    (void)state;
    struct outcome o;
    const char *a = support_path(folder, "a"), *b = support_path(folder, "b");
    make_samples(a, 0.5f);
    make_samples(b, 0.25f);
    run(&o, inspect_diff, (struct inspect){.path = a, .other = b});
    has(&o, "\nepoch/00000000: 30 of 30 rows differ; first [0].blur: 0.5 | 0.25\n");
    support_remove(a);
    support_remove(b);
    make_model(a, 5);
    make_model(b, NAN);
    run(&o, inspect_diff, (struct inspect){.path = a, .other = a});
    succeeds(&o);
    run(&o, inspect_diff, (struct inspect){.path = b, .other = b});
    succeeds(&o);
    run(&o, inspect_diff, (struct inspect){.path = a, .other = b});
    has(&o, "__metadata__:\n  content: \"");
    has(&o, "\nfc.weight: 1 of 6 elements differ; first [1, 2]: 5 | nan\n");
    support_remove(a);
    support_remove(b);
    make_index(a, "dance");
    make_index(b, NULL);
    run(&o, inspect_diff, (struct inspect){.path = a, .other = b});
    has(&o, "\na:\n  class: \"dance\" | absent\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ls_long_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ls_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_show, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_show_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_show_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verify_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verify_bad_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verify_bad_arrays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verify_wholes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verify_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_export_npy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_export_matrix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_export_picture, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_export_frame, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_diff, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_diff_others, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
