"""95 % intervals: Wilson's for a share of right answers, a bootstrap over pages for an error rate."""

import math
import random

Z95 = 1.959964


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Wilson's score interval of right/total; (0, 1) where nothing was asked."""
    if total == 0:
        return 0.0, 1.0
    share = right / total
    denominator = 1 + Z95**2 / total
    centre = (share + Z95**2 / (2 * total)) / denominator
    half = Z95 * math.sqrt(share * (1 - share) / total + Z95**2 / (4 * total**2)) / denominator
    low = 0.0 if right == 0 else max(0.0, centre - half)
    high = 1.0 if right == total else min(1.0, centre + half)
    return low, high


def bootstrap_rate_interval(pages: list[tuple[int, int]], rounds: int = 2000) -> tuple[float, float]:
    """Percentile interval of sum(errors) / sum(length) over pages drawn with replacement; the same for the same pages."""
    if not pages:
        return 0.0, 1.0
    draw = random.Random(20000)
    rates = []
    for _ in range(rounds):
        sample = [pages[draw.randrange(len(pages))] for _ in pages]
        rates.append(sum(errors for errors, _ in sample) / max(1, sum(length for _, length in sample)))
    rates.sort()
    return rates[int(0.025 * rounds)], rates[int(0.975 * rounds) - 1]
