"""Entity lists (datasets): made, described, changed, deleted, downloaded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.audit import remember_notes
from server.entities.list_forms import delete_list, delete_property
from server.entities.lists import add_property, create_list, find_trashed_list, get_list, list_lists
from server.entities.reading import count_lists, describe_list
from server.exports.entity_files import entity_csv
from server.exports.entity_past import read_as_of
from server.exports.entity_rows import EntitySelection, entities_etag, select_entities
from server.exports.file_names import safe_name
from server.http.conditional import has_etag
from server.http.credentials import authenticate
from server.http.described import described
from server.http.downloads import file_headers
from server.http.json_answers import action_notes, answer_json, answer_success, is_true, wants_extended
from server.http.json_body import flag_of, json_object
from server.http.parts import parts
from server.http.streamed import answer_stream
from server.model import EntityList
from server.rest import blueprint
from server.rest.entity_shapes import list_detail_shape, list_shape
from server.submissions.entity_changes import change_list
from server.transactions import transaction

_ALL = "/projects/<int:project_id>/datasets"
_ONE = _ALL + "/<name>"
# No name can be this; it is shown where there is none.
_UNSAID = ("undefined",)


def _detail(session: Session, actor: Actor, entity_list: EntityList, *, extended: bool = False) -> dict[str, Any]:
    counts = count_lists(session, actor, [entity_list])[entity_list.id] if extended else None
    return list_detail_shape(describe_list(session, entity_list), counts)


@blueprint.get(_ALL)
@described(query={"deleted": "boolean"})
def get_datasets(project_id: int) -> Response:
    """A project's entity lists; with deleted=true those that were deleted."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        rows = list_lists(session, actor, project_id, deleted=is_true("deleted"))
        counts = count_lists(session, actor, rows) if wants_extended() else {}
        return answer_json([list_shape(row, counts.get(row.id)) for row in rows])


@blueprint.post(_ALL)
@described(body={"name": "string!", "approvalRequired": "boolean", "ownerOnly": "boolean"})
def post_dataset(project_id: int) -> Response:
    """A new entity list."""
    actor, body = authenticate(), json_object()
    flags = {"approval_required": flag_of(body, "approvalRequired") or False, "owner_only": flag_of(body, "ownerOnly") or False}
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        return answer_json(_detail(session, actor, create_list(session, actor, project_id, name=body.get("name", _UNSAID), **flags)))


@blueprint.get(_ONE)
def get_dataset(project_id: int, name: str) -> Response:
    """One entity list: its properties, and the forms that use it."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        entity_list = get_list(session, actor, project_id, name, verb="dataset.read")
        return answer_json(_detail(session, actor, entity_list, extended=wants_extended()))


@blueprint.patch(_ONE)
@described(body={"approvalRequired": "boolean", "ownerOnly": "boolean", "accessFilter": "object"}, query={"convert": "boolean"})
def patch_dataset(project_id: int, name: str) -> Response:
    """Change whether submissions wait for approval, and what of the list phones get."""
    actor, body = authenticate(), json_object()
    convert = request.args.get("convert")
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        entity_list = get_list(session, actor, project_id, name, verb="dataset.update")
        if convert not in (None, "true", "false"):
            raise problems.unexpected_value("convert", convert[:100], "undefined")
        told = {"accessFilter": body["accessFilter"]} if "accessFilter" in body else None
        change_list(session, actor, entity_list, _changes(body), convert=None if convert is None else convert == "true", told=told)
        return answer_json(_detail(session, actor, entity_list))


def _changes(body: dict[str, Any]) -> dict[str, Any]:
    """What a body says of a list's own columns; `accessFilter` goes before `ownerOnly`. Raises: unexpected_value, invalid_data_type."""
    changes: dict[str, Any] = {}
    if (approval := flag_of(body, "approvalRequired")) is not None:
        changes["approval_required"] = approval
    if "accessFilter" in body:
        return {**changes, **_access(body["accessFilter"])}
    if (owner_only := flag_of(body, "ownerOnly")) is not None:
        changes["owner_only"] = owner_only
        if owner_only:
            changes["access_rules"] = None
    return changes


