"""Small rules of written English: articles, capitals, ordinals, forms of verbs, the ends of sentences."""
import re

ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen").split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = ("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
            "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth").split()


def cap(text):
    return text[:1].upper() + text[1:]


def title_case(text):
    return "-".join(part.capitalize() for part in text.split("-"))


def finish(text):
    """Capitalises the beginning and removes a doubled full stop."""
    if text.endswith(".."):
        text = text[:-1]
    return cap(text)


def in_text(answer, statement):
    """The answer as the statement writes it."""
    return answer if answer in statement else cap(answer)


def joined(names):
    return ", ".join(names[:-1]) + " and " + names[-1]


def article(text):
    """'a' or 'an', by the sound that `text` begins with."""
    word = text.lstrip('"').lower()
    if word[:1] in "aeiou":
        return "a" if re.match(r"(u[nst]i|use|usu|eu|one\b|once)", word) and not word.startswith("unu") and \
            not re.match(r"un(in|im|is[^o])", word) else "an"
    return "an" if re.match(r"(hour|honest|honou?r|heir|8|11\b|18\b)", word) else "a"


def in_words(number):
    if number < 20:
        return ONES[number]
    return TENS[number // 10] + ("-" + ONES[number % 10] if number % 10 else "")


def ordinal(number):
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def regular_past(word):
    if word.endswith("e"):
        return word + "d"
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ied"
    if re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", word) or word in ("cancel", "label", "transfer"):
        return word + word[-1] + "ed"
    return word + "ed"


def gerund(word, doubled):
    if doubled:
        return word + word[-1] + "ing"
    return word[:-1] + "ing" if word.endswith("e") and not word.endswith("ee") else word + "ing"
