"""README.zh.md says what README.md says: the same headings, commands, figures and names."""
import re
import unittest

import harness


def lines(text, pattern):
    return re.findall(pattern, text, re.MULTILINE)


def numbers(cell):
    """Figures with the unit that follows them: "1.45x", "2.1 s", "36"."""
    return sorted(lines(cell, r"\d[\d,.:]*\d|\d"))


class Chinese(unittest.TestCase):
    def setUp(self):
        self.english = (harness.ROOT / "README.md").read_text()
        self.chinese = (harness.ROOT / "README.zh.md").read_text()

    def both(self, pattern):
        return lines(self.english, pattern), lines(self.chinese, pattern)

    def test_the_same_headings(self):
        english, chinese = self.both(r"^#+ ")
        self.assertEqual(chinese, english)

    def test_the_same_points(self):
        english, chinese = self.both(r"^- \*\*")
        self.assertEqual(len(chinese), len(english))

    def test_the_same_figures_in_tables(self):
        english, chinese = self.both(r"^\|.*\|$")
        self.assertEqual(len(chinese), len(english))
        for told, translated in zip(english, chinese):
            self.assertEqual(numbers(translated), numbers(told), told)

    def test_the_same_commands(self):
        """What is typed; what stands behind it may be translated."""
        english, chinese = ([re.split(r"\s{2,}", line)[0] for line in found] for found in self.both(r"^    (\S.*)$"))
        self.assertEqual(chinese, english)

    def test_the_same_names(self):
        for pattern in (r"`([^`\n]+)`", r"[\w./]+\.(?:md|json|sh)\b"):
            english, chinese = self.both(pattern)
            self.assertEqual(sorted(set(chinese)), sorted(set(english)))

    def test_no_paragraph_is_missing(self):
        english, chinese = (len(re.split(r"\n\s*\n", text.strip())) for text in (self.english, self.chinese))
        self.assertEqual(chinese, english)


if __name__ == "__main__":
    unittest.main()
