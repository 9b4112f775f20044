/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/ui.h"
#include "tests/unit/folder_support.h"

/* Runs `body` in a child whose stderr goes to a file; returns the text in `out`, NUL-terminated. */
static void capture(void (*body)(void), struct buf *out)
{
    const char *path = support_path(folder, "stderr");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, STDERR_FILENO);
        body();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct err e = {0};
    support_ok(file_read(path, out, &e), &e);
    support_ok(buf_append(out, "", 1, &e), &e);
}

static void speak(bool quiet, bool verbose)
{
    struct err e = {0};
    struct ui *ui;
    struct ui_options options = {.tool = "teg-test", .quiet = quiet, .verbose = verbose};
    if (ui_open(&ui, &options, &e) < 0)
        _exit(1);
    ui_progress_start(ui, "working", 10, "things"); /* no terminal: never seen */
    ui_note(ui, "a %s", "note\nof two lines");
    ui_warn(ui, "a warning");
    ui_detail(ui, "a detail");
    usleep(1100000);
    ui_progress_add(ui, 1);
    ui_progress_end(ui);
    if (ui_close(ui, &e) < 0)
        _exit(2);
}

static void speak_plainly(void)
{
    speak(false, false);
}

static void speak_little(void)
{
    speak(true, true);
}

static void speak_much(void)
{
    speak(false, true);
}

static void test_messages(void **state)
{
    (void)state;
    static const struct {
        void (*body)(void);
        const char *text;
    } cases[] = {
        {speak_plainly, "teg-test: note: a note of two lines\nteg-test: warning: a warning\n"},
        {speak_little, "teg-test: warning: a warning\n"},
        {speak_much, "teg-test: note: a note of two lines\nteg-test: warning: a warning\n"
                     "teg-test: detail: a detail\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = {0};
        capture(cases[i].body, &out);
        assert_string_equal((char *)out.data, cases[i].text);
        buf_release(&out);
    }
}

static void draw_progress(void)
{
    struct err e = {0};
    struct ui *ui;
    struct ui_options options = {.tool = "teg-test"};
    if (ui_open(&ui, &options, &e) < 0)
        _exit(1);
    ui_progress_start(ui, "decoding", 300, "videos");
    ui_progress_skip(ui, 100); /* the rate does not count them */
    ui_progress_add(ui, 49);   /* too early to be drawn */
    usleep(1100000);
    ui_progress_add(ui, 1);
    ui_note(ui, "half-way");
    ui_progress_text(ui, "loss %.1f", 2.5);
    usleep(150000);
    ui_progress_add(ui, 50);
    ui_progress_end(ui);
    _exit(ui_close(ui, &e) < 0 ? 2 : 0);
}

static void test_progress(void **state)
{
    (void)state;
    int terminal;
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    pid_t child = forkpty(&terminal, NULL, NULL, &size);
    assert_true(child >= 0);
    if (child == 0)
        draw_progress();
    char text[4096];
    size_t len = 0;
    for (ssize_t n; (n = read(terminal, text + len, sizeof text - 1 - len)) > 0;)
        len += (size_t)n;
    text[len] = '\0';
    close(terminal);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_null(strstr(text, "49/300"));
    assert_non_null(strstr(text, "\rdecoding 150/300 videos (50 %), 45"));
    assert_non_null(strstr(text, "/s, ETA 0:03\033[K"));
    assert_non_null(strstr(text, "\r\033[Kteg-test: note: half-way\r\n\rdecoding 150/300"));
    assert_non_null(strstr(text, "decoding 200/300 videos (67 %), "));
    assert_non_null(strstr(text, ", loss 2.5\033[K"));
    static const char end[] = "\r\033[K";
    assert_true(len > sizeof end && strcmp(text + len - (sizeof end - 1), end) == 0);
}

static void test_log(void **state)
{
    (void)state;
    struct err e = {0};
    struct ui *ui;
    const char *path = support_path(folder, "log.jsonl");
    struct ui_options options = {.tool = "teg-test", .log_path = path};
    support_write(path, "{}\n", 3);
    for (int i = 0; i < 2; i++) {
        support_ok(ui_open(&ui, &options, &e), &e);
        struct json *record = json_new_object();
        json_add(record, "step", json_new_i64(i));
        ui_log(ui, record);
        struct buf text = {0};
        support_ok(file_read(path, &text, &e), &e); /* there before the close */
        assert_int_equal(text.len, 3 + 11 * (i + 1));
        buf_release(&text);
        support_ok(ui_close(ui, &e), &e);
    }
    struct buf text = {0};
    support_ok(file_read(path, &text, &e), &e);
    assert_memory_equal(text.data, "{}\n{\"step\":0}\n{\"step\":1}\n", text.len);
    buf_release(&text);
}

static void test_log_fails(void **state)
{
    (void)state;
    struct err e = {0};
    struct ui *ui;
    struct ui_options options = {.tool = "teg-test", .log_path = support_path(folder, "no/log")};
    support_failed(ui_open(&ui, &options, &e), &e, "no/log: No such file");
    options.log_path = "/dev/full";
    support_ok(ui_open(&ui, &options, &e), &e);
    ui_log(ui, json_new_object());
    support_failed(ui_close(ui, &e), &e, "/dev/full: No space left on device");
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct err e = {0};
    ui_note(NULL, "x");
    ui_warn(NULL, "x");
    ui_detail(NULL, "x");
    ui_log(NULL, json_new_object());
    ui_progress_start(NULL, "x", 1, "x");
    ui_progress_add(NULL, 1);
    ui_progress_skip(NULL, 1);
    ui_progress_text(NULL, "x");
    ui_progress_end(NULL);
    assert_int_equal(ui_close(NULL, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_messages, set_up, tear_down),
        cmocka_unit_test(test_progress),
        cmocka_unit_test_setup_teardown(test_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_fails, set_up, tear_down),
        cmocka_unit_test(test_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
