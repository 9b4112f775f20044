#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The frames store: writing beside a plain file, reading clips beside zstd alone.
set -eu
"$TEG_BIN/tests/bench/bench_store" "$TMPDIR"
