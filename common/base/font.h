/* SPDX-License-Identifier: Apache-2.0 */
/* The picture font of image.h: ASCII 32..126 as 5 x 7 dots, two more below the line where a
 * letter goes there; anything else shows as a box. */
#ifndef TEG_BASE_FONT_H
#define TEG_BASE_FONT_H

#include <stdint.h>

enum {
    FONT_WIDTH = 5,
    FONT_HEIGHT = 7, /* of capitals and figures */
    FONT_ROWS = 9,   /* with what is below the line */
    FONT_CELL_WIDTH = 6,
    FONT_CELL_HEIGHT = 9
};

/* FONT_ROWS rows from the top; the five low bits of each are its dots, the highest of them
 * leftmost. */
const uint8_t *font_glyph(char c);

#endif
