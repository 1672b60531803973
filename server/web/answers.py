"""Answers made ready for a page: files by what they are, places for the map, ID numbers masked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from server.access.divisions import county_divisions
from server.access.sealed import masked
from server.forms.fields import FormDefinition
from server.model import Attachment
from server.submissions.queries import Answer, label_in
from server.web.showing import division_name, read_time

_PLACES = {"geopoint", "geotrace", "geoshape"}
_IMAGES = (".jpg", ".jpeg", ".png", ".gif", ".webp")


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """An answer as the page shows it. `file`: the attachment that it names. `is_masked`: some of it is hidden."""

    answer: Answer
    text: str
    items: tuple[ShownAnswer, ...]
    file: Attachment | None = None
    is_image: bool = False
    is_masked: bool = False


def shown_answers(answers: Iterable[Answer], files: Mapping[str, Attachment], *, unmasked: bool) -> tuple[ShownAnswer, ...]:
    """Each answer ready to be written into a page; sensitive ones masked unless `unmasked`."""
    return tuple(_shown(answer, files, unmasked=unmasked) for answer in answers)


def _shown(answer: Answer, files: Mapping[str, Attachment], *, unmasked: bool) -> ShownAnswer:
    text, is_masked = answer.text, False
    if answer.sensitive and text and not unmasked:
        text, is_masked = masked(text), True
    elif answer.kind == "dateTime":
        text = read_time(text)
    elif answer.kind in {"string", "select1"} and isinstance(answer.value, str) and answer.value in county_divisions():
        text = division_name(answer.value)
    elif answer.kind == "geopoint":
        text = _read_place(text)
    file = files.get(answer.text) if answer.kind == "binary" and answer.text else None
    return ShownAnswer(
        replace(answer, text=text), text, shown_answers(answer.items, files, unmasked=unmasked), file,
        is_image=file is not None and file.blob_sha256 is not None and file.name.lower().endswith(_IMAGES), is_masked=is_masked,
    )  # fmt: skip


def places_of(answers: Iterable[Answer], *, unmasked: bool) -> list[dict[str, Any]]:
    """Label, kind and points ([latitude, longitude, accuracy or null]) of every place among the answers; no sensitive ones unless `unmasked`."""
    return [
        {"label": answer.label or answer.name, "kind": answer.kind, "points": points}
        for answer in _questions(answers)
        if answer.kind in _PLACES and (unmasked or not answer.sensitive) and (points := _points(answer.text))
    ]


def _questions(answers: Iterable[Answer]) -> Iterator[Answer]:
    for answer in answers:
        yield answer
        yield from _questions(answer.items)


def _points(text: str) -> list[list[float | None]]:
    points = []
    for part in text.split(";"):
        numbers = part.split()
        try:
            latitude, longitude, *rest = (float(number) for number in numbers)
        except ValueError:
            continue
        if abs(latitude) <= 90 and abs(longitude) <= 180:
            points.append([latitude, longitude, rest[1] if len(rest) > 1 and 0 <= rest[1] < 1e6 else None])
    return points


def _read_place(text: str) -> str:
    points = _points(text)
    if not points:
        return text
    latitude, longitude, accuracy = points[0]
    return f"{latitude:.6f}, {longitude:.6f}" + (f"  ±{accuracy:.0f} m" if accuracy else "")


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A question that breaks a rule of its form, in the reader's words. `rule`: required or constraint; `message`: the form's own, "" for none."""

    question: str
    rule: str
    message: str


_NUMBER = re.compile(r"\[(\d+)\]")


def broken_rules(definition: FormDefinition, violations: Iterable[Mapping[str, Any]], language: str) -> list[BrokenRule]:
    """Each violation (submissions/rule_check.py) under its question's label, with the numbers of the repetitions it stands in."""
    labels = {field.path: label_in(field.labels, language) for field in definition.fields}
    found = []
    for violation in violations:
        path = tuple(_NUMBER.sub("", violation["path"]).split("/"))
        numbers = "".join(f" #{number}" for number in _NUMBER.findall(violation["path"]))
        found.append(BrokenRule(f"{labels.get(path) or path[-1]}{numbers}", violation["rule"], label_in(violation["messages"], language) or ""))
    return found
