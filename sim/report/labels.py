"""Where the names of points go in a figure, so that none covers another, a marker or leaves the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

DIRECTIONS: Final = ((1, 0), (0.8, 0.8), (0.8, -0.8), (0, 1), (0, -1), (-0.8, 0.8), (-0.8, -0.8), (-1, 0))
"""Best first: a name to the right of its point reads most easily."""

RINGS: Final = (0, 1, 2, 3.5, 5, 7, 9)
"""Distances between point and name, in steps; from the second on a leader joins the two."""

FORBIDDEN: Final = 1e6
SWEEPS: Final = 50


@dataclass(frozen=True)
class Scene:
    """What the names must keep clear of; all in pixels, boxes as (left, bottom, right, top).

    Attributes:
        bounds: float64[4], the box that names may not leave.
        boxes: float64[m, 4], never covered: the markers.
        lines: float64[k, 4], segments (x, y, x, y) better not covered: the front, error bars.
        near: distance of the nearest ring from its point.
        step: distance between rings.
    """

    bounds: FloatArray
    boxes: FloatArray
    lines: FloatArray
    near: float
    step: float


@dataclass(frozen=True)
class Candidates:
    """The places one name could take, best first: boxes, leaders from the point to each, and what each costs alone."""

    boxes: FloatArray
    leaders: FloatArray
    cost: FloatArray


def place(anchors: FloatArray, sizes: FloatArray, scene: Scene) -> FloatArray | None:
    """A place for every name: each in turn takes the best that the others leave it, until none wants to move.

    Args:
        anchors: float64[n, 2], the points named.
        sizes: float64[n, 2], width and height of each name.
        scene: what to keep clear of.

    Returns:
        float64[n, 4], the box of each name; None if they do not all fit.
    """
    choices = [_candidates(anchor, size, scene) for anchor, size in zip(anchors, sizes, strict=True)]
    chosen = [int(np.argmin(choice.cost)) for choice in choices]
    for _ in range(SWEEPS):
        before = list(chosen)
        for i, mine in enumerate(choices):
            others = [
                (c.boxes[k], c.leaders[k]) for j, (c, k) in enumerate(zip(choices, chosen, strict=True)) if j != i
            ]
            chosen[i] = int(np.argmin(_cost_among(mine, others)))
        if chosen == before:
            break
    boxes = np.array([c.boxes[k] for c, k in zip(choices, chosen, strict=True)]).reshape(-1, 4)
    alone = all(c.cost[k] < FORBIDDEN for c, k in zip(choices, chosen, strict=True))
    return boxes if alone and not overlapping(boxes) else None


def overlapping(boxes: FloatArray) -> bool:
    """Whether any two of float64[n, 4] boxes share more than an edge."""
    return any(bool(_overlap(boxes[i + 1 :], box).any()) for i, box in enumerate(boxes))


def leader(anchor: FloatArray, box: FloatArray) -> FloatArray:
    """float64[4]: the segment from a point to the nearest point of a box."""
    return np.concatenate([anchor, np.clip(anchor, box[:2], box[2:])])


def _candidates(anchor: FloatArray, size: FloatArray, scene: Scene) -> Candidates:
    rings, ways = np.meshgrid(np.arange(len(RINGS)), np.arange(len(DIRECTIONS)), indexing="ij")
    reach = (scene.near + np.array(RINGS)[rings.ravel()] * scene.step)[:, None]
    way = np.array(DIRECTIONS)[ways.ravel()]
    centre = anchor + way * reach + np.sign(way) * size / 2
    boxes = np.hstack([centre - size / 2, centre + size / 2])
    leaders = np.array([leader(anchor, box) for box in boxes])
    cost = np.asarray(10 * rings + ways, np.float64).ravel()
    cost += 20.0 * (rings.ravel() > 0) * (way == 0).any(axis=1)  # such a leader could run along a step or a bar
    cost += FORBIDDEN * ((boxes[:, :2] < scene.bounds[:2]) | (boxes[:, 2:] > scene.bounds[2:])).any(axis=1)
    for marker in scene.boxes:
        if not np.allclose((marker[:2] + marker[2:]) / 2, anchor):  # the nearest ring touches the point's own marker
            cost += FORBIDDEN * _overlap(boxes, marker) + 40.0 * _hits(leaders, marker)
    for line in scene.lines:
        cost += 25.0 * _hits(line, boxes)
    return Candidates(boxes, leaders, cost)


def _cost_among(mine: Candidates, others: list[tuple[FloatArray, FloatArray]]) -> FloatArray:
    cost = mine.cost.copy()
    for box, line in others:
        cost += FORBIDDEN * _overlap(mine.boxes, box)
        cost += 100.0 * _hits(line, mine.boxes) + 100.0 * _hits(mine.leaders, box)
    return cost


def _overlap(boxes: FloatArray, box: FloatArray) -> BoolArray:
    low, high = np.maximum(boxes[..., :2], box[:2]), np.minimum(boxes[..., 2:], box[2:])
    inside: BoolArray = np.all(low < high, axis=-1)
    return inside


def _hits(line: FloatArray, box: FloatArray) -> BoolArray:
    """Whether segments (one or many) meet boxes (one or many): their extents do, and no side of the box is clear."""
    x0, y0, x1, y1 = np.moveaxis(line, -1, 0)
    left, bottom, right, top = np.moveaxis(box, -1, 0)
    meet = (np.minimum(x0, x1) < right) & (np.maximum(x0, x1) > left)
    meet &= (np.minimum(y0, y1) < top) & (np.maximum(y0, y1) > bottom)
    sides = [(x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) for x in (left, right) for y in (bottom, top)]
    hits: BoolArray = meet & (np.min(sides, axis=0) <= 0) & (np.max(sides, axis=0) >= 0)
    return hits
