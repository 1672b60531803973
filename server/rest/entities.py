"""Entities: listed, made one by one or many at once, changed, deleted and restored."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.access.audit import remember_notes
from server.entities.conflicts import judge_versions, version_diffs
from server.entities.held import list_held
from server.entities.lists import get_list, list_properties
from server.entities.reading import detail_of, list_creators, list_versions, read_entity
from server.entities.scope import bound_actor
from server.entities.sent_many import many_in_json
from server.entities.write import (
    create_entity,
    create_many,
    delete_entity,
    delete_many,
    restore_entity,
    restore_many,
    update_entity,
)
from server.exports.entity_files import entity_geojson, entity_json, one_geojson
from server.exports.entity_history import read_history
from server.exports.entity_past import read_as_of
from server.exports.entity_rows import only_deleted, select_entities
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import action_notes, answer_json, answer_success, is_true, wants_extended, whole_number
from server.http.json_body import json_object, json_text
from server.http.parts import parts
from server.http.streamed import answer_stream
from server.model import Entity, EntityList
from server.rest import blueprint
from server.rest.actor_shapes import actor_shape
from server.rest.entity_shapes import entity_audit_shape, entity_shape, held_shape, judged_shape, listed_entity_shapes
from server.rest.export_options import lenient_number
from server.transactions import transaction

_ALL = "/projects/<int:project_id>/datasets/<name>/entities"
_ONE = _ALL + "/<uuid>"
_JSON = "application/json; charset=utf-8"
# A register of 100,000 people is some 30 MB of JSON.
_MOST_BYTES = 60_000_000


def _shown(session: Session, entity_list: EntityList, entity: Entity) -> Response:
    return answer_json(entity_shape(detail_of(session, entity_list, entity), extended=wants_extended()))


@blueprint.get(_ALL)
@described(query={"deleted": "boolean", "asOf": "string"})
def get_entities(project_id: int, name: str) -> Response:
    """A list's entities, newest first, without their values; with deleted=true those in the trash; with asOf as they were then."""
    actor, extended, as_of = authenticate(), wants_extended(), read_as_of(request.args.get("asOf"))
    with transaction(parts().engine) as session:
        selection = select_entities(session, actor, get_list(session, actor, project_id, name, verb="entity.list"), as_of=as_of)
    if is_true("deleted"):
        selection = only_deleted(selection)
    pieces = entity_json(selection, parts().engine, lambda session, rows: listed_entity_shapes(session, rows, project_id, extended=extended))
    return answer_stream(pieces, _JSON)


@blueprint.post(_ALL)
@described(body={"uuid": "string", "label": "string", "data": "object", "entities": "array", "source": "object"})
def post_entities(project_id: int, name: str) -> Response:
    """A new entity; or many at once, with the file that they come from."""
    actor, text = authenticate(), json_text(most_bytes=_MOST_BYTES)
    body = many_in_json(text) or json_object(most_bytes=_MOST_BYTES)
    agent = request.headers.get("User-Agent")
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        entity_list = get_list(session, actor, project_id, name, verb="entity.create")
        if not body.get("entities") and body.get("entities") != []:
            return _shown(session, entity_list, create_entity(session, actor, entity_list, body, user_agent=agent))
        create_many(session, actor, entity_list, body["entities"], body.get("source"), user_agent=agent)
    return answer_success()


@blueprint.get(f"{_ALL}/creators")
def get_entity_creators(project_id: int, name: str) -> Response:
    """Who made the list's entities."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        rows = list_creators(session, actor, get_list(session, actor, project_id, name, verb="entity.list"))
    return answer_json([actor_shape(row) for row in rows])


@blueprint.get("/projects/<int:project_id>/datasets/<name>/held")
def get_held_changes(project_id: int, name: str) -> Response:
    """Offline updates that wait for an earlier one or for the entity's creation, the longest first, at most 200."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        entity_list = get_list(session, actor, project_id, name, verb="entity.list")
        rows = list_held(session, bound_actor(session, actor, entity_list), project_id, list_id=entity_list.id)
    return answer_json([held_shape(row) for row in rows])


@blueprint.get(f"{_ALL}.geojson")
@described(query={"$filter": "string", "$search": "string", "limit": "integer", "asOf": "string"})
def get_entities_geojson(project_id: int, name: str) -> Response:
    """The entities whose property `geometry` is a place, as GeoJSON; with asOf as they were then."""
    actor, as_of = authenticate(), read_as_of(request.args.get("asOf"))
    with transaction(parts().engine) as session:
        entity_list = get_list(session, actor, project_id, name, verb="entity.list")
        selection = select_entities(
            session, actor, entity_list, filter_text=request.args.get("$filter"), search=request.args.get("$search"), limit=lenient_number("limit"), as_of=as_of
        )
    return answer_stream(entity_geojson(selection, parts().engine), _JSON)


