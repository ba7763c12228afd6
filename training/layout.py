"""Lines and glyph positions of a page, as the page renderer lays them out: A4, margin 10 pt and frame padding 6 pt, 9 pt on 10 pt."""
import math

import numpy as np

from alphabet import CLASS, NUM_CLASSES, TILE
from text import GAPS

FRAME = 16.0          # points from the page edge to the text frame: margin 10 + padding 6
LINE = 10.0           # points from baseline to baseline
FIRST_BASELINE = 25.0 # points from the top of the page
FULL_WIDTH = 563.0    # points inside the frame
CELL = 28             # pixels: one visual token covers CELL x CELL
SLOTS, PLACES = 3, 10 # auxiliary target: a cell is divided into SLOTS bands of PLACES places, each smaller than a character
UNSURE = 255          # class of a place that pixels do not settle: it is not asked for
NEAR = 0.35           # pixels: a middle this near to the edge of a place may be seen on either side


class Layout:
    def __init__(self, advance):
        self.advance = advance                       # (classes,) points
        self.char_width = {c: float(advance[i]) for c, i in CLASS.items()}
        self.space = float(advance[0])
        self.char_width[' '] = self.space
        self.char_width.update({c: n * self.space for n, c in enumerate(GAPS)})
        self.words = {}

    def width(self, word):
        w = self.words.get(word)
        if w is None:
            if len(self.words) > 200_000:
                self.words.clear()
            cw = self.char_width
            w = self.words[word] = sum([cw[c] for c in word])
        return w

    def wrap(self, text, width, max_lines):
        """Greedy lines of `text` -> [(line, end)], end is ' ' where the line was wrapped and '\\n' where the text breaks."""
        lines, space = [], self.space
        for source in text.split('\n'):
            current, used = [], 0.0
            for word in source.split(' '):
                w = self.width(word)
                # The renderer may shrink the spaces of a line by 5 % to keep one more word.
                if current and used + space + w > width + 0.05 * space * len(current):
                    lines.append((' '.join(current), ' '))
                    if len(lines) >= max_lines:
                        return lines
                    current, used = [], 0.0
                used += w + (space if current else 0.0)
                current.append(word)
            lines.append((' '.join(current), '\n'))
            if len(lines) >= max_lines:
                return lines
        return lines

    def glyphs(self, lines, dpi, grid, scale, erased=(), shift=0.0):
        """Positions of one page's glyphs and its auxiliary target.

        lines: strings from the top. grid: (rows, columns) of visual tokens after the resize; scale: (y, x) of that resize.
        erased: numbers of lines whose descenders the next paragraph's white box paints over. shift: points that the text is moved up
        (only in the first, easy lessons).
        -> int16 (n, 4): class * 4 + phase, x of the tile, y of the tile, rows of the tile that show;
           uint8 (rows * columns, SLOTS * PLACES): class of the character whose middle lies in the place, 0 where there is none, UNSURE where
           the middle lies too near to an edge or two characters share the place: asking for those would teach noise;
           int32 (characters, 2): cell (-1: not on the page) and place in it of each character and, after each line, of its end.
        """
        k = dpi / 72
        above, below, left, _ = TILE[dpi]
        rows, columns = grid
        target = np.zeros((rows, columns, SLOTS, PLACES), np.uint8)
        top = FIRST_BASELINE - shift
        out, stands = [], []
        for number, line in enumerate(lines):
            if not line:
                stands.append(np.full((1, 2), -1, np.int32))
                continue
            codes = np.array([CLASS.get(c, 0) for c in line], np.int32)
            advance = np.array([self.char_width[c] for c in line])
            pen = (np.cumsum(advance) - advance + FRAME) * k
            baseline = math.floor(k * (top + LINE * number))
            whole = np.floor(pen)
            phase = np.floor((pen - whole) * 4).astype(np.int32)
            center = whole + (phase + .5) / 4 + 0.5 * advance * k
            stands.append(stand((baseline - 3 * k) * scale[0], center * scale[1], rows, columns))
            ink = codes > 0
            n = int(ink.sum())
            if n == 0:
                continue
            g = np.empty((n, 4), np.int16)
            g[:, 0] = (codes * 4 + phase)[ink]
            g[:, 1] = whole[ink] - left
            g[:, 2] = baseline - above
            g[:, 3] = above + below
            if number in erased:
                g[:, 3] = round(k * (top + LINE * number + 1)) - (baseline - above)
            out.append(g)
            self.name_places(target, (baseline - 3 * k) * scale[0], center * scale[1], codes)
        glyphs = np.concatenate(out) if out else np.zeros((0, 4), np.int16)
        return glyphs, target.reshape(rows * columns, SLOTS * PLACES), np.concatenate(stands) if stands else np.zeros((0, 2), np.int32)

    @staticmethod
    def name_places(target, middle, center, codes):
        """Adds one line to the target (rows, columns, SLOTS, PLACES). middle: y of the line; center (n,): x of the characters' middles, both in
        pixels after the resize; codes (n,)."""
        rows, columns = target.shape[:2]
        line = np.zeros(columns * PLACES, np.uint8)
        width, height = CELL / PLACES, CELL / SLOTS
        place = np.floor(center / width).astype(np.int32)
        off = center - place * width
        good = (codes > 0) & (place < len(line))
        line[place[good]] = codes[good]
        crowded = np.bincount(place[good], minlength=len(line)) > 1
        line[crowded] = UNSURE
        for near, step in ((off < NEAR, -1), (off > width - NEAR, 1)):
            at = place[good & near]
            line[at] = UNSURE
            at = at + step
            line[at[(at >= 0) & (at < len(line))]] = UNSURE
        band = int(middle // height)
        off = middle - band * height
        for near, other in ((off < NEAR, band - 1), (off > height - NEAR, band + 1)):
            if near:
                line[line > 0] = UNSURE
                if 0 <= other < rows * SLOTS:
                    target[other // SLOTS, :, other % SLOTS][line.reshape(columns, PLACES) > 0] = UNSURE
        if band < rows * SLOTS:
            into = target[band // SLOTS, :, band % SLOTS]
            shown = line.reshape(columns, PLACES)
            into[shown > 0] = shown[shown > 0]


def stand(middle, center, rows, columns):
    """Where the characters of a line stand, its end as the last of them. middle: y of the line; center (n,): x of the characters' middles, in
    pixels after the resize -> int32 (n + 1, 2): cell and place in it."""
    center = np.append(center, center[-1])
    column = np.clip(center // CELL, 0, columns - 1).astype(np.int32)
    row = int(middle // CELL)
    out = np.empty((len(center), 2), np.int32)
    out[:, 0] = row * columns + column if row < rows else -1
    band = min(SLOTS - 1, int((middle - row * CELL) * SLOTS / CELL))
    out[:, 1] = band * PLACES + np.clip((center - column * CELL) * PLACES / CELL, 0, PLACES - 1).astype(np.int32)
    return out


def page_pixels(dpi, points):
    return math.ceil(points * dpi / 72 - 1e-9)

