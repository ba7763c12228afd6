#!/usr/bin/python3
"""Writes tests/render/goldens.json (text, style, size and SHA-256 of each page's RGB pixels) and the small PNGs beside it, all made
by the reference pipeline. Run it from the repository root on Debian 12; the goldens are as good as that machine's FreeType,
ReportLab and poppler."""
import hashlib
import json
import os
import random

import documents
import oracle

FOLDER = "tests/render"
ALICE = """The pages of a book are lines of words, and the lines are made to fit: "so far, and no further," said the Rabbit.

    An indented line,  with double  spaces & an ampersand; 3 < 4 > 2.
A line that is a good deal longer than the page is wide, so that it has to be broken more than once: it goes on, and on, past the
first edge, with a soft hy\u00adphen, a no\u00a0break space, a tab\tand an ellipsis … until it stops."""
POEM = """床前明月光，疑是地上霜。
举头望明月，低头思故乡。
    Mixed 中文 with English words、数字 12345 和（括号）：这一行很长，长到必须在页面的边缘断开，而标点不能出现在行首，所以会挂在右边的空白里。"""


def cases():
    for dpi in (72, 96, 120):
        yield "english_%d" % dpi, ALICE, documents.plain_style(dpi), dpi == 72
        yield "chinese_%d" % dpi, POEM, documents.plain_style(dpi), dpi == 72
    small = {"page-size": "220,120", "margin-x": 8, "margin-y": 8}
    for alignment in ("LEFT", "CENTER", "RIGHT", "JUSTIFY"):
        yield "english_" + alignment.lower(), ALICE, dict(small, alignment=alignment), alignment == "JUSTIFY"
        yield "chinese_" + alignment.lower(), POEM * 3, dict(small, alignment=alignment), False
    red = {"newline-markup": documents.RED_MARK}
    yield "red_newlines", ALICE, dict(documents.plain_style(72), **red), True
    yield "red_newlines_chinese", POEM, dict(documents.plain_style(96), **red), False
    yield "published_defaults", ALICE * 9, {}, False
    yield "split_paragraph", "one\n\n\ntwo & more\n" * 40, dict(small), False
    yield "long_word", "x" * 900 + " & " + "https://example.org/" * 60, dict(small), False
    yield "missing_glyphs", "box \U0001F680 \u0D05 \u0301 end", dict(small), False
    odd = {"left-indent": 10, "first-line-indent": 14.5, "right-indent": 7.25, "space-before": 4, "space-after": 9,
           "border-width": 1.5, "border-padding": 2.5, "para-bg-color": "#EEF3D0", "para-border-color": "#884422",
           "page-bg-color": "#D0E0FF", "font-color": "#102060", "auto-crop-width": True, "auto-crop-last-page": True}
    yield "boxes_and_colors", ALICE.replace("\n", "\n\n") * 8 + "\n", dict(odd, **{"page-size": "300.5,240.25"}), False
    yield "scaled", ALICE, dict(documents.plain_style(96), **{"horizontal-scale": 0.9}), False
    yield "large_font", "Ag 中", dict(small, **{"font-size": 30, "dpi": 96}), False
    for number, seed in enumerate(("golden-a", "golden-b", "golden-c", "golden-d")):
        r = random.Random(seed)
        writer = documents.Writer(seed, number % 2 == 1)
        yield "random_%d" % number, writer.text(2500), documents.odd_style(r, 72), False


def main():
    os.makedirs(FOLDER, exist_ok=True)
    goldens = []
    for name, text, style, keep_picture in cases():
        images, lines = oracle.render(text, style)
        pages = []
        for number, image in enumerate(images, start=1):
            rgb = image.convert("RGB")
            pages.append({"width": rgb.width, "height": rgb.height, "rgb_sha256": hashlib.sha256(rgb.tobytes()).hexdigest()})
            if keep_picture and number == 1:
                grey = image.convert("L")
                (image if grey.convert("RGB").tobytes() != rgb.tobytes() else grey).save(
                    os.path.join(FOLDER, name + ".png"), optimize=True)
        goldens.append({"name": name, "text": text, "style": style, "picture": keep_picture, "pages": pages})
    with open(os.path.join(FOLDER, "goldens.json"), "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(g, ensure_ascii=False) for g in goldens) + "\n]\n")


if __name__ == "__main__":
    main()
