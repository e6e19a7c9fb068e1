"""The convergence as SVG: the shift of each iteration on a logarithmic scale, colours by the page's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 44
_MOST_TICKS = 8


def convergence(shifts: Sequence[float], tol: float) -> str:
    """Draw shifts, none of which is negative; a zero stands on the lower edge, where the scale reads 0."""
    if not shifts:
        return "<p>No iteration was needed.</p>"
    low, high = _decades([shift for shift in shifts if shift > 0] + ([tol] if 0 < tol < math.inf else []))

    def x(iteration: float) -> float:
        span = max(len(shifts) - 1, 1)
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * ((iteration - 1) / span if len(shifts) > 1 else 0.5), 1)

    def y(shift: float) -> float:
        place = (math.log10(shift) - low) / (high - low) if shift > 0 else 0.0
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(max(place, 0.0), 1.0), 1)

    parts = [*_grid(low, high, y, has_zero=0 in shifts), *_iterations(len(shifts), x)]
    if 0 < tol < math.inf:
        parts.append(f'<path class="tol" d="M{_LEFT} {y(tol)}H{WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="tol" x="{WIDTH - _RIGHT - 4}" y="{y(tol) - 6}">tol = {tol:g}</text>')
    places = [(x(i), y(shift)) for i, shift in enumerate(shifts, 1)]
    parts.append(f'<polyline points="{" ".join(f"{left},{top}" for left, top in places)}"/>')
    parts += [f'<circle cx="{left}" cy="{top}" r="3" data-step="{i}"/>' for i, (left, top) in enumerate(places, 1)]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="chart-title"><title id="chart-title">'
        f"The shift falls from {shifts[0]:.3g} to {shifts[-1]:.3g} in {len(shifts)} iterations</title>"
        f"{''.join(parts)}</svg>"
    )


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Return powers of ten that all values are between, the lower one with a decade to spare."""
    if not values:
        return -1, 1
    low, high = math.floor(math.log10(min(values))) - 1, math.ceil(math.log10(max(values)))
    return low, max(high, low + 2)


def _grid(low: int, high: int, y: Callable[[float], float], *, has_zero: bool) -> Iterator[str]:
    step = math.ceil((high - low) / _MOST_TICKS)
    for power in range(low, high + 1, step):
        top = y(10.0**power)
        label = "0" if power == low and has_zero else f"{10.0**power:g}"
        yield f'<path class="grid" d="M{_LEFT} {top}H{WIDTH - _RIGHT}"/>'
        yield f'<text class="left" x="{_LEFT - 8}" y="{top + 4}">{label}</text>'


def _iterations(n: int, x: Callable[[float], float]) -> Iterator[str]:
    step = math.ceil(n / _MOST_TICKS)
    for iteration in range(1, n + 1, step):
        yield f'<text class="below" x="{x(iteration)}" y="{HEIGHT - _BOTTOM + 18}">{iteration}</text>'
    yield f'<text class="below" x="{(WIDTH + _LEFT - _RIGHT) / 2}" y="{HEIGHT - 6}">iteration</text>'
