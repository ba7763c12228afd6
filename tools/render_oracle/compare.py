#!/usr/bin/python3
"""Compares the renderer with the reference pipeline: compare.py [DOCUMENTS [SEED]] [--only NUMBER] [--keep DIR] [--probe FILE]

Prints one row a language and resolution; the exit status is 0 only when nothing differs. See oracle.py for what it needs.
"""
import argparse
import collections
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile

from PIL import Image, ImageChops

import documents
import oracle

Image.MAX_IMAGE_PIXELS = None
COLUMNS = ("documents", "pages", "pixels", "line breaks", "page counts", "crops", "failures")


def normalized(line):
    """What a reader sees of a line: no white space, nothing that is dropped."""
    return "".join(c for c in line if not c.isspace() and c not in "\u00ad\u200b")


def drop_markup(line, job):
    return line.replace("\\n", "") if job["style"].get("newline-markup") else line


def compare_lines(ours, theirs, job):
    different = 0
    for mine, reference in zip(ours, theirs):
        mine = [drop_markup(normalized(l), job) for l in mine]
        reference = [drop_markup(normalized(l), job) for l in reference]
        mine, reference = [l for l in mine if l], [l for l in reference if l]
        different += abs(len(mine) - len(reference)) + sum(a != b for a, b in zip(mine, reference))
    return different


def compare_pages(number, folder, images):
    """Differing pixels and crops."""
    pixels = crops = 0
    for page, reference in enumerate(images, start=1):
        path = os.path.join(folder, "page_%03d.pnm" % page)
        if not os.path.exists(path):
            continue
        with Image.open(path) as image:
            mine = image.convert("RGB")
        if mine.size != reference.size:
            crops += 1
            size = (min(mine.width, reference.width), min(mine.height, reference.height))
            mine, reference = mine.crop((0, 0) + size), reference.crop((0, 0) + size)
        bands = ImageChops.difference(mine, reference).split()
        worst = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
        pixels += mine.width * mine.height - worst.histogram()[0]
    return pixels, crops


def check(argument):
    number, job, folder, keep = argument
    counts = dict.fromkeys(COLUMNS, 0)
    counts["documents"] = 1
    lines_file = os.path.join(folder, "lines.json")
    try:
        images, lines = oracle.render(job["text"], job["style"])
    except Exception as error:  # ReportLab raises many kinds
        refused_too = not os.path.exists(lines_file)
        if not refused_too:
            print("document %d: the reference fails: %s" % (number, str(error).split("\n")[0][:100]))
        counts["failures"] = int(not refused_too)
        return number, job, counts
    if not os.path.exists(lines_file):
        counts["failures"] = 1
        return number, job, counts
    with open(lines_file, encoding="utf-8") as file:
        ours = json.load(file)
    counts["pages"] = len(images)
    counts["page counts"] = int(len(ours) != len(images))
    counts["line breaks"] = compare_lines(ours, lines, job)
    counts["pixels"], counts["crops"] = compare_pages(number, folder, images)
    if keep:
        for page, image in enumerate(images, start=1):
            image.save(os.path.join(folder, "reference_%03d.png" % page))
        with open(os.path.join(folder, "reference_lines.json"), "w", encoding="utf-8") as file:
            json.dump(lines, file, ensure_ascii=False, indent=0)
    else:
        shutil.rmtree(folder)
    return number, job, counts


def prepare(jobs):
    """Cuts the outlines of all CJK characters once, before the workers are started."""
    chinese = {c for _, job in jobs if job["chinese"] for c in map(ord, job["text"])}
    if chinese:
        path = oracle.DEFAULT_FONTS[True]
        oracle.font_for({}, "中")
        font = oracle.pdfmetrics.getFont(oracle._registered[path])
        font.set_pool({c for c in chinese if c in font.face.charToGlyph} | set(range(32, 127)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", nargs="?", type=int, default=300)
    parser.add_argument("seed", nargs="?", default="1")
    parser.add_argument("--only", type=int, help="the one document of this number")
    parser.add_argument("--keep", help="write both sides' pages into this folder")
    parser.add_argument("--probe", default="build/bin/render_probe")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    numbers = range(options.documents) if options.only is None else [options.only]
    jobs = [(number, documents.make(options.seed, number)) for number in numbers]
    root = options.keep or tempfile.mkdtemp()
    os.makedirs(root, exist_ok=True)
    folder = lambda number: os.path.join(root, "document_%03d" % number)
    list_file = os.path.join(root, "jobs.jsonl")
    with open(list_file, "w", encoding="utf-8") as file:
        for number, job in jobs:
            file.write(json.dumps({"text": job["text"], "style": job["style"], "out": folder(number)}) + "\n")
    subprocess.run([options.probe, list_file], check=False)  # a document it refuses has no lines.json
    prepare(jobs)
    table = collections.defaultdict(lambda: dict.fromkeys(COLUMNS, 0))
    bad = []
    with multiprocessing.Pool(options.processes) as pool:
        work = [(number, job, folder(number), bool(options.keep)) for number, job in jobs]
        for number, job, counts in pool.imap_unordered(check, work):
            for key in (("zh" if job["chinese"] else "en", "%d dpi" % job["dpi"]), ("all", "")):
                for column in COLUMNS:
                    table[key][column] += counts[column]
            wrong = {c: counts[c] for c in COLUMNS[2:] if counts[c]}
            if wrong:
                bad.append((number, wrong, job["style"]))
    for number, wrong, style in sorted(bad, key=lambda entry: entry[0]):
        print("document %d: %s %s" % (number, wrong, json.dumps(style)))
    print("%-14s" % "" + "".join("%13s" % c for c in COLUMNS))
    for key in sorted(table):
        print("%-4s%-10s" % key + "".join("%13d" % table[key][c] for c in COLUMNS))
    if not options.keep:
        shutil.rmtree(root)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
