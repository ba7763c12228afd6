#!/usr/bin/python3
"""The reference pipeline: ReportLab -> PDF -> pdftoppm -> crop, as the published renderer runs it.

Needs Debian 12's python3-reportlab (3.6.12), python3-pil, python3-fonttools and poppler-utils (22.12).
As a program: oracle.py STYLE.json TEXT.txt OUT_DIR writes page_001.png, ... and lines.json.
"""
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from xml.sax.saxutils import escape

from PIL import Image
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY, TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen import textobject
from reportlab.platypus import Paragraph, SimpleDocTemplate

import cff_font

ALIGNMENTS = {"LEFT": TA_LEFT, "CENTER": TA_CENTER, "RIGHT": TA_RIGHT, "JUSTIFY": TA_JUSTIFY}
LINES_A_PARAGRAPH = 30
CJK = re.compile("[\u4e00-\u9fff]")
DEFAULT_FONTS = {
    False: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    True: "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc#Noto Sans Mono CJK SC",
}
_registered = {}


def font_for(style, text):
    path = style.get("font-path") or DEFAULT_FONTS[bool(CJK.search(text))]
    if path not in _registered:
        name = "Font%d" % len(_registered)
        file_name, _, family = path.partition("#")
        if family:
            font = cff_font.load(name, file_name, family)
        else:
            font = TTFont(name, file_name)
        pdfmetrics.registerFont(font)
        _registered[path] = name
    return _registered[path]


class LineRecorder:
    """Notes what each page's text objects show: one string a line."""

    def __init__(self):
        self.pages = []
        self.current = ""

    def start_page(self):
        self.pages.append([])

    def text(self, text, ends_line):
        self.current += text
        if ends_line:
            self.pages[-1].append(self.current.replace("\xa0", " ").rstrip(" "))
            self.current = ""


def paragraphs(text, newline_markup):
    text = text.replace("\xad", "").replace("\u200b", "")
    marked = re.sub(r" {2,}", lambda m: "&nbsp;" * len(m.group()), escape(text))
    lines = marked.split("\n")
    for first in range(0, len(lines), LINES_A_PARAGRAPH):
        yield newline_markup.join(lines[first:first + LINES_A_PARAGRAPH])


def paragraph_style(style, text):
    size = style.get("font-size", 9)
    color = lambda key, default: colors.HexColor(style.get(key, default))
    return ParagraphStyle(
        name="Custom", parent=getSampleStyleSheet()["Normal"], fontName=font_for(style, text), fontSize=size,
        leading=style.get("line-height") or (size + 1), textColor=color("font-color", "#000000"),
        backColor=color("para-bg-color", "#FFFFFF"), borderColor=color("para-border-color", "#FFFFFF"),
        borderWidth=style.get("border-width", 0), borderPadding=style.get("border-padding", 0),
        firstLineIndent=style.get("first-line-indent", 0), wordWrap="CJK" if CJK.search(text) else None,
        leftIndent=style.get("left-indent", 0), rightIndent=style.get("right-indent", 0),
        alignment=ALIGNMENTS[style.get("alignment", "JUSTIFY")], spaceBefore=style.get("space-before", 0),
        spaceAfter=style.get("space-after", 0))


def page_size(style):
    return tuple(map(float, style["page-size"].split(","))) if "page-size" in style else A4


def make_pdf(text, style):
    """The PDF and the lines of each page."""
    size = page_size(style)
    custom = paragraph_style(style, text)
    story = [Paragraph(p, custom) for p in paragraphs(text, style.get("newline-markup", "<br/>"))]
    background = colors.HexColor(style.get("page-bg-color", "#FFFFFF"))
    recorder = LineRecorder()

    def paint(canvas, _document):
        recorder.start_page()
        canvas.saveState()
        canvas.setFillColor(background)
        canvas.rect(0, 0, size[0], size[1], stroke=0, fill=1)
        canvas.restoreState()

    plain_text_out = textobject.PDFTextObject._textOut

    def text_out(self, shown, TStar=0):
        recorder.text(shown, TStar)
        plain_text_out(self, shown, TStar)

    buffer = io.BytesIO()
    margin_x, margin_y = style.get("margin-x", 20), style.get("margin-y", 20)
    document = SimpleDocTemplate(buffer, pagesize=size, leftMargin=margin_x, rightMargin=margin_x,
                                 topMargin=margin_y, bottomMargin=margin_y)
    textobject.PDFTextObject._textOut = text_out
    try:
        document.build(story, onFirstPage=paint, onLaterPages=paint)
    finally:
        textobject.PDFTextObject._textOut = plain_text_out
    return buffer.getvalue(), recorder.pages


def rasterize(pdf, dpi):
    """Uncropped RGB images, one a page, as pdf2image gets them."""
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "in.pdf")
        with open(name, "wb") as file:
            file.write(pdf)
        subprocess.run(["pdftoppm", "-r", str(dpi), name, os.path.join(folder, "page")], check=True,
                       stderr=subprocess.DEVNULL)
        images = []
        for entry in sorted(n for n in os.listdir(folder) if n.endswith(".ppm")):
            with Image.open(os.path.join(folder, entry)) as image:
                images.append(image.convert("RGB"))
        return images


def background_of(grey):
    corner = sorted(grey.crop((0, 0, min(2, grey.width), min(2, grey.height))).getdata())
    middle = len(corner) // 2
    return corner[middle] if len(corner) % 2 else (corner[middle - 1] + corner[middle]) / 2


def crop(image, style, is_last):
    """The published crops: ink is what differs from the corner by more than 5 grey levels."""
    crop_width = style.get("auto-crop-width", False)
    crop_last = style.get("auto-crop-last-page", False) and is_last
    if not crop_width and not crop_last:
        return image
    grey = image.convert("L")
    base = background_of(grey)
    box = grey.point([255 if abs(level - base) > 5 else 0 for level in range(256)]).getbbox()
    if box is None:
        return image
    if crop_width:
        right = min(image.width, box[2] + style.get("margin-x", 20))
        image = image.crop((0, 0, right, image.height))
    if crop_last:
        lower = min(image.height, box[3] - 1 + style.get("margin-y", 20))
        image = image.crop((0, 0, image.width, lower))
    return image


def render(text, style):
    """Finished pages and their lines."""
    pdf, lines = make_pdf(text, style)
    images = rasterize(pdf, style.get("dpi", 72))
    scale = style.get("horizontal-scale", 1.0)
    if scale != 1.0:
        images = [image.resize((int(image.width * scale), image.height)) for image in images]
    return [crop(image, style, number == len(images) - 1) for number, image in enumerate(images)], lines


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        style = json.load(file)
    with open(sys.argv[2], encoding="utf-8", newline="") as file:
        text = file.read()
    images, lines = render(text, style)
    os.makedirs(sys.argv[3], exist_ok=True)
    for number, image in enumerate(images, start=1):
        image.save(os.path.join(sys.argv[3], "page_%03d.png" % number))
    with open(os.path.join(sys.argv[3], "lines.json"), "w", encoding="utf-8") as file:
        json.dump(lines, file, ensure_ascii=False)


if __name__ == "__main__":
    main()
