"""Phones that work offline on one person, and what the Entities specification makes of all that they send: a model that knows no server.

A submission knows what its phone had seen: its own branch, and whatever the list held when the phone last fetched it. Two submissions
neither of which had seen the other are parallel: a soft conflict, or a hard one if both say something of a property and not the same. An
edit corrects what its submission says, for all but those who have said otherwise since.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.entities.followed_up import visit

NAMES = ("state", "age")
Answers = Mapping[str, str]


@dataclass(eq=False)
class Submission:
    """`place`: from 1 in its branch (0: the creation); `shown`: on its screen; `seen`: of which others how many edits."""

    person: str
    branch: str | None
    place: int
    trunk: int
    shown: Answers
    seen: dict[Submission, int]
    contents: list[Answers]
    instances: list[str] = field(default_factory=list)
    arrived: int = 0

    def xml(self, number: int) -> bytes:
        """As first filled in (0), or its edit of that number."""
        if number == len(self.instances):
            self.instances.append(f"uuid:{uuid.uuid4()}")
        told = {"instance": self.instances[number], "replaces": self.instances[number - 1] if number else None, **self.contents[number]}
        if self.branch is None:
            return visit(self.person, creates=True, who="张三", **told)
        return visit(self.person, base=self.trunk + self.place - 1, trunk=self.trunk, branch=self.branch, **told)

    def content(self, edits: int) -> Answers:
        """What it says after so many edits; what a creation no longer says is blank."""
        said = self.contents[edits]
        if self.branch is None:
            return {**{name: "" for content in self.contents[: edits + 1] for name in content}, **said}
        return said

    def all_said(self) -> dict[str, set[str]]:
        """By property, every value that it or an edit of it said, or took back."""
        said: dict[str, set[str]] = defaultdict(set)
        for number in range(self.arrived):
            for name, value in self.content(number).items():
                said[name].add(value)
        for name, values in said.items():
            if any(name not in self.content(number) for number in range(self.arrived)):
                values.add(self.shown.get(name, ""))
        return said

    @property
    def final(self) -> Answers:
        return self.content(self.arrived - 1)


@dataclass
class Screen:
    """A phone that fills in forms one after the other, and sends none before it has filled them all."""

    person: str
    trunk: int
    shown: dict[str, str]
    seen: dict[Submission, int]
    is_prefilled: bool
    branch: str = field(default_factory=lambda: str(uuid.uuid4()))
    filled: list[Submission] = field(default_factory=list)

    def fill(self, answers: Answers) -> Submission:
        """A visit: a prefilled form says also what was left as it was."""
        said = {**self.shown, **answers} if self.is_prefilled else dict(answers)
        made = Submission(self.person, self.branch, len(self.filled) + 1, self.trunk, dict(self.shown), {**self.seen, **dict.fromkeys(self.filled, 1)}, [said])
        self.filled.append(made)
        self.shown |= said
        return made


@dataclass(frozen=True)
class Outcome:
    """`conflicts`: those that may be; `values`: those that must be, unless the entity is in hard conflict over `disputed`."""

    versions: dict[str | None, list[int]]
    waiting: int
    conflicts: set[str | None]
    values: dict[str, str]
    disputed: set[str]


def applied_of(sent: list[Submission]) -> list[Submission]:
    """What has arrived and has no gap before it."""
    arrived = [one for one in sent if one.arrived]
    if not any(one.branch is None for one in arrived):
        return []
    places: dict[str | None, set[int]] = defaultdict(set)
    for one in arrived:
        places[one.branch].add(one.place)
    return [one for one in arrived if one.branch is None or set(range(1, one.place)) <= places[one.branch]]


def outcome_of(sent: list[Submission]) -> Outcome:
    """What the specification makes of what has arrived, whatever the order."""
    applied = applied_of(sent)
    versions: dict[str | None, list[int]] = defaultdict(list)
    for one in sorted(applied, key=lambda one: one.place):
        versions[one.branch].append(one.place)
    pairs = [(one, other) for number, one in enumerate(applied) for other in applied[number + 1 :]]
    parallel = [(one, other) for one, other in pairs if one not in other.seen and other not in one.seen]
    later = [(one, other) for pair in pairs for one, other in (pair, pair[::-1]) if one in other.seen]
    must = {name for pair in parallel for name in _differing(*pair)} | {name for pair in later for name in _overtaken(*pair)}
    disputed = must | {name for pair in parallel for name in _ever_differing(*pair)} | {name for pair in later for name in _ever_overtaken(*pair)}
    plain = "soft" if parallel else None
    conflicts = {"hard"} if must else {"hard", plain} if disputed else {plain}
    values = {name: value for name in NAMES for value in _value_of(name, applied)}
    return Outcome(dict(versions), sum(bool(one.arrived) for one in sent) - len(applied), conflicts, values, disputed)


def _differing(one: Submission, other: Submission) -> Iterator[str]:
    return (name for name in one.final.keys() & other.final.keys() if one.final[name] != other.final[name])


def _ever_differing(one: Submission, other: Submission) -> Iterator[str]:
    said, others = one.all_said(), other.all_said()
    return (name for name in said.keys() & others.keys() if len(said[name] | others[name]) > 1)


def _overtaken(one: Submission, other: Submission) -> Iterator[str]:
    """What `other` changed although it had not seen what edits made of `one`."""
    known = one.content(other.seen[one] - 1)
    for name, value in other.final.items():
        corrected = one.final.get(name)
        if corrected is not None and corrected != known.get(name) and value not in {corrected, other.shown.get(name)}:
            yield name


def _ever_overtaken(one: Submission, other: Submission) -> Iterator[str]:
    if one.arrived > other.seen[one] or other.arrived > 1:
        said, others = one.all_said(), other.all_said()
        yield from (name for name in said.keys() & others.keys() if len(said[name] | others[name]) > 1)


def _value_of(name: str, applied: list[Submission]) -> Iterator[str]:
    """The value, if one alone is said by those who wrote last."""
    if any(_is_repeated_in_branch(name, one, applied) for one in applied if one.arrived > 1):
        return
    writers = [one for one in applied if name in one.final and (one.branch is None or one.final[name] != one.shown.get(name))]
    last = [one for one in writers if not any(one in other.seen for other in writers)]
    found = {one.final[name] for one in last}
    if len(found) == 1:
        yield found.pop()


def _is_repeated_in_branch(name: str, edited: Submission, applied: list[Submission]) -> bool:
    """An edit may have taken its change's place while that waited: who repeats the change then is taken at his word."""
    return edited.branch is not None and any(edited in one.seen and name in one.contents[0] for one in applied)
