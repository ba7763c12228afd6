"""The characters glyph-mini is taught to read, and their glyphs as the renderer draws them.

CHARACTERS[i] has class i + 1 in the auxiliary target (0 is blank). `make_atlas` draws each character at the four sub-pixel phases
of the page renderer: FreeType, no hinting, 256 greys, the outline moved by phase / 4 pixel.
"""
import numpy as np

CHARACTERS = (
    ''.join(map(chr, range(33, 127)))
    + '“”‘’–—…•·§°±×÷©®™€£¥¢µ¶†«»¿¡→←≤≥≠≈½¼¾²³№'
    + 'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ'
    + 'ŒœŠšŽžĆćČčĐđŁłŃńŘřŚśŞşŻżŹźĘęĄąĞğİıŐőŰűŮůĚěŇňĀāĒēĪīŌōŪū')
CLASS = {c: i + 1 for i, c in enumerate(CHARACTERS)}
NUM_CLASSES = 256
assert len(CHARACTERS) < NUM_CLASSES and len(CLASS) == len(CHARACTERS)

FONT_POINTS = 9.0
# Tile geometry by dpi: rows above the baseline, rows below it (the baseline row included), columns left of the pen, width.
TILE = {72: (11, 4, 2, 14), 96: (14, 5, 2, 18)}


def make_atlas(font_path, dpi):
    """-> (uint8 coverage (classes, 4 phases, rows, columns), float64 advance (classes,) in points at 9 pt)."""
    import freetype
    face = freetype.Face(font_path)
    size = FONT_POINTS * dpi / 72
    pixels = int(size + 0.5)
    assert pixels == size, 'a dpi with a fractional pixel size needs the FreeType matrix of the renderer'
    above, below, left, width = TILE[dpi]
    atlas = np.zeros((NUM_CLASSES, 4, above + below, width), np.uint8)
    advance = np.zeros(NUM_CLASSES)
    em = face.units_per_EM
    for c in ' ' + CHARACTERS:
        face.load_char(c, freetype.FT_LOAD_NO_SCALE)
        units = float('%.7g' % (face.glyph.advance.x * 1000.0 / em))
        advance[CLASS.get(c, 0)] = units * 0.001 * FONT_POINTS
        if c == ' ':
            continue
        for phase in range(4):
            face.set_pixel_sizes(0, pixels)
            face.set_transform(freetype.Matrix(0x10000, 0, 0, 0x10000), freetype.Vector(phase * 16, 0))
            face.load_char(c, freetype.FT_LOAD_NO_HINTING | freetype.FT_LOAD_NO_BITMAP | freetype.FT_LOAD_RENDER)
            bitmap = face.glyph.bitmap
            rows, cols = bitmap.rows, bitmap.width
            if not rows or not cols:
                continue
            ink = np.array(bitmap.buffer, np.uint8).reshape(rows, bitmap.pitch)[:, :cols]
            y, x = above - face.glyph.bitmap_top, left + face.glyph.bitmap_left
            assert y >= 0 and x >= 0 and y + rows <= above + below and x + cols <= width, (c, y, x, rows, cols)
            atlas[CLASS[c], phase, y:y + rows, x:x + cols] = ink
    return atlas, advance


if __name__ == '__main__':
    import sys
    font, out = sys.argv[1], sys.argv[2]
    arrays = {}
    for d in TILE:
        arrays[f'atlas{d}'], arrays['advance'] = make_atlas(font, d)
    np.savez_compressed(out, **arrays)
    print({k: v.shape for k, v in arrays.items()})
