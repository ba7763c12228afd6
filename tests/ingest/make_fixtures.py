#!/usr/bin/python3
"""Writes the documents of tests/ingest/data. Needs Debian's python3-reportlab, python3-docx, python3-pil and qpdf.

The files are committed, so the tests need none of these. Run it from anywhere: tests/ingest/make_fixtures.py
"""
import io
import pathlib
import random
import subprocess
import zipfile

import docx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from PIL import Image, ImageDraw
from reportlab import rl_config
from reportlab.lib.enums import TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen import canvas
from reportlab.platypus import BaseDocTemplate, Frame, FrameBreak, PageTemplate, Paragraph, Table

rl_config.invariant = 1
DATA = pathlib.Path(__file__).resolve().parent / "data"
WORDS = ("river mountain letter number garden window market teacher harbour engine winter silver paper bridge island "
         "valley captain village morning evening shadow forest signal cotton kitchen doctor pocket summer flower "
         "and the of a to in was for on with at by from it").split()


def sentence(rng, num_words):
    words = [rng.choice(WORDS) for _ in range(num_words)]
    return " ".join(words).capitalize() + "."


def two_columns():
    """A journal page: title across, two justified columns, a section heading and a table in each, header and footer."""
    rng = random.Random(7)
    body = ParagraphStyle("body", fontName="Times-Roman", fontSize=9.5, leading=11.5, firstLineIndent=12, alignment=TA_JUSTIFY)
    head = ParagraphStyle("head", fontName="Helvetica-Bold", fontSize=12, leading=16, spaceBefore=8, spaceAfter=4)
    title = ParagraphStyle("title", fontName="Helvetica-Bold", fontSize=18, leading=22, alignment=1)

    def decorate(page, doc):
        page.setFont("Times-Roman", 8)
        page.drawString(61, 815, "Journal of Invented Studies 12")
        page.drawCentredString(297, 30, "Page %d" % doc.page)

    doc = BaseDocTemplate(str(DATA / "two_columns.pdf"), pagesize=A4)
    doc.addPageTemplates(PageTemplate("page", [Frame(55, 740, 485, 60), Frame(55, 60, 230, 670), Frame(310, 60, 230, 670)],
                                      onPage=decorate))
    story = [Paragraph("A Study of Two Columns in Print", title), FrameBreak()]
    for section in range(1, 3):
        story.append(Paragraph("%d. Section %d" % (section, section), head))
        for paragraph in range(1, 5):
            marks = "S%dP%dBEGIN %s S%dP%dEND" % (section, paragraph, sentence(rng, 60), section, paragraph)
            story.append(Paragraph(marks, body))
        story.append(Table([["Name", "Year", "Amount"], ["Alpha", "1999", "12.5"], ["Gamma ray", "2010", "1,000"]]))
        if section == 1:
            story.append(FrameBreak())
    doc.build(story)


def paragraphs():
    """Ligatures as presentation forms, words divided by hyphens, a list, indented paragraphs, a blank and a second page."""
    page = canvas.Canvas(str(DATA / "paragraphs.pdf"), pagesize=A4, invariant=1)
    pdfmetrics.registerFont(__import__("reportlab.pdfbase.ttfonts", fromlist=["TTFont"]).TTFont(
        "DejaVu", "/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf"))
    page.setFont("DejaVu", 10)
    lines = [
        (72, "Annual Report"), None,
        (84, "The o\ufb03ce of the \ufb01rst director was moved to the har-"),
        (72, "bour because the \ufb02oor of the old house was broken and the"),
        (72, "insurance did not pay for a well-known weakness in it at all."),
        (84, "A second paragraph begins with an indented line and it fills"),
        (72, "the line before it ends."), None,
        (72, "1. The first point of the list runs on to a second line so it"),
        (84, "hangs under its number."),
        (72, "2. The second point is short."),
    ]
    y = 780
    for line in lines:
        if line:
            page.drawString(line[0], y, line[1])
        y -= 12
    page.showPage()
    page.showPage()
    page.setFont("DejaVu", 10)
    page.drawString(72, 780, "The last page stands alone.")
    page.save()


def chinese():
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    page = canvas.Canvas(str(DATA / "chinese.pdf"), pagesize=A4, invariant=1)
    page.setFont("STSong-Light", 12)
    for row, text in enumerate(["第一章 总则", "为了保护读者的合法权益，本办法规定了文件的提交、", "审查和保存的要求，并适用于所有的部门。"]):
        page.drawString(72, 760 - 20 * row, text)
    page.save()


