"""How many lines a text takes on a page of the default style: DejaVu Sans 9 pt, A4, margins 10, left aligned.

Greedy wrapping by advance widths, the rule of the renderer without its shrinking of spaces (at most 5 %), so a count here is
never below the drawn one by more than rounding. No font file is needed.
"""

FONT_SIZE_PT = 9.0
WRAP_WIDTH_PT = 563.0  # page width 595 - 2 * (margin 10 + frame padding 6)
LINES_PER_PAGE = 81
UNITS_PER_EM = 2048

# Advance widths of DejaVu Sans 2.37 in font units, U+0020 to U+007E.
ASCII_ADVANCES = (
    651, 821, 942, 1716, 1303, 1946, 1597, 563, 799, 799, 1024, 1716, 651, 739, 651, 690,
    1303, 1303, 1303, 1303, 1303, 1303, 1303, 1303, 1303, 1303, 690, 690, 1716, 1716, 1716, 1087,
    2048, 1401, 1405, 1430, 1577, 1294, 1178, 1587, 1540, 604, 604, 1343, 1141, 1767, 1532, 1612,
    1235, 1612, 1423, 1300, 1251, 1499, 1401, 2025, 1403, 1251, 1403, 799, 690, 799, 1716, 1024,
    1024, 1255, 1300, 1126, 1300, 1260, 721, 1300, 1298, 569, 569, 1186, 569, 1995, 1298, 1253,
    1300, 1300, 842, 1067, 803, 1298, 1212, 1675, 1212, 1212, 1075, 1303, 690, 1303, 1716,
)  # fmt: skip
OTHER_ADVANCES = {"\u2018": 651, "\u2019": 651, "\u201c": 1061, "\u201d": 1061, "\u2013": 1024, "\u2014": 2048}


def width_pt(text: str) -> float:
    """Width of a text on one line."""
    units = 0
    for char in text:
        code = ord(char) - 0x20
        units += ASCII_ADVANCES[code] if 0 <= code < len(ASCII_ADVANCES) else OTHER_ADVANCES[char]
    return units * FONT_SIZE_PT / UNITS_PER_EM


def wrap(line: str, width: float = WRAP_WIDTH_PT) -> list[str]:
    """The drawn lines of one source line; an empty source line draws one empty line. Words longer than a line stay whole."""
    drawn, current = [], ""
    for word in line.split(" "):
        longer = f"{current} {word}" if current else word
        if current and width_pt(longer) > width:
            drawn.append(current)
            current = word
        else:
            current = longer
    return [*drawn, current]


def num_lines(text: str) -> int:
    """Drawn lines of a text whose source lines are separated by newlines."""
    return sum(len(wrap(line)) for line in text.split("\n"))
