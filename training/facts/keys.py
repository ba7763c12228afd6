"""Keys: which entities a document has named with which relation, so that no question has two answers."""
import re

IGNORED = {"the", "of", "a", "an", "and", "in", "for", "on", "at", "to", "with"}


def words_of(text):
    return frozenset(re.findall(r"[^\W_]+", text.lower())) - IGNORED


class KeyIndex:
    """The (family, entity) pairs of a document; names clash when the words of one contain those of the other."""

    def __init__(self, facts=()):
        self.words = {}
        for fact in facts:
            self.add(fact.keys)

    def add(self, keys):
        for family, text in keys:
            self.words.setdefault(family, []).append(words_of(text))

    def clashes(self, keys):
        for family, text in keys:
            words = words_of(text)
            if any(words <= other or other <= words for other in self.words.get(family, ())):
                return True
        return False
