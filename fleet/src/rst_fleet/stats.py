"""Whether a rate has changed, of events that come in bursts.  Pure."""

from __future__ import annotations

import math


def dispersion(total: float, squares: float, intervals: float) -> float:
    """How many times as much counts per interval vary as those of independent events would; at least 1."""
    if intervals <= 1 or total <= 0:
        return 1.0
    mean = total / intervals
    variance = max(0.0, squares - total * mean) / (intervals - 1)
    return max(1.0, variance / mean)


def p_value(before: float, time_before: float, after: float, time_after: float, spread: float) -> float:
    """Two-sided probability of counts as far apart as these if the rate is the same.

    Both counts given, that after is binomial; bursts (spread, see `dispersion`) are as if only 1/spread as many had come. Up to
    2,000 events the binomial is summed, beyond that the normal distribution is near enough.
    """
    count, share = (before + after) / spread, time_after / (time_before + time_after)
    observed = after / spread
    if count <= 0:
        return 1.0
    if count > 2000:
        deviation = abs(observed - count * share) / math.sqrt(count * share * (1 - share))
        return math.erfc(deviation / math.sqrt(2))
    n, k = round(count), round(observed)
    logs = [
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * math.log(share) + (n - i) * math.log1p(-share)
        for i in range(n + 1)]
    lower, upper = sum(math.exp(x) for x in logs[: k + 1]), sum(math.exp(x) for x in logs[k:])
    return min(1.0, 2 * min(lower, upper))


def holm(values: list[float]) -> list[float]:
    """The p-values of many questions asked at once (Holm 1979): what remains below 0.05 is wrong in 5 % of such lists."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, highest = [1.0] * len(values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, values[index] * (len(values) - rank)))
        adjusted[index] = highest
    return adjusted
