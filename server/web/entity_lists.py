"""The registers: the project's entity lists, one list's entities, and what waits for an earlier offline update."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, request, url_for
from sqlalchemy.orm import Session

from server.access.actor import Actor, Place
from server.entities.held import HELD_DAYS, list_held
from server.entities.imports.records import VERB as IMPORT
from server.entities.lists import get_list, list_lists
from server.entities.reading import actors_of, count_lists, describe_list
from server.exports.entity_past import read_as_of
from server.exports.entity_rows import EntitySelection, narrowed_to, only_deleted, read_entities, select_entities
from server.http.parts import parts
from server.model import EntityList
from server.transactions import transaction
from server.web import blueprint
from server.web.pages import page
from server.web.showing import divisions_within
from server.web.visitor import visitor

_PAGE = 50
_SHOWN_PROPERTIES = 4
_LIST = "/projects/<int:project_id>/entity-lists/<name>"


@blueprint.get("/projects/<int:project_id>/entity-lists")
def list_entity_lists(project_id: int) -> Response:
    """The lists by name, with how many entities each has that this visitor may see."""
    actor = visitor().actor
    with transaction(parts().engine) as session:
        lists = list_lists(session, actor, project_id)
        counts = count_lists(session, actor, lists)
    return page("entity_lists.html", lists=lists, counts=counts)


@blueprint.get(_LIST)
def show_entity_list(project_id: int, name: str) -> Response:
    """The newest first, 50 to a page; `?q=` words, `?division=`, `?show=conflict` or `deleted` narrow it; `?asOf=` as it was then."""
    actor, given = visitor().actor, request.args
    with transaction(parts().engine) as session:
        entity_list = get_list(session, actor, project_id, name, verb="entity.list")
        selection = _selection(session, actor, entity_list)
        rows = [row for chunk in read_entities(session, selection) for row in chunk]
        detail = describe_list(session, entity_list)
        waiting = len(list_held(session, actor, project_id, list_id=entity_list.id, limit=100))
    older = _address(project_id, name, rows[_PAGE - 1].uuid) if len(rows) > _PAGE else None
    newest = _address(project_id, name, None) if given.get("after") else None
    properties = [row.name for row in detail.properties]
    return page(
        "entity_list.html", entity_list=entity_list, rows=rows[:_PAGE], properties=[one for one in properties if one not in {"division", "geometry"}][:_SHOWN_PROPERTIES],
        is_scoped="division" in properties, uses=detail.uses, waiting=waiting, divisions=divisions_within(actor), chosen=given, past=selection.past, older=older, newest=newest,
        may_import=actor.can(IMPORT, Place(project_id)),
    )  # fmt: skip


def _selection(session: Session, actor: Actor, entity_list: EntityList) -> EntitySelection:
    given = request.args
    selection = select_entities(session, actor, entity_list, search=given.get("q", "").strip() or None, limit=_PAGE, as_of=read_as_of(given.get("asOf")))
    selection = narrowed_to(selection, division=given.get("division") or None, in_conflict=given.get("show") == "conflict")
    return replace(only_deleted(selection) if given.get("show") == "deleted" else selection, after=given.get("after") or None)


def _address(project_id: int, name: str, after: str | None) -> str:
    chosen: dict[str, Any] = {one: request.args[one] for one in ("q", "division", "show", "asOf") if request.args.get(one)}
    return url_for("web.show_entity_list", project_id=project_id, name=name, after=after, **chosen)


@blueprint.get(f"{_LIST}/waiting")
def list_waiting(project_id: int, name: str) -> Response:
    """Updates made offline that wait for one before them, longest first."""
    actor = visitor().actor
    with transaction(parts().engine) as session:
        entity_list = get_list(session, actor, project_id, name, verb="entity.list")
        rows = list_held(session, actor, project_id, list_id=entity_list.id)
        senders = actors_of(session, {row.actor_id for row in rows})
    return page("entities_waiting.html", entity_list=entity_list, rows=rows, senders=senders, days=HELD_DAYS)
