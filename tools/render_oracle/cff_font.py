"""A ReportLab font for OpenType faces with PostScript outlines, which ReportLab 3.6.12 itself refuses.

ReportLab lays out with the metric tables and asks for font bytes only at the end. So: it gets the metric tables with empty
outlines, and each of its 256-character subsets is embedded as a composite font whose encoding has one-byte codes (so that word
spacing still works) and whose outlines are the face's own CFF. Layout and content stream stay ReportLab's.
"""
import io
import struct

from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont as Sfnt
from reportlab.pdfbase import pdfdoc, ttfonts
from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFStream, PDFString

METRIC_TABLES = ("head", "hhea", "hmtx", "maxp", "cmap", "OS/2", "name", "post")
LAYOUT_TABLES = ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx"]
CMAP_HEAD = b"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> def
/CMapName /Codes def /CMapType 1 def
1 begincodespacerange <00> <FF> endcodespacerange
"""


def _sfnt(version, tables):
    """A font file of the given tables; checksums are left zero, the readers here do not check them."""
    offset = 12 + 16 * len(tables)
    directory, body = b"", b""
    for tag, data in sorted(tables.items()):
        directory += struct.pack(">4sLLL", tag.encode().ljust(4), 0, offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    return version + struct.pack(">HHHH", len(tables), 0, 0, 0) + directory + body


def _metrics_only(font):
    tables = {tag: font.reader[tag] for tag in METRIC_TABLES}
    tables["maxp"] = struct.pack(">L", 0x00010000) + tables["maxp"][4:6] + b"\0" * 26
    tables["head"] = tables["head"][:50] + struct.pack(">h", 1) + tables["head"][52:]
    tables["loca"] = b"\0" * (4 * (font["maxp"].numGlyphs + 1))
    tables["glyf"] = b"\0\0\0\0"
    return _sfnt(b"\0\1\0\0", tables)


def _encoding(cids):
    text = CMAP_HEAD
    for first in range(0, len(cids), 100):
        part = cids[first:first + 100]
        text += b"%d begincidchar\n" % len(part)
        text += b"".join(b"<%02X> %d\n" % (first + i, cid) for i, cid in enumerate(part)) + b"endcidchar\n"
    return text + b"endcmap CMapName currentdict /CMap defineresource pop end end\n"


class CffFont(ttfonts.TTFont):
    def __init__(self, name, font):
        super().__init__(name, io.BytesIO(_metrics_only(font)))
        self.full_file = _sfnt(b"OTTO", {tag: font.reader[tag] for tag in font.reader.keys()})
        self.pool = None  # the characters whose outlines are cut out; cutting takes a second, so a batch sets it once

    def set_pool(self, characters):
        font = Sfnt(io.BytesIO(self.full_file), recalcBBoxes=False, lazy=True)
        worker = subset.Subsetter(subset.Options(notdef_outline=True, layout_features=[], drop_tables=LAYOUT_TABLES))
        worker.populate(unicodes=set(characters) | {32})
        worker.subset(font)
        out = io.BytesIO()
        font.save(out)
        self.pool = frozenset(characters)
        self.outlines = out.getvalue()
        # poppler takes these numbers as glyph indices (it does not find the CIDs of this font)
        self.cids = {code: font.getGlyphID(name) for code, name in font.getBestCmap().items()}

    def addObjects(self, doc):
        state = self.state[doc]
        state.frozen = 1
        used = {code for codes in state.subsets for code in codes if code in self.face.charToGlyph}
        if self.pool is None or not used <= self.pool:
            self.set_pool(used)
        for number, codes in enumerate(state.subsets):
            name = self.getSubsetInternalName(number, doc)[1:]
            doc.idToObject["BasicFonts"].dict[name] = self._font(doc, name, codes)
        del self.state[doc]

    def _font(self, doc, name, codes):
        cids = [self.cids.get(code, 0) for code in codes]
        widths = {}
        for code, cid in zip(codes, cids):
            widths.setdefault(cid, self.face.getCharWidth(code))
        listed = [entry for cid in sorted(widths) for entry in (cid, PDFArray([widths[cid]]))]
        system = PDFDictionary({"Registry": PDFString("Adobe"), "Ordering": PDFString("Identity"), "Supplement": 0})
        descendant = PDFDictionary({
            "Type": PDFName("Font"), "Subtype": PDFName("CIDFontType0"), "BaseFont": PDFName(name), "DW": 1000,
            "CIDSystemInfo": system, "W": PDFArray(listed), "FontDescriptor": self._descriptor(doc, name)})
        return PDFDictionary({
            "Type": PDFName("Font"), "Subtype": PDFName("Type0"), "BaseFont": PDFName(name), "Name": PDFName(name),
            "Encoding": doc.Reference(self._stream(doc, _encoding(cids), {"Type": PDFName("CMap")}), "codes:" + name),
            "DescendantFonts": PDFArray([doc.Reference(descendant, "cidFont:" + name)])})

    def _descriptor(self, doc, name):
        file = doc.Reference(self._stream(doc, self.outlines, {"Subtype": PDFName("OpenType")}), "fontFile:" + name)
        face = self.face
        return doc.Reference(PDFDictionary({
            "Type": PDFName("FontDescriptor"), "FontName": PDFName(name), "Flags": 4, "FontBBox": PDFArray(face.bbox),
            "ItalicAngle": 0, "Ascent": face.ascent, "Descent": face.descent, "CapHeight": face.capHeight,
            "StemV": face.stemV, "FontFile3": file}), "fontDescriptor:" + name)

    @staticmethod
    def _stream(doc, content, entries):
        stream = PDFStream(content=content)
        for key, value in entries.items():
            stream.dictionary[key] = value
        if doc.compression:
            stream.filters = [pdfdoc.PDFZCompress]
        return stream


def load(name, file_name, family):
    """The face called `family` of a font collection."""
    collection = TTCollection(file_name, lazy=True)
    return CffFont(name, next(f for f in collection.fonts if f["name"].getDebugName(1) == family))
