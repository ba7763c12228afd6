"""Levenshtein distance by Myers' bit-parallel method, with Python's long integers as the bit vectors.

G. Myers, "A fast bit-vector algorithm for approximate string matching based on dynamic programming", 1999, in the form of
H. Hyyrö for the distance of two whole strings. One column of the table is one integer of len(a) bits, so a page of 9,000
characters costs 9,000 steps on numbers of 9,000 bits.
"""


def levenshtein(a: str, b: str) -> int:
    """The least number of single characters inserted, deleted or replaced that turns a into b."""
    a, b = _trim_common_ends(a, b)
    if not a or not b:
        return len(a) + len(b)
    if len(a) > len(b):
        a, b = b, a  # the shorter string gives the width of the integers
    positions: dict[str, int] = {}
    for i, char in enumerate(a):
        positions[char] = positions.get(char, 0) | (1 << i)
    mask = (1 << len(a)) - 1
    last = 1 << (len(a) - 1)
    plus, minus = mask, 0  # vertical differences of +1 and -1 in the current column
    distance = len(a)
    for char in b:
        equal = positions.get(char, 0)
        vertical = equal | minus
        horizontal = (((equal & plus) + plus) ^ plus) | equal
        rise = minus | (mask & ~(horizontal | plus))
        fall = plus & horizontal
        if rise & last:
            distance += 1
        elif fall & last:
            distance -= 1
        rise = ((rise << 1) | 1) & mask
        fall = (fall << 1) & mask
        plus = fall | (mask & ~(vertical | rise))
        minus = rise & vertical
    return distance


def _trim_common_ends(a: str, b: str) -> tuple[str, str]:
    """Drops the common prefix and suffix, which never change the distance."""
    shorter = min(len(a), len(b))
    start = 0
    while start < shorter and a[start] == b[start]:
        start += 1
    end = 0
    while end < shorter - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return a[start : len(a) - end], b[start : len(b) - end]
