"""The part of a label by which a phone's list says who was not visited yet."""

from __future__ import annotations

from server.forms.catalogue import Visiting

# Two spaces, as the county's phones show it; no form makes a label with them.
_GAP = "  "


def plain_label(label: str, visiting: Visiting) -> str:
    """The label without it."""
    return next((label.removesuffix(_GAP + text) for text in visiting.unvisited.values() if label.endswith(_GAP + text)), label)


def marked_label(label: str, visiting: Visiting, cadence: str | None) -> str:
    """The label with what is said of this cadence; without, for None."""
    plain = plain_label(label, visiting)
    return plain if cadence is None else f"{plain}{_GAP}{visiting.unvisited[cadence]}"
