"""Made-up documents and styles that visit the corners of line breaking and painting. Everything follows from a seed."""
import random

LATIN = "etaoinshrdlucmfwypvbgkjqxz"
ACCENTED = "éèüößñçåøłšžćđ"
GREEK = "αβγδεζηθικλμνξοπρστυφχψω"
PUNCTUATION = [",", ".", ";", ":", "!", "?", "-", "—", "…", "\"", "'", ")", "(", "]", "["]
CJK_PUNCTUATION = "，。；：！？、）》」』】（《「『【…—·％℃°"
KANA = "あいうえおかきくけこぁぃぅっゃゅょアイウエオカキクケコァィゥッャュョー々"
MISSING = ["\U0001F680", "\U0001F9E0", "\U00020000", "\u0D05", "\uA9C1", "\uE123"]
SPACES = [" ", "  ", "   ", "\t", " \t ", "\u3000", "\u00a0", " \u00a0 ", "\u2003", "\u200b", " \u200b ", "\u00ad", "\x0b", "\r"]
RED_MARK = "<font color=\"#FF0000\"> \\n </font>"


class Writer:
    def __init__(self, seed, chinese):
        self.random = random.Random(seed)
        self.chinese = chinese
        # common characters, with some rare ones
        self.han = [chr(0x4E00 + self.random.randrange(0x51A6)) for _ in range(300)]

    def chance(self, probability):
        return self.random.random() < probability

    def word(self):
        r = self.random
        kind = r.random()
        if kind < 0.80:
            word = "".join(r.choice(LATIN) for _ in range(1 + int(r.expovariate(0.25))))
            return word.capitalize() if r.random() < 0.1 else word
        if kind < 0.86:
            return str(r.randrange(10 ** r.randrange(1, 9)))
        if kind < 0.89:
            return "https://" + "".join(r.choice(LATIN + "/-_.?=&%") for _ in range(r.randrange(20, 220)))
        if kind < 0.92:
            return r.choice(["a<b", "R&D", "x>y", "&amp;", "<br/>", "</para>", "1<2&&3>2", "&", "<", ">"])
        if kind < 0.95:
            return "".join(r.choice(ACCENTED + GREEK + LATIN) for _ in range(r.randrange(1, 12)))
        if kind < 0.96:
            return r.choice(MISSING)
        if kind < 0.97:
            return "i\u0301e\u0300" * r.randrange(1, 4)
        if kind < 0.98:
            return "".join(r.choice(LATIN) + ("\u00ad" if r.random() < 0.3 else "") for _ in range(12))
        return "word\u00a0joined" * r.randrange(1, 5)

    def english_line(self, words):
        r = self.random
        parts = []
        for _ in range(words):
            parts.append(self.word())
            if r.random() < 0.15:
                parts.append(r.choice(PUNCTUATION))
            parts.append(" " if r.random() < 0.97 else r.choice(SPACES))
        return "".join(parts)

    def chinese_line(self, characters):
        r = self.random
        parts = []
        while len(parts) < characters:
            kind = r.random()
            if kind < 0.80:
                parts.extend(r.choice(self.han) for _ in range(r.randrange(1, 9)))
            elif kind < 0.90:
                parts.extend(r.choice(CJK_PUNCTUATION) for _ in range(1 + (r.random() < 0.1)))
            elif kind < 0.93:
                parts.append(r.choice(KANA))
            elif kind < 0.985:
                parts.append(r.choice(["", " "]) + self.word() + r.choice(["", " "]))
            else:
                parts.append(r.choice(SPACES))
        return "".join(parts)

    def line(self):
        r = self.random
        kind = r.random()
        if kind < 0.10:
            return r.choice(["", "", "", " ", "\t", "   "])
        if kind < 0.20:
            indent = r.choice(["", " ", "    ", "\t"])
            return indent + self.english_line(r.randrange(1, 5)).strip()
        long_line = r.random() < 0.04
        if self.chinese and r.random() < 0.8:
            return self.chinese_line(r.randrange(800, 6000) if long_line else int(r.expovariate(1 / 60)))
        return self.english_line(r.randrange(300, 2500) if long_line else int(r.expovariate(1 / 15)))

    def text(self, characters):
        lines, size = [], 0
        only_one = self.chance(0.06)
        while size < characters:
            lines.append(self.line())
            size += len(lines[-1]) + 1
        text = " ".join(lines) if only_one else "\n".join(lines)
        if self.chance(0.1):
            text = "".join(c for c in text if c not in "&<>").replace("  ", " ")
        if self.chance(0.3):
            text += "\n" * self.random.choice([1, 1, 2, 40])
        if self.chance(0.15):
            kept = text.split("\n")
            text = "\n".join(kept[:30 * max(1, len(kept) // 30)]) + "\n"  # a last paragraph of one empty line
        if self.chinese and not any("\u4e00" <= c <= "\u9fff" for c in text):
            text = "中" + text
        if not self.chinese:
            text = "".join(c for c in text if not "\u4e00" <= c <= "\u9fff")
        return text or "x"


def plain_style(dpi):
    return {"page-size": "595,842", "dpi": dpi, "margin-x": 10, "margin-y": 10, "font-size": 9, "line-height": 10,
            "alignment": "LEFT", "auto-crop-width": True, "auto-crop-last-page": True}


def odd_style(r, dpi):
    color = lambda: "#%02X%02X%02X" % tuple(r.randrange(256) for _ in range(3))
    style = {"dpi": dpi, "alignment": r.choice(["LEFT", "CENTER", "RIGHT", "JUSTIFY", "JUSTIFY"])}
    maybe = lambda p, key, value: style.update({key: value}) if r.random() < p else None
    maybe(0.6, "page-size", r.choice(["595,842", "400,300", "842,595", "300.5,420.25", "612,792"]))
    maybe(0.5, "margin-x", r.choice([0, 5, 10, 33, 12.5]))
    maybe(0.5, "margin-y", r.choice([0, 5, 10, 33, 12.5]))
    maybe(0.6, "font-size", r.choice([7, 8, 8.5, 10, 11, 12, 14.4, 20, 30]))
    if r.random() < 0.5:
        style["line-height"] = round(style.get("font-size", 9) * r.choice([0.9, 1.0, 1.15, 1.5, 2]), 2)
    maybe(0.2, "first-line-indent", r.choice([18, 20.5, -10]))
    maybe(0.2, "left-indent", r.choice([10, 15.75]))
    maybe(0.2, "right-indent", r.choice([10, 21.3]))
    maybe(0.2, "space-before", r.choice([3, 6.5, 12]))
    maybe(0.2, "space-after", r.choice([3, 6.5, 12]))
    maybe(0.2, "border-width", r.choice([0.5, 1, 2.5]))
    maybe(0.2, "border-padding", r.choice([1, 2.5, 4]))
    maybe(0.2, "font-color", color())
    maybe(0.2, "page-bg-color", color())
    maybe(0.2, "para-bg-color", color())
    maybe(0.2, "para-border-color", color())
    maybe(0.2, "horizontal-scale", r.choice([0.9, 0.95, 1.1, 0.5]))
    maybe(0.5, "auto-crop-width", True)
    maybe(0.5, "auto-crop-last-page", True)
    maybe(0.25, "newline-markup", RED_MARK)
    return style


def make(seed, number):
    """Document `number` of a run: language, dpi and style in turn, then chance."""
    r = random.Random("%s/%s" % (seed, number))
    chinese = number % 2 == 1
    dpi = (72, 96, 120)[number // 2 % 3]
    style = plain_style(dpi) if number // 6 % 2 == 0 else odd_style(r, dpi)
    if number // 6 % 2 == 0 and r.random() < 0.15:
        style["alignment"] = "JUSTIFY"
    writer = Writer("%s/%s/text" % (seed, number), chinese)
    return {"text": writer.text(r.choice([50, 800, 5000, 15000, 40000])), "style": style, "chinese": chinese, "dpi": dpi}
