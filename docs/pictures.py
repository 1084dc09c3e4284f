"""The pictures of the site, drawn with the package itself: the demo's shop, trained, and two diagrams.

python docs/pictures.py
"""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

from elcrec.experiments.demo import run_demo

FOLDER = Path(__file__).parent / "pictures"
USERS, SEED = 600, 1
INK, PALE, ACCENT, SECOND = "#37474f", "#cfd8dc", "#00897b", "#ef6c00"
mpl.rcParams.update({"svg.hashsalt": "elcrec", "svg.fonttype": "none", "font.size": 9, "axes.edgecolor": INK})


def save(figure: Any, name: str) -> None:
    """As SVG that is the same on every run."""
    figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight", facecolor="white")
    plt.close(figure)


def intents(demo: Any) -> None:
    """Users on a map, coloured by learned intent, with the name of the planted intent that it matches."""
    model = demo.model
    point_U2, intent_U = model.user_map(), model.user_intents()["intent"].to_numpy()
    planted = {row["intent"]: row["planted"] for row in demo.matching.iter_rows(named=True)}
    figure, axes = plt.subplots(figsize=(7.5, 4.2))
    colours = plt.get_cmap("tab20")
    for number, intent in enumerate(sorted(set(intent_U.tolist()))):
        of_intent = point_U2[intent_U == intent]
        label = f"{intent}: {planted.get(intent, '')}"
        axes.scatter(*of_intent.T, s=9, color=colours(number % 20), label=label, linewidths=0)
    axes.set_xticks([])
    axes.set_yticks([])
    title = "learned intent: matching planted intent"
    axes.legend(title=title, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8)
    save(figure, "intents")


def epochs(demo: Any) -> None:
    """Validation metric and effective intents after each epoch."""
    history = demo.model.history
    number = [record["epoch"] for record in history]
    figure, axes = plt.subplots(figsize=(6, 2.6))
    axes.plot(number, [record["valid"]["ndcg@10"] for record in history], color=ACCENT)
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("validation NDCG@10", color=ACCENT)
    other = axes.twinx()
    started = [(record["epoch"], record["intents"]["effective"]) for record in history if record.get("intents")]
    other.plot(*zip(*started, strict=True), color=SECOND)
    other.set_ylabel("effective intents", color=SECOND)
    other.set_ylim(0, demo.model.settings.n_intents * 1.05)
    save(figure, "epochs")


def box(axes: Any, x: float, y: float, text: str, colour: str = PALE, width: float = 1.7) -> None:
    """A box of a diagram."""
    axes.add_patch(
        plt.Rectangle((x - width / 2, y - 0.28), width, 0.56, facecolor=colour, edgecolor=INK, linewidth=0.8)
    )
    axes.text(
        x, y, text, ha="center", va="center", color="white" if colour in (ACCENT, SECOND) else "black", fontsize=8
    )


def arrow(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """An arrow of a diagram."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": INK, "linewidth": 1})


def blank(width: float, height: float, right: float, top: float) -> tuple[Any, Any]:
    """A figure without axes."""
    figure, axes = plt.subplots(figsize=(width, height))
    axes.set_xlim(0, right)
    axes.set_ylim(0, top)
    axes.axis("off")
    return figure, axes


def step() -> None:
    """One training step of `default`."""
    figure, axes = blank(7.5, 2.2, 10.2, 3)
    box(axes, 1, 1.5, "histories\n(item ids)")
    box(axes, 3.2, 1.5, "encoder\n(transformer)")
    box(axes, 5.6, 2.4, "hidden vector\na position")
    box(axes, 5.6, 0.6, "behaviour\nembedding")
    box(axes, 9, 2.4, "next-item loss\n(softmax, catalogue)", ACCENT, 2.2)
    box(axes, 9, 0.6, "cluster loss\n(nearest centre)", SECOND, 2.2)
    box(axes, 7.35, 1.5, "intent centres", PALE, 1.4)
    for start, end in (
        ((1.85, 1.5), (2.35, 1.5)),
        ((4.05, 1.6), (4.75, 2.3)),
        ((4.05, 1.4), (4.75, 0.7)),
        ((6.45, 2.4), (7.9, 2.4)),
        ((6.45, 0.6), (7.9, 0.6)),
        ((7.9, 1.22), (8.3, 0.88)),
    ):
        arrow(axes, start, end)
    save(figure, "step")


def protocol() -> None:
    """Leave-one-out of one user."""
    figure, axes = blank(7, 1.9, 9.6, 3.1)
    for place in range(7):
        colour, name = (
            (PALE, f"item {place + 1}") if place < 5 else ((ACCENT, "validation"), (SECOND, "test"))[place - 5]
        )
        box(axes, 0.75 + place * 1.3, 2.2, name, colour, 1.15)
    for y, end, colour, text in (
        (1.35, 6.55, PALE, "training: next items within these five"),
        (0.85, 6.55, ACCENT, "validation query: history of five, target item 6"),
        (0.35, 7.85, SECOND, "test query: history of six (with the validation item), target item 7"),
    ):
        axes.plot([0.2, end], [y, y], color=INK if colour == PALE else colour, linewidth=3, solid_capstyle="butt")
        axes.text(0.2, y - 0.27, text, fontsize=7.5, va="center")
    save(figure, "protocol")


def main() -> None:
    """Draw all."""
    FOLDER.mkdir(exist_ok=True)
    step()
    protocol()
    demo = run_demo(None, n_users=USERS, seed=SEED, progress=False)
    intents(demo)
    epochs(demo)


if __name__ == "__main__":
    main()