def _access(given: Any) -> dict[str, Any]:
    if given is None:
        return {"owner_only": False, "access_rules": None}
    kind = given.get("type") if isinstance(given, dict) else None
    if kind == "ownerOnly":
        return {"owner_only": True, "access_rules": None}
    if kind != "property":
        raise problems.unexpected_value("accessFilter.type", str(kind)[:100], "type must be ownerOnly or property.")
    rules = given.get("rules")
    if not isinstance(rules, list) or not rules or len(rules) > 50:
        raise problems.unexpected_value("accessFilter.rules", str(rules)[:100], "rules must be a non-empty array.")
    found = []
    for rule in rules:
        names = [rule.get(key) for key in ("datasetProperty", "actorProperty")] if isinstance(rule, dict) else [None]
        if not all(isinstance(name, str) and name for name in names):
            raise problems.unexpected_value("accessFilter.rules", str(rule)[:100], "Each rule must have datasetProperty and actorProperty.")
        found.append({"datasetProperty": names[0], "actorProperty": names[1]})
    return {"owner_only": False, "access_rules": found}


@blueprint.delete(_ONE)
def remove_dataset(project_id: int, name: str) -> Response:
    """Delete an entity list that no form uses."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        delete_list(session, actor, get_list(session, actor, project_id, name, verb="dataset.delete"))
    return answer_success()


@blueprint.post(f"{_ONE}/properties")
@described(body={"name": "string!"})
def post_dataset_property(project_id: int, name: str) -> Response:
    """One more property."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        add_property(session, actor, get_list(session, actor, project_id, name, verb="dataset.update"), body.get("name", _UNSAID))
    return answer_success()


@blueprint.delete(f"{_ONE}/properties/<property_name>")
def remove_dataset_property(project_id: int, name: str, property_name: str) -> Response:
    """Delete a property that no form fills in and no entity has a value of."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        delete_property(session, actor, get_list(session, actor, project_id, name, verb="dataset.update"), property_name)
    return answer_success()


@blueprint.get(f"{_ONE}/entities.csv")
@described(query={"$filter": "string", "$search": "string", "asOf": "string"}, answers="text/csv")
def get_entities_csv(project_id: int, name: str) -> Response:
    """The list's entities as CSV, 304 if nothing changed since; with asOf as they were then."""
    actor, as_of = authenticate(), read_as_of(request.args.get("asOf"))
    filter_text, search = request.args.get("$filter"), request.args.get("$search")
    with transaction(parts().engine) as session:
        entity_list = get_list(session, actor, project_id, name, verb="entity.list")
        selection = select_entities(session, actor, entity_list, filter_text=filter_text, search=search, as_of=as_of)
        etag = entities_etag(session, selection, "csv") if not filter_text and not search else None
    if etag is not None and has_etag(etag):
        return _tagged(Response(status=304), etag)
    return _tagged(_csv(selection, f"{safe_name(name)}.csv"), etag)


@blueprint.get("/projects/<int:project_id>/trash/datasets/<int:list_id>/entities.csv")
@described(answers="text/csv")
def get_trashed_entities_csv(project_id: int, list_id: int) -> Response:
    """A deleted list's entities as CSV."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        entity_list = find_trashed_list(session, actor, project_id, list_id, verb="entity.list")
        selection = replace(select_entities(session, actor, entity_list), says_deleted=False)
        name = entity_list.name
    return _csv(selection, f"{safe_name(name)}-deleted.csv")


def _csv(selection: EntitySelection, name: str) -> Response:
    response = answer_stream(entity_csv(selection, parts().engine), "text/csv; charset=utf-8")
    file_headers(response, name, content_type="text/csv")
    return response


def _tagged(response: Response, etag: str | None) -> Response:
    if etag is not None:
        response.set_etag(etag)
        response.headers["Cache-Control"] = "private, no-cache"
    return response
