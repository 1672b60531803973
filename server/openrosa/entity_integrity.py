"""Which entities were deleted: asked by phones before they drop their own copies."""

from __future__ import annotations

from flask import Response, request

from server.access.actor import Actor
from server.entities.lists import find_list
from server.entities.phone_csv import read_integrity
from server.http.credentials import phone_or_user
from server.http.described import described
from server.http.parts import parts
from server.openrosa import blueprint
from server.openrosa.answers import attribute, xml_answer
from server.problems import not_found
from server.transactions import transaction


def integrity_answer(actor: Actor, project_id: int, name: str) -> Response:
    """`data/entities/entity[@id]/deleted` for the ids asked. Raises: not_found, insufficient_rights."""
    uuids = [uuid for uuid in request.args.get("id", "").split(",") if uuid]
    with transaction(parts().engine) as session:
        entity_list = find_list(session, project_id, name)
        if entity_list is None:
            raise not_found()
        found = read_integrity(session, actor, entity_list, uuids)
    entries = [f"<entity id={attribute(uuid)}><deleted>{'true' if gone else 'false'}</deleted></entity>" for uuid, gone in found]
    return xml_answer(["<data><entities>", *entries, "</entities></data>"])


@blueprint.get("/v1/projects/<int:project_id>/datasets/<name>/integrity")
@described(query={"id": "string"}, answers="text/xml")
def get_integrity(project_id: int, name: str) -> Response:
    """Which of these entities (`id`: UUIDs, comma between) were deleted, as phones ask before they drop their copies."""
    return integrity_answer(phone_or_user(), project_id, name)
