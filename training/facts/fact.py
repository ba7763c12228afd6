"""One stated fact."""
from dataclasses import dataclass, field


@dataclass
class Fact:
    """One stated fact.

    statement: one or two sentences (or a "Key: value" line, or a table row with ' | ') as they stand in a document.
    qa: (question, answer) pairs; each answer is a substring of the statement.
    subject: the entity or object that the fact is about; kind: 'verb.<base>', '<kind>.<relation>', 'list.<x>', 'needle'.
    keys: (relation family, entity) pairs of which a document may hold only one each.
    source: what absent_questions and make_facts vary.
    """
    statement: str
    qa: list
    subject: str
    kind: str
    keys: list = field(default_factory=list, repr=False)
    source: tuple = field(default=(), repr=False)

    def __getstate__(self):
        """Facts can be pickled, without their source."""
        return {**self.__dict__, "source": ()}
