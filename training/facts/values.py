"""Numbers, days, times, sums of money and other values, each in many styles of writing."""
from datetime import date

from .grammar import ONES, in_words, ordinal
from .pools import POOLS, pick

MONTHS = ("January February March April May June July August September October November December").split()
UNITS = {"short": ("minutes", "minutes", "hours"), "long": ("days", "weeks", "months", "years")}
CURRENCIES = ["€{}", "${}", "£{}", "{} euros", "{} dollars", "{} crowns", "{} francs", "EUR {}", "USD {}", "CHF {}", "{} pounds",
              "GBP {}", "{} yen", "{} rupees", "{} €", "{} kroner", "{} pesos"]


def between(low, high, rng):
    """A whole number in [low, high], small ones more likely where the range is wide."""
    if high < 60 * low + 60 or rng.random() < 0.4:
        return low + int(rng.random() * (high - low + 1))
    return int(low * ((high + 1) / low) ** rng.random())


def with_commas(number, rng):
    return f"{number:,}" if number >= 1000 and rng.random() < (0.75 if number >= 10000 else 0.5) else str(number)


def number_or_word(low, high, rng):
    number = between(low, high, rng)
    return in_words(number) if number < 100 and rng.random() < (0.5 if number <= 20 else 0.2) else str(number)


DAY_STYLES = [
    lambda d, y, m, n: f"{d} {m} {y}", lambda d, y, m, n: f"{d} {m} {y}", lambda d, y, m, n: f"{m} {d}, {y}",
    lambda d, y, m, n: f"{m} {d}, {y}", lambda d, y, m, n: f"{ordinal(d)} {m} {y}", lambda d, y, m, n: f"the {ordinal(d)} of {m} {y}",
    lambda d, y, m, n: f"{y}-{n:02}-{d:02}", lambda d, y, m, n: f"{d:02}.{n:02}.{y}", lambda d, y, m, n: f"{d}/{n}/{y}",
    lambda d, y, m, n: f"{d} {m[:3]} {y}", lambda d, y, m, n: f"{d} {m}", lambda d, y, m, n: f"{m} {d}",
    lambda d, y, m, n: f"{date(y, n, d):%A}, {d} {m} {y}", lambda d, y, m, n: f"{date(y, n, d):%A}, {m} {d}",
    lambda d, y, m, n: f"{date(y, n, d):%A} {d} {m}", lambda d, y, m, n: f"{d:02}-{m[:3]}-{y}"]


def year_between(low, high, rng):
    """A year in [low, high], late ones more likely."""
    return low + int((high - low + 1) * rng.random() ** 0.5)


def day(rng, low=1880, high=2026):
    number = 1 + int(rng.random() * 12)
    year = year_between(low, high, rng)
    return pick(DAY_STYLES, rng)(1 + int(rng.random() * 28), year, MONTHS[number - 1], number)


def dated(rng, future):
    """(preposition, text, kind): a day, a month or a year."""
    low, high = (2027, 2049) if future else (1880, 2026)
    chance = rng.random()
    if chance < 0.72:
        return "on", day(rng, low, high), "day"
    year = year_between(low, high, rng)
    if chance < 0.86:
        return "in", f"{pick(MONTHS, rng)} {year}", "month"
    return "in", str(year), "year"


def clock(rng):
    hour, minute, chance = int(rng.random() * 24), 5 * int(rng.random() * 12), rng.random()
    if chance < 0.35:
        return f"{hour:02}:{int(rng.random() * 60):02}"
    half, hour12 = ("a.m.", "p.m.")[hour // 12], (hour - 1) % 12 + 1
    if chance < 0.6:
        return f"{hour12}:{minute:02} {half}"
    if chance < 0.7:
        return f"{hour12} {half}"
    if chance < 0.8:
        return f"{hour}.{minute:02}"
    if chance < 0.9:
        return f"{pick(('half past', 'a quarter past', 'a quarter to', 'ten past', 'twenty to', 'five to'), rng)} {ONES[hour12]}"
    return f"{hour12} o'clock"


def duration(span, rng):
    count, unit = 2 + int(rng.random() * 58), pick(UNITS[span], rng)
    if rng.random() < 0.12:
        return f"{in_words(1 + count % 9)} and a half {unit}" if count % 9 else f"an hour and {in_words(5 + count)} minutes"
    return f"{in_words(count) if count < 21 and rng.random() < 0.6 else count} {unit}"


def weekdays(rng):
    first = int(rng.random() * 7)
    if rng.random() < 0.5:
        return POOLS["weekday"][first]
    second = (first + 1 + int(rng.random() * 6)) % 7
    return f"{POOLS['weekday'][min(first, second)]} and {POOLS['weekday'][max(first, second)]}"


def money(rng, low=40, high=900000):
    chance = rng.random()
    if chance < 0.15 and high > 10000:
        amount = f"{1 + int(rng.random() * 890) / 10:g} {pick(('million', 'million', 'billion'), rng)}"
    elif chance < 0.35:
        amount = f"{int(low * (high / low) ** rng.random()):,}.{int(rng.random() * 100):02}"
    else:
        amount = with_commas(between(low, high, rng), rng)
    return pick(CURRENCIES, rng).format(amount)


def percent(rng):
    number = 1 + int(rng.random() * 98)
    tenths = f"{number}.{int(rng.random() * 10)}%"
    return pick((f"{number}%", f"{number} %", f"{number} percent", tenths, f"{in_words(number)} per cent"), rng)


def letters(count, rng):
    return "".join(pick("ABCDEFGHJKLMNPRSTUVWXYZ", rng) for _ in range(count))


def digits(count, rng):
    return str(int((1 + 9 * rng.random()) * 10 ** (count - 1)))


def phone(rng):
    style = pick(("0{} {}", "+{2} {0} {1}", "{}-{}", "0{}/{}", "({}) {}"), rng)
    return style.format(digits(3, rng), digits(pick((4, 5, 6), rng), rng), digits(2, rng))
