"""One entity: as it is, its versions with what each changed, and a conflict with both sides beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, redirect, request, url_for

from server.access.sealed import is_sealed, masked
from server.entities.conflicts import JudgedVersion, judge_versions
from server.entities.lists import get_list, list_properties
from server.entities.reading import read_version
from server.entities.unmasking import unmask_numbers
from server.entities.write import delete_entity, restore_entity, update_entity
from server.exports.entity_history import read_history
from server.http.parts import parts
from server.model import EntityVersion
from server.transactions import transaction
from server.web import blueprint
from server.web.pages import number_argument, page
from server.web.visitor import visitor

_ENTITY = "/projects/<int:project_id>/entity-lists/<name>/entities/<uuid>"
_VALUE = "value."


@dataclass(frozen=True, slots=True)
class Dispute:
    """A version in conflict. `rows`: (property, value at its base, value of the others, its own), of what differs."""

    version: EntityVersion
    base: EntityVersion | None
    other: EntityVersion | None
    is_hard: bool
    rows: tuple[tuple[str, str, str, str], ...]


def disputes_of(judged: list[JudgedVersion]) -> list[Dispute]:
    """The conflicts that staff have yet to settle, the first one first."""
    by_number = {one.version.version: one.version for one in judged}
    found = []
    for one in judged:
        if one.conflict is None or one.resolved:
            continue
        version = one.version
        base, other = by_number.get(version.base_version or 0), by_number.get(version.version - 1)
        names = dict.fromkeys([*(version.conflicting or ()), *one.base_diff, *one.server_diff])
        rows = tuple((name, _value(base, name), _value(other, name), str(version.received.get(name, ""))) for name in names)
        found.append(Dispute(version, base, other, one.conflict == "hard", rows))
    return found


def _value(version: EntityVersion | None, name: str) -> str:
    if version is None:
        return ""
    return version.label if name == "label" else str(version.data.get(name, ""))


def _shown(value: str) -> str:
    return masked(value) if is_sealed(value) else value


def _changes(before: EntityVersion | None, version: EntityVersion) -> list[tuple[str, str, str]]:
    names = dict.fromkeys(["label", *(before.data if before else ()), *version.data])
    pairs = ((name, _value(before, name), _value(version, name)) for name in names)
    return [row for row in pairs if row[1] != row[2]]


@blueprint.get(_ENTITY)
def show_entity(project_id: int, name: str, uuid: str) -> Response:
    """The entity with its history, the newest version first."""
    return _entity_page(project_id, name, uuid, {})


@blueprint.post(f"{_ENTITY}/unmasked")
def unmask_entity(project_id: int, name: str, uuid: str) -> Response:
    """The same with its ID numbers in full; who looked, and why, is in the audit log."""
    actor = visitor().actor
    with transaction(parts().engine, write=True) as session:
        entity_list = get_list(session, actor, project_id, name, verb="entity.read")
        numbers = unmask_numbers(session, actor, entity_list, uuid, reason=request.form.get("reason", ""))
    return _entity_page(project_id, name, uuid, numbers)


def _entity_page(project_id: int, name: str, uuid: str, numbers: Mapping[str, str]) -> Response:
    actor = visitor().actor
    with transaction(parts().engine) as session:
        history = read_history(session, actor, project_id, name, uuid)
        entity_list = get_list(session, actor, project_id, name, verb="entity.read")
        properties = list_properties(session, entity_list)
    judged = judge_versions(history.versions, resolved_version=history.resolved_version)
    versions: list[tuple[JudgedVersion, list[tuple[str, str, str]]]] = []
    for one in judged:
        versions.append((one, _changes(versions[-1][0].version if versions else None, one.version)))
    disputes = disputes_of(judged) if history.entity.conflict else []
    return page(
        "entity.html", entity_list=entity_list, entity=history.entity, properties=properties, history=history, versions=versions[::-1], disputes=disputes,
        disputed=list(dict.fromkeys(row[0] for dispute in disputes for row in dispute.rows)),
        may_update=actor.can("entity.update", history.entity), may_delete=actor.can("entity.delete", history.entity), numbers=numbers,
        may_unmask=actor.can("person.unmask", history.entity) and any(is_sealed(value) for value in history.entity.data.values()),
    )  # fmt: skip


def _to_entity(project_id: int, name: str, uuid: str) -> Response:
    return redirect(url_for("web.show_entity", project_id=project_id, name=name, uuid=uuid), 303)  # type: ignore[return-value]


def _said(shown: EntityVersion, label: str, data: dict[str, str]) -> dict[str, Any]:
    """What differs from the version that was shown, as programs send a change; nothing where nothing does."""
    differing = {key: value for key, value in data.items() if value != _shown(_value(shown, key))}
    return {**({"label": label} if label and label != shown.label else {}), **({"data": differing} if differing else {})}


def _change(project_id: int, name: str, uuid: str, *, resolve: bool) -> Response:
    actor, seen = visitor().actor, number_argument("version", 0) or 0
    sent = {key.removeprefix(_VALUE): value for key, value in request.form.items() if key.startswith(_VALUE)}
    with transaction(parts().engine, write=True) as session:
        entity_list = get_list(session, actor, project_id, name, verb="entity.update")
        body = _said(read_version(session, actor, entity_list, uuid, seen), sent.pop("label", ""), sent)
        if body or resolve:
            update_entity(session, actor, entity_list, uuid, body, base_version=str(seen), resolve=resolve, user_agent=request.user_agent.string)
    return _to_entity(project_id, name, uuid)


@blueprint.post(f"{_ENTITY}/settle")
def settle_conflict(project_id: int, name: str, uuid: str) -> Response:
    """The conflict is over: what staff chose among both sides' values is the entity's."""
    return _change(project_id, name, uuid, resolve=True)


@blueprint.post(f"{_ENTITY}/edit")
def edit_entity(project_id: int, name: str, uuid: str) -> Response:
    """One more version with the values of the page that differ."""
    return _change(project_id, name, uuid, resolve=False)


@blueprint.post(f"{_ENTITY}/versions/<int:number>/restore")
def restore_version(project_id: int, name: str, uuid: str, number: int) -> Response:
    """The entity says again what it said then, in one more version."""
    actor, seen = visitor().actor, number_argument("version", 0) or 0
    with transaction(parts().engine, write=True) as session:
        entity_list = get_list(session, actor, project_id, name, verb="entity.update")
        then, shown = (read_version(session, actor, entity_list, uuid, one) for one in (number, seen))
        body = _said(shown, then.label, {key: _value(then, key) for key in list_properties(session, entity_list)})
        if body:
            update_entity(session, actor, entity_list, uuid, body, base_version=str(seen), user_agent=request.user_agent.string)
    return _to_entity(project_id, name, uuid)


@blueprint.post(f"{_ENTITY}/trash")
def trash_entity(project_id: int, name: str, uuid: str) -> Response:
    """The entity is in the trash."""
    actor = visitor().actor
    with transaction(parts().engine, write=True) as session:
        delete_entity(session, actor, get_list(session, actor, project_id, name, verb="entity.delete"), uuid)
    return redirect(url_for("web.show_entity_list", project_id=project_id, name=name), 303)  # type: ignore[return-value]


@blueprint.post(f"{_ENTITY}/restore")
def restore_trashed_entity(project_id: int, name: str, uuid: str) -> Response:
    """The entity is back."""
    actor = visitor().actor
    with transaction(parts().engine, write=True) as session:
        restore_entity(session, actor, get_list(session, actor, project_id, name, verb="entity.restore"), uuid)
    return _to_entity(project_id, name, uuid)