@blueprint.get(_ONE)
def get_one_entity(project_id: int, name: str, uuid: str) -> Response:
    """One entity with its values."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        detail = read_entity(session, actor, get_list(session, actor, project_id, name, verb="entity.read"), uuid)
    return answer_json(entity_shape(detail, extended=wants_extended()))


@blueprint.get(f"{_ONE}/geojson")
def get_entity_geojson(project_id: int, name: str, uuid: str) -> Response:
    """One entity's place as GeoJSON."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        entity_list = get_list(session, actor, project_id, name, verb="entity.read")
        has_geometry = "geometry" in list_properties(session, entity_list)
        return answer_json(one_geojson(session, actor, entity_list, uuid, has_geometry=has_geometry))


@blueprint.get(f"{_ONE}/versions")
@described(query={"relevantToConflict": "boolean"})
def get_entity_versions(project_id: int, name: str, uuid: str) -> Response:
    """All versions of an entity, with how they stand in a conflict; with relevantToConflict=true those that matter to an open one."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        history = read_history(session, actor, project_id, name, uuid)
        properties = list_properties(session, get_list(session, actor, project_id, name, verb="entity.read"))
    judged = judge_versions(history.versions, resolved_version=history.resolved_version)
    shown = [one for one in judged if one.is_relevant or not is_true("relevantToConflict")]
    return answer_json([judged_shape(one, history, properties, extended=wants_extended()) for one in shown])


@blueprint.get(f"{_ONE}/diffs")
def get_entity_diffs(project_id: int, name: str, uuid: str) -> Response:
    """What each version of an entity changed."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        _entity, versions = list_versions(session, actor, get_list(session, actor, project_id, name, verb="entity.read"), uuid)
    return answer_json(version_diffs(versions))


@blueprint.get(f"{_ONE}/audits")
@described(query={"limit": "integer", "offset": "integer"})
def get_entity_audits(project_id: int, name: str, uuid: str) -> Response:
    """What was done to an entity, newest first."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        history = read_history(session, actor, project_id, name, uuid, limit=whole_number("limit"), offset=whole_number("offset") or 0)
    return answer_json([entity_audit_shape(entry, history) for entry in history.entries])


@blueprint.patch(_ONE)
@described(body={"label": "string", "data": "object"}, query={"baseVersion": "integer", "force": "boolean", "resolve": "boolean"})
def patch_entity(project_id: int, name: str, uuid: str) -> Response:
    """One more version of an entity; with resolve=true its conflict is settled."""
    actor, body = authenticate(), json_object()
    options: dict[str, Any] = {"base_version": request.args.get("baseVersion"), "force": is_true("force"), "resolve": is_true("resolve")}
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        entity_list = get_list(session, actor, project_id, name, verb="entity.update")
        entity = update_entity(session, actor, entity_list, uuid, body, **options, user_agent=request.headers.get("User-Agent"))
        return _shown(session, entity_list, entity)


@blueprint.delete(_ONE)
def remove_entity(project_id: int, name: str, uuid: str) -> Response:
    """Put an entity into the trash."""
    return _change(delete_entity, project_id, name, uuid, verb="entity.delete")


@blueprint.post(f"{_ONE}/restore")
def post_entity_restore(project_id: int, name: str, uuid: str) -> Response:
    """Take an entity out of the trash."""
    return _change(restore_entity, project_id, name, uuid, verb="entity.restore")


def _change(change: Any, project_id: int, name: str, uuid: str, *, verb: str) -> Response:
    actor: Actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        change(session, actor, get_list(session, actor, project_id, name, verb=verb), uuid)
    return answer_success()


@blueprint.post(f"{_ALL}/bulk-delete")
@described(body={"ids": "array!"})
def post_bulk_delete(project_id: int, name: str) -> Response:
    """Put many entities into the trash."""
    return _change_many(delete_many, project_id, name, verb="entity.delete")


@blueprint.post(f"{_ALL}/bulk-restore")
@described(body={"ids": "array!"})
def post_bulk_restore(project_id: int, name: str) -> Response:
    """Take many entities out of the trash."""
    return _change_many(restore_many, project_id, name, verb="entity.restore")


def _change_many(change: Any, project_id: int, name: str, *, verb: str) -> Response:
    actor, body = authenticate(), json_object(most_bytes=_MOST_BYTES)
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        count = change(session, actor, get_list(session, actor, project_id, name, verb=verb), body.get("ids"))
    return answer_json({"count": count})
