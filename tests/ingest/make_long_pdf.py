#!/usr/bin/python3
"""Writes an English PDF of text pages of about 3,000 characters, to time `glyph extract` on: make_long_pdf.py PAGES OUT.pdf"""
import random
import sys

from reportlab import rl_config
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

WORDS = ("the of and to a in is that for it was on with as be at by this had not are but from or have an they which one you all "
         "her there would their we him been has when who will no more if out so up said what its about than into them can only "
         "other time new some could these two may first then do any like my now over such our man even most made after also "
         "before must well back through years where much your way down should because long each just state those people").split()


def paragraph(rng, num_characters):
    words = []
    while sum(len(word) + 1 for word in words) < num_characters:
        words.append(rng.choice(WORDS))
    return " ".join(words).capitalize() + "."


def main():
    rl_config.invariant = 1
    rng = random.Random(1)
    style = ParagraphStyle("body", fontName="Times-Roman", fontSize=10.5, leading=13, spaceAfter=6)
    story = []
    for _ in range(int(sys.argv[1])):
        story += [Paragraph(paragraph(rng, 600), style) for _ in range(5)]
        story.append(PageBreak())
    SimpleDocTemplate(sys.argv[2], pagesize=A4).build(story)


if __name__ == "__main__":
    main()
