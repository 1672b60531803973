"""A form's tables as OData's JSON rows: compiled once per request, then a few calls of C functions a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from server import problems
from server.exports.odata_values import Convert, as_number, converter, mask
from server.exports.rows import Row, attachment_counts
from server.exports.sources import Source
from server.exports.tables import Group, Path, odata_name, odata_path, table_tree
from server.forms.fields import Field

Answers = dict[str, Any]
# Answers and the address of the row they belong to -> the row.
Make = Callable[[Answers, str], dict[str, Any]]
_NOTHING: Answers = {}
# What encodeURIComponent leaves alone besides letters, digits, _ . and -.
_URI_SAFE = "!~*'()"

SYSTEM = (
    "submissionDate", "updatedAt", "submitterId", "submitterName", "attachmentsPresent", "attachmentsExpected", "status", "reviewState",
    "deviceId", "edits", "formVersion", "deletedAt",
)  # fmt: skip
_SYSTEM_NAMES = {"__system", *(f"__system/{name}" for name in SYSTEM)}


@dataclass(frozen=True, slots=True)
class Step:
    """One repeat on the way to a table: the groups before it, its name, and both as OData writes them below the row above."""

    group: Path
    name: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """One table of a form. `steps` lead to it from the submission (none: the submissions' own).

    `parent_key`: the property with the key of the row above. `system`: which __system properties are shown. `keeps`: which of a
    repeat's rows are wanted, all if None.
    """

    steps: tuple[Step, ...]
    make: Make
    parent_key: str | None = None
    shows_id: bool = True
    shows_parent: bool = True
    system: frozenset[str] = field(default=frozenset(SYSTEM))
    keeps: Callable[[Answers], bool] | None = None


def table_steps(source: Source, table: Sequence[str]) -> tuple[Path, tuple[Step, ...]]:
    """The path of a table by OData names (without `Submissions`), and its steps. Raises: not_found (no repeat is called so)."""
    known = {odata_path(one.path): one for one in source.fields if one.kind in {"repeat", "structure"}}
    path: Path = ()
    steps: list[Step] = []
    above = 0
    for count in range(1, len(table) + 1):
        found = known.get(tuple(table[:count]))
        if found is None:
            raise problems.not_found()
        path = found.path
        if found.kind == "repeat":
            below = path[above:]
            steps.append(Step(below[:-1], below[-1], "/".join(odata_path(below))))
            above = len(path)
    if table and above != len(path):
        raise problems.not_found()
    return path, tuple(steps)


def plan_table(source: Source, table: Sequence[str], *, expand: bool = False, wkt: bool = False, select: str | None = None) -> TablePlan:
    """How rows of a table are made. Raises: not_found, property_not_found, unsupported_odata_select_field."""
    path, steps = table_steps(source, table)
    parent = "-".join(["Submissions", *_names_before_last(steps)])
    parent_key = f"__{parent}-id" if steps else None
    names = None if select is None or select.strip() in {"", "*"} else [name.strip() for name in select.split(",")]
    fields = source.fields if names is None else _selected(source.fields, path, names, {"__id", parent_key} | (set() if steps else _SYSTEM_NAMES))
    group = _group_at(table_tree(fields), path)
    make = _compile(group, source, expand=expand, wkt=wkt)
    if names is None:
        return TablePlan(steps=steps, make=make, parent_key=parent_key)
    system = frozenset(SYSTEM) if "__system" in names else frozenset(name.partition("/")[2] for name in names if name.startswith("__system/"))
    return TablePlan(steps=steps, make=make, parent_key=parent_key, shows_id="__id" in names, shows_parent=parent_key in names, system=system)


def _names_before_last(steps: tuple[Step, ...]) -> list[str]:
    return [name for step in steps[:-1] for name in step.link.split("/")]


def _group_at(group: Group, path: Path) -> Group:
    if group.path == path:
        return group
    for inner in group.groups:
        if inner.path == path[: len(inner.path)]:
            return _group_at(inner, path)
    for repeat in group.repeats:
        if repeat.path == path[: len(repeat.path)]:
            return _group_at(repeat.row, path)
    return Group(path)


def _selected(fields: Sequence[Field], table: Path, names: Sequence[str], known: set[str | None]) -> tuple[Field, ...]:
    """The fields of `$select` with the groups around and inside them; the table's own path always."""
    by_path = {odata_path(one.path): one for one in fields}
    kinds = {one.path: one.kind for one in fields}
    chosen = {table[:count] for count in range(1, len(table) + 1)}
    for name in names[:500]:
        if name in known:
            continue
        found = by_path.get((*odata_path(table), *name.split("/")))
        if found is None:
            raise problems.property_not_found(name[:200])
        for count in range(len(table) + 1, len(found.path)):
            if kinds.get(found.path[:count]) == "repeat":
                raise problems.unsupported_odata_select_field(name[:200])
            chosen.add(found.path[:count])
        chosen.add(found.path)
        if found.kind == "structure":
            chosen |= _inside(fields, found.path, kinds)
    return tuple(one for one in fields if one.path in chosen)


def _inside(fields: Sequence[Field], group: Path, kinds: Mapping[Path, str]) -> set[Path]:
    """What a group holds at any depth; of a repeat only itself."""
    length = len(group)
    return {
        one.path for one in fields
        if one.path[:length] == group and not any(kinds.get(one.path[:count]) == "repeat" for count in range(length + 1, len(one.path)))
    }  # fmt: skip


def _compile(group: Group, source: Source, *, expand: bool, wkt: bool) -> Make:
    """One function for a group: bare answers by one `map`, then what has to be changed, then groups and repeats."""
    names = tuple(asked.name for asked in group.questions)
    outs = tuple(odata_name(name) for name in names)
    changed: list[tuple[str, Convert]] = []
    numbers: list[str] = []
    for out, asked in zip(outs, group.questions, strict=True):
        convert = mask if asked.path in source.hidden else converter(asked.kind, wkt=wkt)
        if convert is not None:
            changed.append((out, convert))
        elif asked.kind in {"int", "decimal"}:
            numbers.append(out)
    groups = tuple((odata_name(inner.name), inner.name, _compile(inner, source, expand=expand, wkt=wkt)) for inner in group.groups)
    groups_links = tuple(f"/{odata_name(inner.name)}" for inner in group.groups)
    repeats = tuple(
        (odata_name(repeat.name), repeat.name, _compile(repeat.row, source, expand=True, wkt=wkt) if expand else None) for repeat in group.repeats
    )

    def make(answers: Answers, here: str) -> dict[str, Any]:
        made = dict(zip(outs, map(answers.get, names), strict=False))
        for out in numbers:
            if made[out].__class__ is str:
                made[out] = as_number(made[out])
        for out, convert in changed:
            value = made[out]
            if value is not None:
                made[out] = convert(value)
        for (out, name, inner), link in zip(groups, groups_links, strict=False):
            value = answers.get(name)
            made[out] = inner(value if value.__class__ is dict else _NOTHING, here + link)  # type: ignore[arg-type]
        for out, name, row_of in repeats:
            rows = answers.get(name)
            if rows.__class__ is list and rows:
                link = f"{here}/{out}"
                made[f"{out}@odata.navigationLink"] = link
                if row_of is not None:
                    made[out] = [_inner_row(row, row_of, link) for row in rows]  # type: ignore[union-attr]
        return made

    return make


def _inner_row(row: Answers, make: Make, link: str) -> dict[str, Any]:
    key = row["__id"]
    made = make(row, f"{link}('{key}')")
    made["__id"] = key
    return made


def submission_address(instance_id: str) -> str:
    """`Submissions('uuid%3A...')`, as navigation links begin."""
    return f"Submissions('{quote(instance_id, safe=_URI_SAFE)}')"


def submission_rows(plan: TablePlan, rows: Sequence[Row], versions: Mapping[int, str], status: Callable[[Row], str | None]) -> list[dict[str, Any]]:
    """Rows of the submissions' own table."""
    make, system, shows_id, is_whole = plan.make, plan.system, plan.shows_id, len(plan.system) == len(SYSTEM)
    made_rows = []
    for row in rows:
        made: dict[str, Any] = {"__id": row.instance_id} if shows_id else {}
        if system:
            shown = _system(row, versions, status)
            made["__system"] = shown if is_whole else {name: shown[name] for name in shown if name in system}
        if row.xml is None:
            made.update(make(row.answers, submission_address(row.instance_id)))
        made_rows.append(made)
    return made_rows


def _system(row: Row, versions: Mapping[int, str], status: Callable[[Row], str | None]) -> dict[str, Any]:
    present, expected = attachment_counts(row)
    return {
        "submissionDate": row.received_at, "updatedAt": row.updated_at, "submitterId": None if row.submitter_id is None else str(row.submitter_id),
        "submitterName": row.submitter, "attachmentsPresent": present, "attachmentsExpected": expected,
        "status": None if row.xml is None else status(row), "reviewState": row.review_state, "deviceId": row.device_id, "edits": row.edits,
        "formVersion": versions.get(row.form_version), "deletedAt": row.deleted_at,
    }  # fmt: skip


def repeat_rows(plan: TablePlan, row: Row, wanted: Sequence[str | None] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and row of each row of a repeat's table in one submission. `wanted`: the key of the row to go through, by step."""
    if row.xml is None:
        yield from _below(plan, row.answers, submission_address(row.instance_id), row.instance_id, 0, wanted)


def _below(
    plan: TablePlan, answers: Answers, here: str, parent_id: str, depth: int, wanted: Sequence[str | None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    step = plan.steps[depth]
    group: Any = answers
    for name in step.group:
        group = group.get(name)
        if group.__class__ is not dict:
            return
    rows = group.get(step.name)
    if rows.__class__ is not list:
        return
    link, is_last = f"{here}/{step.link}", depth == len(plan.steps) - 1
    only = wanted[depth] if depth < len(wanted) else None
    make, parent_key, shows_id, keeps = plan.make, plan.parent_key if plan.shows_parent else None, plan.shows_id, plan.keeps
    for row in rows:
        key = row["__id"]
        if only is not None and key != only:
            continue
        if not is_last:
            yield from _below(plan, row, f"{link}('{key}')", key, depth + 1, wanted)
            continue
        if keeps is not None and not keeps(row):
            continue
        made = make(row, f"{link}('{key}')")
        if shows_id:
            made["__id"] = key
        if parent_key is not None:
            made[parent_key] = parent_id
        yield key, made
