"""The latency of `1+1` by percentile, as a light chart."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as pyplot  # noqa: E402 - after the choice of what draws
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: E402

from .arena import (  # noqa: E402
    OURS,
    OURS_OWN,
    OURS_SAME,
    WEBSOCKET,
    WEBSOCKET_QUICK,
    ZEROMQ,
    ZEROMQ_OURS,
)

# Ours in warm colours and wide lines, others cold and narrow, in the order of the legend.
STYLES = {
    OURS: ("#c2410c", 2.6, "-"),
    OURS_OWN: ("#ea8a3a", 2.0, "-"),
    OURS_SAME: ("#eab308", 2.0, "-"),
    ZEROMQ_OURS: ("#0f766e", 1.6, (0, (4, 2))),
    ZEROMQ: ("#0f766e", 1.6, "-"),
    WEBSOCKET_QUICK: ("#475569", 1.6, "-"),
    WEBSOCKET: ("#94a3b8", 1.6, "-"),
}
MARKS = (0, 50, 90, 99, 99.9)


def draw(results, directory):
    """Writes latency.svg and latency.png, if latency was measured."""
    curves = results["measurements"].get("latency", {})
    if not any(name in curves for name in STYLES):
        return
    # Text stays text, and the file is reproducible.
    with pyplot.rc_context({"svg.fonttype": "none", "svg.hashsalt": "latency", "font.family": "sans-serif"}):
        figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
        for name, (colour, width, dashes) in STYLES.items():
            if name in curves:
                plot(axes, curves[name]["curve"], name, {"color": colour, "linewidth": width, "linestyle": dashes})
        decorate(axes)
        figure.legend(loc="outside lower center", ncols=2, fontsize=9, frameon=False)
        figure.savefig(directory / "latency.svg", metadata={"Date": None})
        figure.savefig(directory / "latency.png", dpi=130, metadata={"Software": None})
        pyplot.close(figure)


def plot(axes, curve, name, style):
    """Percentiles, stretched towards 100 to show the tail: 90, 99 and 99.9 are equidistant."""
    across = [100 / (100 - share) for share, _ in curve]
    median = next(value for share, value in curve if share == 50)
    axes.plot(across, [value for _, value in curve], label=f"{name}: {median:.1f} ms", **style)


def decorate(axes):
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1, 1000)
    axes.xaxis.set_major_locator(FixedLocator([100 / (100 - mark) for mark in MARKS]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 - 100 / value:g} %"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(
        FuncFormatter(lambda value, _: f"{value:g}" if str(f"{value:e}")[0] in "235" else "")
    )
    axes.set_xlabel("of all executions take at most")
    axes.set_ylabel("ms")
    axes.set_title("1+1, from the request to the last byte (in the legend: the median)", fontsize=11, loc="left")
    axes.grid(color="#e2e8f0", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
