"""Names of files: filled from patterns, and told in few words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def expand(pattern: str, spans: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    """Return a pattern filled with each number of some spans, both ends included.

    >>> expand("{:03d}.tiff", [(1, 2), (201, 201)])
    ('001.tiff', '002.tiff', '201.tiff')
    """
    return tuple(pattern.format(number) for first, last in spans for number in range(first, last + 1))


def in_runs(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Tell names that follow each other in an order as runs.

    Parameters
    ----------
    names : iterable of str
        Some of those of the order.
    order : sequence of str
        All names, in order.

    >>> in_runs(["a", "b", "c", "e"], ["a", "b", "c", "d", "e"])
    ['a … c (3)', 'e']
    """
    wanted = set(names)
    runs: list[list[str]] = []
    before = False
    for name in order:
        if name in wanted and before:
            runs[-1].append(name)
        elif name in wanted:
            runs.append([name])
        before = name in wanted
    return [part for run in runs for part in _told(run)]


def _told(run: list[str]) -> list[str]:
    return run if len(run) < 3 else [f"{run[0]} … {run[-1]} ({len(run)})"]
