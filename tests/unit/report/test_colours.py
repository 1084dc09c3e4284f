"""The colours of intents: told apart by everybody, and from the ground they stand on."""

import re
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from elcrec.report.page import page_part

Colour = npt.NDArray[np.float64]


def matrix(text: str) -> Colour:
    return np.array([[float(value) for value in row.split()] for row in text.split("/")])


# Machado, Oliveira, Fernandes 2009, A Physiologically-based Model for Simulation of Color Vision Deficiency, whole.
SEEN_BY = {
    "all": np.eye(3),
    "protan": matrix("0.152286 1.052583 -0.204868 / 0.114503 0.786281 0.099216 / -0.003882 -0.048116 1.051998"),
    "deutan": matrix("0.367322 0.860646 -0.227968 / 0.280085 0.672501 0.047413 / -0.011820 0.042940 0.968881"),
    "tritan": matrix("1.255528 -0.076749 -0.178779 / -0.078411 0.930809 0.147602 / 0.004733 0.691367 0.303900"),
}
# Ottosson 2020, OKLab.
CONES = matrix("0.41222147 0.53633254 0.05144599 / 0.21190350 0.68069955 0.10739696 / 0.08830246 0.28171884 0.62997870")
OKLAB = matrix(
    "0.21045426 0.79361779 -0.00407205 / 1.97799850 -2.42859221 0.45059371 / 0.02590404 0.78277177 -0.80867577"
)


def linear(colour: str) -> Colour:
    digits = colour.removeprefix("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    value = np.array([int(digits[at : at + 2], 16) for at in (0, 2, 4)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2: 1 to 21."""
    light = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def difference(one: str, other: str, seen: Colour) -> float:
    lab = [OKLAB @ np.cbrt(CONES @ np.clip(seen @ linear(colour), 0, 1)) for colour in (one, other)]
    return float(np.linalg.norm(lab[0] - lab[1]))


def theme(name: str) -> dict[str, str]:
    light, dark = page_part("page.css").split("@media (prefers-color-scheme: dark)")[:2]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})\b", light if name == "light" else dark.split("* {")[0]))


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("eyes", SEEN_BY)
def test_the_colours_are_told_apart(name: str, eyes: str) -> None:
    colours = [theme(name)[f"c{slot}"] for slot in range(8)]
    near = min(difference(one, other, SEEN_BY[eyes]) for one, other in combinations(colours, 2))
    assert near > 0.055


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_colours_stand_out_from_the_ground(name: str) -> None:
    found = theme(name)
    for thing in [*(f"c{slot}" for slot in range(8)), "other", "accent"]:
        assert contrast(found[thing], found["surface"]) >= 3, thing
    for text in ("ink", "muted", "accent"):
        assert min(contrast(found[text], found[ground]) for ground in ("surface", "ground", "sunken")) >= 4.5, text
