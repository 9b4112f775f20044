/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder for each test of a file, made before it and removed behind it:
 *
 *     cmocka_unit_test_setup_teardown(test_names, set_up, tear_down)
 */
#ifndef TEG_TESTS_UNIT_FOLDER_SUPPORT_H
#define TEG_TESTS_UNIT_FOLDER_SUPPORT_H

#include "tests/unit/support.h"

static char folder[512];

static int set_up(void **state)
{
    (void)state;
    support_make_folder(folder, sizeof folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_remove(folder);
    return 0;
}

#endif
