/* SPDX-License-Identifier: Apache-2.0 */
/* What reading and writing a store share of LMDB. Internal to the store. */
#ifndef TEG_STORE_STORE_LMDB_H
#define TEG_STORE_STORE_LMDB_H

#include <errno.h>
#include <lmdb.h>

#include "common/base/err.h"

/* One file, no lock file; readers are not tied to a thread. */
enum { STORE_LMDB_FLAGS = MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS };

/* Turns LMDB's code into "path: why"; returns ERR_FAIL. */
static inline int store_lmdb_error(struct err *e, const char *path, int code)
{
    /* LMDB reports a write that a full disk cut short as EIO. */
    if (code == EIO)
        return err_set(e, "%s: write cut short: disk full or failing", path);
    return err_set(e, "%s: %s", path, mdb_strerror(code));
}

#endif
