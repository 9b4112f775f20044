/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz entry, tests/fuzz/fuzz_NAME.c, hands any bytes to one parser:
 *
 *     int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
 *     {
 *         ... parse; release ...
 *         return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
 *     }
 *
 * `make test` links it with replay.c, which replays tests/fuzz/corpus/NAME/: every file in good/
 * must be accepted, every file in bad/ refused, and no changed copy of either may crash. The same
 * entry links with libFuzzer, for which FUZZ_REFUSED means "do not add this to the corpus".
 */
#ifndef TEG_TESTS_FUZZ_FUZZ_H
#define TEG_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

enum { FUZZ_ACCEPTED = 0, FUZZ_REFUSED = -1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
