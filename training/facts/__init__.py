"""Invented facts, questions about them and filler prose for training glyph-mini.

A fact is a sentence as it stands in a document, with questions whose answers are exact substrings of it. Four
engines make facts: actions.py ("Who approved the budget?"), attributes.py (one or several a sentence), lists.py and
needles.py; documents.py puts them together. All wordings and words lie in the text files beside the modules, whose
headers say how they are written.

With split='heldout' every question has a held-out wording and about half of the statements have one; split='train'
never uses one (wordings.py says which are held out). Every function is deterministic for a given state of `rng`.
"""
from .absences import absent_questions
from .documents import make_facts
from .dress import dress_question
from .fact import Fact
from .filler import filler_paragraph, filler_sentence, heading, list_item, table_row
from .needles import needle, needle_group
from .passages import passages

__all__ = ["Fact", "absent_questions", "dress_question", "filler_paragraph", "filler_sentence", "heading", "list_item", "make_facts",
           "needle", "needle_group", "passages", "table_row"]
