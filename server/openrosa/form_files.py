"""Form and media downloads of drafts at their test address; those of phones with a password (Kobo) use them too."""

from __future__ import annotations

from flask import Response

from server.access.actor import Actor
from server.forms.queries import get_draft, get_form, get_version
from server.http.form_files import form_answer, medium_answer
from server.http.parts import parts
from server.model import FormVersion
from server.openrosa import blueprint
from server.openrosa.answers import with_openrosa_headers
from server.openrosa.form_list import draft_reader
from server.transactions import transaction


def published_version(actor: Actor, project_id: int, form_id: str, *, with_xform: bool = False) -> FormVersion:
    """The current version, for an actor who may read the form. Raises: not_found, insufficient_rights."""
    with transaction(parts().engine) as session:
        return get_version(session, get_form(session, actor, project_id, form_id, verb="open_form.read"), with_xform=with_xform)


@blueprint.get("/v1/test/<token>/projects/<int:project_id>/forms/<form_id>/draft.xml")
def get_draft_xml(token: str, project_id: int, form_id: str) -> Response:
    """A draft's XForm at its test address."""
    with transaction(parts().engine) as session:
        return with_openrosa_headers(form_answer(get_draft(session, project_id, form_id, token)[1]))


@blueprint.get("/v1/test/<token>/projects/<int:project_id>/forms/<form_id>/draft/attachments/<name>")
def get_draft_medium(token: str, project_id: int, form_id: str, name: str) -> Response:
    """A draft's medium at its test address."""
    with transaction(parts().engine) as session:
        draft = get_draft(session, project_id, form_id, token)[1]
        reader = draft_reader(session, draft)
    return with_openrosa_headers(medium_answer(reader, draft.id, name))
