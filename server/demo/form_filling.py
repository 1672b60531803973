"""A form filled in as a phone would: given answers, usual ones for what is left, and every calculation by the server's own rules."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from server.forms.rules.expression import Context, compile_expression
from server.forms.rules.values import Budget, Moment, Node, Unknowable, moment_of, string, truth
from server.forms.xform_reader import XFormReader
from server.submissions.queries import label_in

Path = tuple[str, ...]
# What a list that the phone has downloaded says: (list, entity, property) -> text, "" where it says nothing.
Lookup = Callable[[str, str, str], str]
_LOOKUP = re.compile(r"instance\('(\w+)'\)/root/item\[\s*name\s*=\s*([^\]]+?)\s*\]/(\w+)")
_CHOICE_NAME = re.compile(r"jr:choice-name\(\s*([^,()]+?)\s*,\s*'\s*([^']+?)\s*'\s*\)")
_MADE_BY_PHONE = {"uuid()", "once(uuid())"}


@dataclass(frozen=True, slots=True)
class Question:
    """A node of the form. `choices`: label by value of its select; `attributes`: of an entity element, with what calculates each ('' nothing)."""

    name: str
    path: Path
    kind: str
    is_asked: bool
    children: tuple[Question, ...]
    relevant: str = ""
    required: str = ""
    calculate: str = ""
    default: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    dataset: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SameAs:
    """An answer that is whatever the question (or calculation) of that name says; of a whole number, so many times it and `plus`."""

    name: str
    times: int = 1
    plus: int = 0

    def told(self, said: str) -> str:
        """The answer, where that question says `said`."""
        return said if (self.times, self.plus) == (1, 0) else str(self.times * int(said) + self.plus) if said else ""


@dataclass(frozen=True, slots=True)
class FillableForm:
    """A form version that can be filled in."""

    form_id: str
    version: str
    root: Question


def read_fillable(xform: bytes) -> FillableForm:
    """Raises: unparseable_xml, form_invalid."""
    reader = XFormReader(xform)
    definition, nodes, binds, controls = reader.definition(), reader.nodes(), reader.binds(), reader.control_paths()
    fields = {one.path: one for one in definition.fields}
    below: dict[Path, list[Path]] = {}
    for path in nodes:
        below.setdefault(path[:-1], []).append(path)

    def read(path: Path) -> Question:
        bind, node = binds.get(path), nodes[path]
        said = {name: (bind.get(name) or "").strip() if bind is not None else "" for name in ("relevant", "required", "calculate")}
        asked = fields.get(path)
        listed = (definition.choices or {}).get(asked.choice_list or "", {}) if asked is not None else {}
        choices = {value: label_in(labels, "zh") or value for value, labels in listed.items()}
        dataset = node.get("dataset") or ""
        attributes = {}
        if dataset:
            for name in ("id", "create", "update", "baseVersion"):
                if node.get(name) is not None:
                    own = binds.get((*path, f"@{name}"))
                    attributes[name] = ((own.get("calculate") or "") if own is not None else "") or (node.get(name) or "")
        children = tuple(read(child) for child in below.get(path, ()))
        kind = reader.kind(path, node)
        return Question(
            path[-1], (definition.root_name, *path), kind, path in controls, children, **said, default=(node.text or "").strip(), choices=choices,
            dataset=dataset, attributes=attributes,
        )  # fmt: skip

    top = tuple(read(path) for path in below.get((), ()))
    return FillableForm(definition.form_id, definition.version, Question(definition.root_name, (definition.root_name,), "structure", False, top))


@dataclass(slots=True)
class Filled:
    """What the phone would send. `files`: names of the photos that it mentions, with the question of each. `entities`: ids by list, in order."""

    instance_id: str
    xml: bytes
    answers: dict[str, str]
    files: dict[str, str]
    entities: dict[str, list[str]]


class Filling:
    """One form being filled in. `usual(question)`: an answer for a required question that the story says nothing of; "" leaves it to us."""

    def __init__(self, form: FillableForm, answers: Mapping[str, Any], *, usual: Callable[[Question], str], lookup: Lookup, random: Random) -> None:
        self._form, self._usual, self._lookup, self._random = form, usual, lookup, random
        self._now = moment_of(str(answers["end"])) or Moment(0.0, "")
        self._instance_id = f"uuid:{uuid.UUID(int=random.getrandbits(128), version=4)}"
        self._files: dict[str, str] = {}
        self._entities: dict[str, list[str]] = {}
        self._root = Node(form.root.name, form.root.path, None)
        self._given: dict[int, Mapping[str, Any]] = {}
        self._questions: dict[int, Question] = {}
        self._has_changed = False
        self._lay(form.root, self._root, answers)

    def _lay(self, question: Question, node: Node, answers: Mapping[str, Any]) -> None:
        """Nodes for all that is asked; a repeat has as many rows as the story gives it."""
        self._questions[id(node)], self._given[id(node)] = question, answers
        for child in question.children:
            rows = answers.get(child.name, ()) if child.kind == "repeat" else (answers,)
            for row in rows:
                made = Node(child.name, child.path, node, child.kind, is_sent=True)
                node.children.append(made)
                self._lay(child, made, row)

    def fill(self) -> Filled:
        """The form to its end; its calculations run until they stand still, as a phone's do."""
        for _round in range(4):
            self._has_changed = False
            self._fill_below(self._root, is_relevant=True)
            if not self._has_changed:
                break
        body = "".join(self._written(self._root))
        answers = {node.name: node.text for node in self._leaves(self._root) if node.text}
        return Filled(self._instance_id, body.encode(), answers, self._files, self._entities)

    # -- answers

    def _leaves(self, node: Node) -> Iterator[Node]:
        if not self._questions[id(node)].children:
            yield node
        for child in node.children:
            yield from self._leaves(child)

    def _fill_below(self, node: Node, *, is_relevant: bool) -> None:
        for child in node.children:
            question = self._questions[id(child)]
            own = is_relevant and (not question.relevant or self._truth(question.relevant, child))
            child.is_sent = own
            if question.children:
                self._fill_below(child, is_relevant=own)
            else:
                text = self._answer(question, child) if own else ""
                if text != child.text:
                    child.text, self._has_changed = text, True

    def _answer(self, question: Question, node: Node) -> str:
        given = self._given[id(node)].get(question.name)
        if isinstance(given, SameAs):
            return given.told(next((leaf.text for leaf in self._leaves(self._root) if leaf.name == given.name), ""))
        if given is not None:
            return self._filed(question, str(given)) if question.kind == "binary" else str(given)
        if question.path[-2:] == ("meta", "instanceID"):
            return self._instance_id
        if question.calculate:
            if question.calculate in _MADE_BY_PHONE:
                return node.text or str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            found = (node.text if question.is_asked else "") or self._value(question.calculate, node)
            if found or not question.is_asked:
                return found
        if node.text or not question.is_asked:
            return node.text or question.default
        if question.default:
            return question.default
        if not question.required or question.required == "false()" or not self._truth(question.required, node):
            return ""
        if question.kind == "binary":
            return self._filed(question, "")
        return self._usual(question) or next(iter(question.choices), "")

    def _filed(self, question: Question, said: str) -> str:
        name = said or f"{question.name}-{self._random.getrandbits(48):012x}.png"
        self._files[name] = question.name
        return name

    # -- expressions

    def _looked_up(self, expression: str, node: Node) -> str:
        def found(match: re.Match[str]) -> str:
            key = self._value(match[2], node)
            return "'" + (self._lookup(match[1], key, match[3]) if key else "").replace("'", "’") + "'"

        if "jr:choice-name(" in expression:
            expression = _CHOICE_NAME.sub(lambda match: "'" + self._choice_name(match[2], self._value(match[1], node)) + "'", expression)
        return _LOOKUP.sub(found, expression) if "instance(" in expression else expression

    def _choice_name(self, path: str, value: str) -> str:
        question = self._form.root
        for name in path.strip("/").split("/")[1:]:
            question = next(child for child in question.children if child.name == name)
        return question.choices.get(value, value)

    def _value(self, expression: str, node: Node) -> str:
        try:
            text = string(compile_expression(self._looked_up(expression, node))(Context(node, node, self._root, self._now, budget=Budget())))
        except (Unknowable, ValueError, OverflowError):
            return ""
        return "" if text == "NaN" else text

    def _truth(self, expression: str, node: Node) -> bool:
        try:
            return truth(compile_expression(self._looked_up(expression, node))(Context(node, node, self._root, self._now, budget=Budget())))
        except (Unknowable, ValueError, OverflowError):
            return False

    # -- XML

    def _written(self, node: Node) -> Iterator[str]:
        for child in node.children:
            if not child.is_sent:
                continue
            question = self._questions[id(child)]
            if question.dataset:
                yield from self._entity(question, child)
            elif question.children:
                yield f"<{child.name}>"
                yield from self._written(child)
                yield f"</{child.name}>"
            else:
                yield f"<{child.name}>{escape(child.text)}</{child.name}>" if child.text else f"<{child.name}/>"

    def _attribute(self, calculate: str, entity: Node) -> str:
        # Its expression stands on the attribute, whose parent is the element.
        return self._value(calculate, Node("", entity.path, entity)) if calculate and calculate != "1" else calculate

    def _entity(self, question: Question, node: Node) -> Iterator[str]:
        told = {name: self._attribute(calculate, node) for name, calculate in question.attributes.items()}
        for name in ("create", "update"):
            if told.get(name) in {"true", "1"}:
                told[name] = "1"
            else:
                told.pop(name, None)
        # Neither: the form says that this row is nobody of the list.
        if "create" not in told and "update" not in told:
            return
        if "update" not in told:
            told.pop("baseVersion", None)
        own = self._given[id(node)].get("@id")
        told["id"] = told["id"] or str(own or uuid.UUID(int=self._random.getrandbits(128), version=4))
        self._entities.setdefault(question.dataset, []).append(told["id"])
        yield f"<entity dataset={quoteattr(question.dataset)}{''.join(f' {name}={quoteattr(value)}' for name, value in told.items())}>"
        yield from self._written(node)
        yield "</entity>"


def fill_form(
    form: FillableForm, answers: Mapping[str, Any], *, usual: Callable[[Question], str], lookup: Lookup, random: Random
) -> Filled:
    """The form filled in. `answers` by question name (names are unique in a form), a repeat's as a list of such; `end` is when it was finished."""
    filled = Filling(form, answers, usual=usual, lookup=lookup, random=random).fill()
    head = f'<data xmlns:orx="http://openrosa.org/xforms" id={quoteattr(form.form_id)} version={quoteattr(form.version)}>'
    filled.xml = head.encode() + filled.xml + b"</data>"
    return filled
