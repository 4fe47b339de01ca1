"""Small charts as SVG text: figures in, one string out. No clock, no random ids: same figures, same bytes.

Colours come from CSS classes (see ``static/style.css``), so that a chart follows dark mode and print; every mark that
is told apart by colour also has a shape or a label.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

__all__ = ["bar", "heat_cell", "line_chart", "sparkline"]

LABEL_HEIGHT = 12  # [px]


def sparkline(
    history: Sequence[float],
    forecast: Sequence[float],
    *,
    reorder_line: float | None = None,
    label: str = "",
    width: int = 120,
    height: int = 28,
) -> str:
    """Return a line of past demand, the forecast dashed after it, and the reorder point as a level line.

    Args:
        history: demand of the last periods [units per period], oldest first; NaN leaves a gap.
        forecast: mean demand of the next periods [units per period].
        reorder_line: the reorder point spread over the protection period [units per period].
        label: text for screen readers.
        width: drawing width [px].
        height: drawing height [px].
    """
    figures = [v for v in (*history, *forecast, *([] if reorder_line is None else [reorder_line])) if math.isfinite(v)]
    n = len(history) + len(forecast)
    if n < 2 or not figures:
        return ""
    top = max(max(figures), 1e-9)

    def point(i: int, value: float) -> str:
        return f"{_px(2 + i * (width - 4) / (n - 1))} {_px(height - 3 - value / top * (height - 6))}"

    past = _path([point(i, v) if math.isfinite(v) else "" for i, v in enumerate(history)])
    start = len(history)
    bridge = [point(start - 1, history[-1])] if history and math.isfinite(history[-1]) else []
    ahead = _path(bridge + [point(start + i, v) for i, v in enumerate(forecast)])
    parts = [f'<path class="past" d="{past}"/>', f'<path class="ahead" d="{ahead}"/>']
    if reorder_line is not None and math.isfinite(reorder_line):
        y = _px(height - 3 - reorder_line / top * (height - 6))
        parts.append(f'<path class="level" d="M2 {y}H{width - 2}"/>')
    return _svg(parts, width=width, height=height, label=label, css="spark")


def line_chart(
    series: Sequence[tuple[str, Sequence[float]]],
    *,
    ticks: Sequence[str],
    label: str,
    width: int = 640,
    height: int = 220,
    as_share: bool = False,
) -> str:
    """Return up to four lines over common x positions, each with its own dash pattern, marker and end label.

    Args:
        series: name and values, one value a tick; NaN leaves a gap.
        ticks: labels of the x axis.
        label: text for screen readers.
        width: drawing width [px].
        height: drawing height [px].
        as_share: label the y axis in per cent.
    """
    figures = [v for _, values in series for v in values if math.isfinite(v)]
    if not figures or not ticks:
        return ""
    low, high = min(0.0, *figures), max(figures)
    high = high if high > low else low + 1.0
    left, right, top, bottom = 44, 110, 10, 24

    def x_of(i: int) -> float:
        return left + (width - left - right) * (i / max(len(ticks) - 1, 1))

    def y_of(value: float) -> float:
        return top + (height - top - bottom) * (1 - (value - low) / (high - low))

    parts = []
    for step in range(5):
        value = low + (high - low) * step / 4
        y, text = _px(y_of(value)), f"{value * 100:.0f}%" if as_share else f"{value:.3g}"
        parts.append(f'<path class="grid" d="M{left} {y}H{width - right}"/><text x="{left - 6}" y="{y}" '
                     f'class="axis end">{text}</text>')  # fmt: skip
    stride = max(1, math.ceil(len(ticks) / 10))
    for i in range(0, len(ticks), stride):
        parts.append(f'<text x="{_px(x_of(i))}" y="{height - 6}" class="axis mid">{escape(str(ticks[i]))}</text>')
    ends = []
    for k, (name, values) in enumerate(series[:4]):
        points = [f"{_px(x_of(i))} {_px(y_of(v))}" if math.isfinite(v) else "" for i, v in enumerate(values)]
        parts.append(f'<path class="line s{k}" d="{_path(points)}"/>')
        last = next(((i, v) for i, v in reversed(list(enumerate(values))) if math.isfinite(v)), None)
        if last:
            ends.append((y_of(last[1]), x_of(last[0]), k, name))
    floor = -math.inf
    for height_of_end, x, k, name in sorted(ends):
        floor = max(
            height_of_end, floor + LABEL_HEIGHT
        )  # labels of lines that end close together stand below each other
        parts.append(f'<circle class="dot s{k}" cx="{_px(x)}" cy="{_px(height_of_end)}" r="3"/>')
        parts.append(f'<text x="{_px(x + 8)}" y="{_px(floor + 4)}" class="axis t{k}">{escape(name)}</text>')
    return _svg(parts, width=width, height=height, label=label, css="chart")


def bar(share: float, *, tone: str = "", label: str = "", width: int = 90, height: int = 10) -> str:
    """Return a horizontal bar filled to ``share`` (clipped to 0-1) with its frame."""
    filled = _px(max(0.0, min(1.0, share if math.isfinite(share) else 0.0)) * (width - 2))
    parts = [
        f'<rect class="frame" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="2"/>',
        f'<rect class="fill {escape(tone)}" x="1" y="1" width="{filled}" height="{height - 2}" rx="1.5"/>',
    ]
    return _svg(parts, width=width, height=height, label=label, css="bar")


def heat_cell(score: float) -> int:
    """Return the shade 0 ... 4 of a score in standard units (0 = usual, above 2 = unusual).

    >>> [heat_cell(score) for score in (-1.0, 0.4, 1.0, 2.0, 7.5)]
    [0, 0, 1, 2, 4]
    """
    return int(min(4, max(0, math.floor(score)))) if math.isfinite(score) else 0


def _svg(parts: Sequence[str], *, width: int, height: int, label: str, css: str) -> str:
    name = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    return (
        f'<svg class="{css}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" {name}>'
        f"{''.join(parts)}</svg>"
    )


def _path(points: Sequence[str]) -> str:
    """Return an SVG path through the points; an empty point lifts the pen."""
    pieces, pen_down = [], False
    for spot in points:
        if spot:
            pieces.append(("L" if pen_down else "M") + spot)
        pen_down = bool(spot)
    return "".join(pieces)


def _px(value: float) -> str:
    """Return a coordinate with at most one decimal, without a trailing zero."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text
