"""What a view takes, said beside it: the source of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Description:
    """`body` and `query`: name -> type (string, integer, boolean, object, array, any), with `!` where it is required.

    `media`: what the body may be; JSON by default. `answers`: what a success is.
    """

    body: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    media: tuple[str, ...] = ("application/json",)
    answers: str = "application/json"


_NOTHING = Description()


def described(
    *, body: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None, media: tuple[str, ...] = ("application/json",),
    answers: str = "application/json",
) -> Callable[[View], View]:  # fmt: skip
    """Marks a view with its Description."""

    def mark(view: View) -> View:
        view.description = Description(body or {}, query or {}, media, answers)  # type: ignore[attr-defined]
        return view

    return mark


def description_of(view: Callable[..., Any]) -> Description:
    """What the view was marked with; nothing of note otherwise."""
    return getattr(view, "description", _NOTHING)
