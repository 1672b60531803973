"""Which rows of a list changed, in bounded time (Myers, An O(ND) Difference Algorithm, 1986)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Beyond this many rows or changes, all between the first and the last change is one hunk, compared row by row in place.
_MOST_ROWS = 20_000
_MOST_CHANGES = 200


@dataclass(frozen=True, slots=True)
class Hunk:
    """Rows `old_from` to before `old_to` became rows `new_from` to before `new_to`."""

    old_from: int
    old_to: int
    new_from: int
    new_to: int


def changed_hunks(old: Sequence[bytes], new: Sequence[bytes]) -> list[Hunk]:
    """The fewest rows to take out and put in, as hunks in order; no hunk where all is the same."""
    start, shorter = 0, min(len(old), len(new))
    while start < shorter and old[start] == new[start]:
        start += 1
    end = 0
    while end < shorter - start and old[len(old) - 1 - end] == new[len(new) - 1 - end]:
        end += 1
    middle_old, middle_new = old[start : len(old) - end], new[start : len(new) - end]
    if not middle_old and not middle_new:
        return []
    whole = [Hunk(0, len(middle_old), 0, len(middle_new))]
    hunks = whole
    if middle_old and middle_new and max(len(middle_old), len(middle_new)) <= _MOST_ROWS:
        trace = _trace(middle_old, middle_new)
        hunks = list(_hunks(trace, len(middle_old), len(middle_new))) if trace is not None else whole
    return [Hunk(one.old_from + start, one.old_to + start, one.new_from + start, one.new_to + start) for one in hunks]


def _trace(old: Sequence[bytes], new: Sequence[bytes]) -> list[dict[int, int]] | None:
    """How far each diagonal was reached after each number of changes, until the ends met; None if that takes too many."""
    furthest, trace = {1: 0}, []
    for changes in range(min(len(old) + len(new), _MOST_CHANGES) + 1):
        trace.append(dict(furthest))
        for diagonal in range(-changes, changes + 1, 2):
            down = diagonal == -changes or (diagonal != changes and furthest[diagonal - 1] < furthest[diagonal + 1])
            x = furthest[diagonal + 1] if down else furthest[diagonal - 1] + 1
            y = x - diagonal
            while x < len(old) and y < len(new) and old[x] == new[y]:
                x, y = x + 1, y + 1
            furthest[diagonal] = x
            if x >= len(old) and y >= len(new):
                return trace
    return None


def _hunks(trace: list[dict[int, int]], x: int, y: int) -> Iterator[Hunk]:
    """The changes that the trace leads through, those that touch in one hunk."""
    found: list[Hunk] = []
    for changes in range(len(trace) - 1, 0, -1):
        furthest, diagonal = trace[changes], x - y
        down = diagonal == -changes or (diagonal != changes and furthest[diagonal - 1] < furthest[diagonal + 1])
        came_from = diagonal + 1 if down else diagonal - 1
        before_x = furthest[came_from]
        before_y = before_x - came_from
        after_x, after_y = (before_x, before_y + 1) if down else (before_x + 1, before_y)
        if found and (found[-1].old_from, found[-1].new_from) == (after_x, after_y):
            last = found.pop()
            found.append(Hunk(before_x, last.old_to, before_y, last.new_to))
        else:
            found.append(Hunk(before_x, after_x, before_y, after_y))
        x, y = before_x, before_y
    yield from reversed(found)