def scan():
    """A page that is a picture, and one with a picture and a page number."""
    picture = Image.new("L", (420, 594), 255)
    draw = ImageDraw.Draw(picture)
    for row in range(20):
        draw.rectangle([40, 40 + 26 * row, 380, 54 + 26 * row], fill=0)
    page = canvas.Canvas(str(DATA / "scan.pdf"), pagesize=A4, invariant=1)
    for number in range(2):
        page.drawImage(ImageReader(picture), 0, 0, *A4)
        if number == 1:
            page.drawString(280, 20, "Page 2")
        page.showPage()
    page.save()


def picture():
    image = Image.new("RGB", (40, 30), (255, 255, 255))
    ImageDraw.Draw(image).rectangle([5, 5, 20, 20], fill=(200, 10, 10))
    image.save(DATA / "picture.png")


def simple_pdf(num_pages, name):
    page = canvas.Canvas(str(DATA / name), pagesize=A4, invariant=1)
    for number in range(1, num_pages + 1):
        page.drawString(72, 760, "This is page number %d of the report." % number)
        page.showPage()
    page.save()


def damaged_pdfs():
    simple_pdf(3, "plain.pdf")
    for name, passwords in (("encrypted.pdf", ["secret", "owner"]), ("owner_only.pdf", ["", "owner"])):
        subprocess.run(["qpdf", "--static-id", "--static-aes-iv", "--encrypt", *passwords, "256", "--print=none", "--",
                        DATA / "plain.pdf", DATA / name], check=True)
    whole = (DATA / "plain.pdf").read_bytes()
    (DATA / "truncated.pdf").write_bytes(whole[:len(whole) * 2 // 3])
    rng = random.Random(3)
    (DATA / "garbage.pdf").write_bytes(b"%PDF-1.4\n" + bytes(rng.randrange(256) for _ in range(3000)) + b"\nstartxref\n9\n%%EOF\n")


def slow_pdf():
    """Forms that draw forms: 20 levels of 8, which no reader finishes."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /XObject << /F 5 0 R >> >> >>",
               "<< /Length 4 >> stream\n/F Do\nendstream"]
    for level in range(20):
        following = len(objects) + 2
        draw = "/F Do " * 8 if level < 19 else "0 0 m 9 9 l S"
        resources = "/Resources << /XObject << /F %d 0 R >> >>" % following if level < 19 else ""
        objects.append("<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] %s /Length %d >> stream\n%s\nendstream"
                       % (resources, len(draw), draw))
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body.replace("/Length 4 ", "/Length 5 ").encode())
    xref = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, xref)
    (DATA / "slow.pdf").write_bytes(out)


W = nsdecls("w")
FOOTNOTES = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w:footnotes %s><w:footnote w:type="separator" w:id="-1"><w:p/></w:footnote>
<w:footnote w:id="2"><w:p><w:r><w:footnoteRef/></w:r><w:r><w:t xml:space="preserve"> Measured at noon.</w:t></w:r></w:p></w:footnote>
</w:footnotes>""" % W


def add_xml(document, xml):
    document.element.body.insert(len(document.element.body) - 1, parse_xml(xml))


def features_docx():
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "HEADER LEFT OUT"
    document.sections[0].footer.paragraphs[0].text = "FOOTER LEFT OUT"
    document.add_heading("Budget of 2031", level=1)
    document.add_paragraph("An opening paragraph.")
    for item in ("apples", "pears"):
        document.add_paragraph(item, style="List Bullet")
    for item in ("first step", "second step"):
        document.add_paragraph(item, style="List Number")
    document.add_heading("Numbers", level=2)
    table = document.add_table(rows=3, cols=2)
    for row, cells in enumerate([("Name", "Amount"), ("Roads", "1,200"), ("Schools", "")]):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    inner = table.cell(2, 1).add_table(rows=2, cols=2)
    for row, cells in enumerate([("old", "300"), ("new", "450")]):
        for column, text in enumerate(cells):
            inner.cell(row, column).text = text
    add_xml(document, '<w:p %s><w:r><w:t xml:space="preserve">Changed: </w:t></w:r><w:del w:id="1" w:author="a"><w:r>'
            '<w:delText>REMOVED</w:delText></w:r></w:del><w:ins w:id="2" w:author="a"><w:r><w:t>inserted</w:t></w:r></w:ins>'
            '<w:r><w:rPr><w:vanish/></w:rPr><w:t>HIDDEN</w:t></w:r><w:r><w:t>.</w:t></w:r></w:p>' % W)
    add_xml(document, '<w:p %s><w:r><w:t>The value rose</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r>'
            '<w:r><w:t xml:space="preserve"> and </w:t></w:r><w:hyperlink w:anchor="x"><w:r><w:t>a link</w:t></w:r></w:hyperlink>'
            '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> PAGE \\* MERGEFORMAT </w:instrText></w:r>'
            '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>, seven</w:t></w:r>'
            '<w:r><w:fldChar w:fldCharType="end"/></w:r><w:r><w:br/><w:t>after a break</w:t></w:r></w:p>' % W)
    box = '<w:txbxContent><w:p><w:r><w:t>Text in a box.</w:t></w:r></w:p></w:txbxContent>'
    add_xml(document, '<w:p %s xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
            'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" xmlns:v="urn:schemas-microsoft-com:vml">'
            '<w:r><w:t>Beside the box.</w:t></w:r><w:r><mc:AlternateContent><mc:Choice Requires="wps"><wps:txbx>%s</wps:txbx></mc:Choice>'
            '<mc:Fallback><w:pict><v:textbox>%s</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>' % (W, box, box))
    add_xml(document, '<w:p %s><w:pPr><w:rPr><w:del w:id="3" w:author="a"/></w:rPr></w:pPr><w:r><w:t xml:space="preserve">'
            'A joined </w:t></w:r></w:p>' % W)
    add_xml(document, '<w:p %s><w:r><w:t>paragraph.</w:t></w:r></w:p>' % W)
    buffer = io.BytesIO()
    document.save(buffer)
    parts = read_parts(buffer.getvalue())
    parts["word/footnotes.xml"] = FOOTNOTES.encode()
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(
        b"</Types>", b'<Override PartName="/word/footnotes.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        b'wordprocessingml.footnotes+xml"/></Types>')
    parts["word/_rels/document.xml.rels"] = parts["word/_rels/document.xml.rels"].replace(
        b"</Relationships>", b'<Relationship Id="rId99" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
        b'footnotes" Target="footnotes.xml"/></Relationships>')
    for name in [name for name in parts if "thumbnail" in name or "theme" in name or "customXml" in name or "stylesWithEffects" in name]:
        del parts[name]
    write_parts(DATA / "features.docx", parts)


def read_parts(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_parts(path, parts):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)


CONTENT_TYPES = (b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" '
                 b'ContentType="application/xml"/></Types>')
RELS = (b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
        b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>'
        b'</Relationships>')


def document_xml(text, doctype=b""):
    return (b'<?xml version="1.0" encoding="UTF-8"?>' + doctype + b"<w:document " + W.encode() +
            b"><w:body><w:p><w:r><w:t>" + text + b"</w:t></w:r></w:p></w:body></w:document>")


def hostile_docx():
    base = {"[Content_Types].xml": CONTENT_TYPES, "_rels/.rels": RELS}
    write_parts(DATA / "small.docx", {**base, "word/document.xml": document_xml(b"Hello from a small file.")})
    write_parts(DATA / "zip_bomb.docx", {**base, "word/document.xml": document_xml(b" " * 20_000_000)})
    write_parts(DATA / "memory.docx", {**base, "word/document.xml": document_xml(b"word " * 6_000_000)})
    entities = b'<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)) + b"]>"
    write_parts(DATA / "entity_bomb.docx", {**base, "word/document.xml": document_xml(b"&j;", entities)})
    write_parts(DATA / "missing_part.docx", base)
    write_parts(DATA / "no_types.docx", {"readme.txt": b"only a text"})
    write_parts(DATA / "dotdot.docx", {**base, "word/document.xml": document_xml(b"x"), "../evil.xml": b"<x/>"})
    write_parts(DATA / "dotdot_relation.docx", {**base, "_rels/.rels": RELS.replace(b"word/document", b"../../etc/passwd"),
                                                "word/document.xml": document_xml(b"x")})
    write_parts(DATA / "deep.docx", {**base, "word/document.xml": document_xml(b"<w:r>" * 5000 + b"</w:r>" * 5000)})
    whole = (DATA / "small.docx").read_bytes()
    (DATA / "truncated.docx").write_bytes(whole[:len(whole) // 2])
    lying = bytearray((DATA / "zip_bomb.docx").read_bytes())  # its headers claim a size of 1,000 bytes
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = lying.rfind(signature)
        lying[at + offset:at + offset + 4] = (1000).to_bytes(4, "little")
    (DATA / "lying_bomb.docx").write_bytes(bytes(lying))


def main():
    DATA.mkdir(exist_ok=True)
    two_columns()
    paragraphs()
    chinese()
    scan()
    picture()
    damaged_pdfs()
    slow_pdf()
    features_docx()
    hostile_docx()
    for path in sorted(DATA.iterdir()):
        assert path.stat().st_size < 50 << 10, path
        print(path.stat().st_size, path.name)


if __name__ == "__main__":
    main()
