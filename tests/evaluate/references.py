"""The published rules followed word for word, one pair at a time: slow, and easy to check by eye."""

from __future__ import annotations

import math
from itertools import combinations, permutations

Point = tuple[float, float]
Counts = tuple[int, int, int]


def _order(points: list[Point], scores: list[float]) -> list[int]:
    return sorted(range(len(points)), key=lambda n: (-scores[n], points[n][1], points[n][0]))


def tupac_pairs(
    points: list[Point], scores: list[float], truth: list[Point], radius: float = 30.0
) -> set[tuple[int, int]]:
    """By descending score, each detection takes the closest figure that is still unmatched."""
    free = set(range(len(truth)))
    pairs = set()
    for n in _order(points, scores):
        ranked = sorted(free, key=lambda m: (math.dist(points[n], truth[m]), truth[m][1], truth[m][0]))
        if ranked and math.dist(points[n], truth[ranked[0]]) <= radius:
            free.remove(ranked[0])
            pairs.add((n, ranked[0]))
    return pairs


def tupac(points: list[Point], scores: list[float], truth: list[Point], radius: float = 30.0) -> Counts:
    tp = len(tupac_pairs(points, scores, truth, radius))
    return tp, len(points) - tp, len(truth) - tp


def mitos2012(points: list[Point], scores: list[float], truth: list[Point]) -> Counts:
    return tupac(points, scores, truth, 20.0)


def midog(points: list[Point], scores: list[float], truth: list[Point]) -> Counts:
    """In the order of the truth, each figure takes its nearest detection that is not used."""
    used: set[int] = set()
    for figure in truth:
        near = [n for n in range(len(points)) if n not in used and math.dist(points[n], figure) <= 30]
        if near:
            used.add(min(near, key=lambda n: math.dist(points[n], figure)))
    return len(used), len(points) - len(used), len(truth) - len(used)


def cmc(points: list[Point], scores: list[float], truth: list[Point]) -> Counts:
    """Thin by score within 25 px; then every ball that holds both kinds makes hits of all its members."""
    kept: list[int] = []
    for n in _order(points, scores):
        if all(math.dist(points[n], points[k]) > 25 for k in kept):
            kept.append(n)
    members = [("detection", points[n]) for n in kept] + [("figure", figure) for figure in truth]
    hit = [False] * len(members)
    for _, centre in members:
        ball = [n for n, (_, point) in enumerate(members) if math.dist(centre, point) <= 25]
        if {members[n][0] for n in ball} == {"detection", "figure"}:
            for n in ball:
                hit[n] = True
    figures, detections = hit[len(kept) :], hit[: len(kept)]
    return sum(figures), detections.count(False), figures.count(False)


def amida(points: list[Point], scores: list[float], truth: list[Point]) -> Counts:
    """A figure with a detection near is found; a detection with no figure near is false."""
    found = [any(math.dist(point, figure) <= 30 for point in points) for figure in truth]
    false = [point for point in points if all(math.dist(point, figure) > 30 for figure in truth)]
    return sum(found), len(false), found.count(False)


def iou_half(points: list[Point], scores: list[float], truth: list[Point]) -> Counts:
    """COCO with squares of 90 px at an overlap of one half."""

    def overlap(one: Point, other: Point) -> float:
        wide, high = (max(0.0, 90 - abs(a - b)) for a, b in zip(one, other, strict=True))
        return wide * high / (2 * 90 * 90 - wide * high)

    free = set(range(len(truth)))
    for n in _order(points, scores):
        best = sorted(free, key=lambda m: (-overlap(points[n], truth[m]), truth[m][1], truth[m][0]))
        if best and overlap(points[n], truth[best[0]]) >= 0.5:
            free.remove(best[0])
    tp = len(truth) - len(free)
    return tp, len(points) - tp, len(free)


def mitoscope(points: list[Point], scores: list[float], truth: list[Point]) -> Counts:
    """As many pairs as any one-to-one matching has: all of them are tried."""
    for size in range(min(len(points), len(truth)), 0, -1):
        for detections in combinations(range(len(points)), size):
            for figures in permutations(range(len(truth)), size):
                pairs = zip(detections, figures, strict=True)
                if all(math.dist(points[n], truth[m]) <= 30 for n, m in pairs):
                    return size, len(points) - size, len(truth) - size
    return 0, len(points), len(truth)


REFERENCES = {
    "tupac": tupac,
    "mitos2012": mitos2012,
    "midog": midog,
    "cmc": cmc,
    "amida": amida,
    "iou@0.5": iou_half,
    "mitoscope": mitoscope,
}
