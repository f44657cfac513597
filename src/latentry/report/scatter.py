"""Points of the plane as a picture: the samples of a toy world over the data they should cover."""

from __future__ import annotations

import numpy as np

_INK, _FAINT, _LINE = "#1c1d21", "#6b7280", "#e5e7eb"
_DATA, _MODEL = "#b6bcc6", "#2563eb"
_MARGIN = 0.08  # of the span, on each side


def draw_points(
    points: np.ndarray,
    reals: np.ndarray | None = None,
    *,
    side_px: int = 560,
    names: tuple[str, str] = ("data", "model"),
) -> np.ndarray:
    """A square scatter plot, uint8 [3, side_px, side_px].

    The limits fit the data, so that pictures of one run can be compared; points that lie outside are counted in the
    legend, not drawn.

    Args:
        points: float [n, 2].
        reals: the data, float [k, 2], drawn below in grey; `None` draws the points alone, in limits that fit them.
        side_px: of the picture.
        names: what the legend calls the data and the points.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import, and most runs draw no points
    from matplotlib.figure import Figure

    low, high = _limits(points if reals is None else reals)
    inside = ((points >= low) & (points <= high)).all(axis=1)  # false for a point that is not finite
    figure = Figure(figsize=(side_px / 100, side_px / 100), dpi=100, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.09, 0.065, 0.88, 0.88))
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), facecolor="white", axisbelow=True)
    axes.grid(color=_LINE, linewidth=0.8)
    axes.tick_params(length=0, labelsize=8, labelcolor=_FAINT)
    for spine in axes.spines.values():
        spine.set(color=_LINE, linewidth=0.8)
    if reals is not None:
        below, _ = _mark(len(reals))
        label = f"{names[0]} ({len(reals):,})"
        axes.scatter(reals[:, 0], reals[:, 1], s=below + 2, color=_DATA, linewidths=0, label=label)
    size, alpha = _mark(len(points))
    shown = points[inside]
    axes.scatter(shown[:, 0], shown[:, 1], s=size, color=_MODEL, alpha=alpha, linewidths=0)
    outside = "" if inside.all() else f", {len(points) - len(shown):,} outside"
    axes.scatter([], [], s=14, color=_MODEL, linewidths=0, label=f"{names[1]} ({len(points):,}{outside})")
    if reals is not None or outside:
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=2,
            borderaxespad=0.2,
            frameon=False,
            fontsize=8,
            labelcolor=_INK,
            handletextpad=0.2,
            columnspacing=1.2,
        )
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3].transpose(2, 0, 1))


def _mark(n: int) -> tuple[float, float]:
    """The area, in square points, and opacity of one of `n` marks: many are small and see-through, few are plain."""
    crowd = np.clip(np.log10(max(n, 1) / 100) / 2, 0, 1)  # 0 up to a hundred points, 1 from ten thousand
    return float(14 - 11 * crowd), float(0.9 - 0.6 * crowd)


def _limits(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corners, [2] each, of a square with a margin about all finite points."""
    finite = points[np.isfinite(points).all(axis=1)].astype(np.float64)
    if len(finite) == 0:
        return np.array([-1.0, -1.0]), np.array([1.0, 1.0])
    middle = (finite.min(axis=0) + finite.max(axis=0)) / 2
    half = float(np.ptp(finite, axis=0).max()) * (0.5 + _MARGIN) or 1.0  # one single place has no span
    return middle - half, middle + half
