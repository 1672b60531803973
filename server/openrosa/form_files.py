"""Form and media downloads, with ETag: a 304 saves the village's mobile data."""

from __future__ import annotations

from flask import Response, stream_with_context

from server.access.actor import Actor
from server.entities.phone_csv import csv_md5, stream_csv
from server.forms.queries import Medium, get_draft, get_form, get_version, list_media
from server.http.conditional import has_etag, with_etag
from server.http.credentials import phone_or_user
from server.http.downloads import file_headers
from server.http.parts import parts
from server.model import FormVersion
from server.openrosa import blueprint
from server.openrosa.answers import with_openrosa_headers
from server.openrosa.form_list import draft_reader
from server.problems import not_found
from server.transactions import transaction


def form_answer(version: FormVersion) -> Response:
    """Exactly the bytes whose MD5 formList shows."""
    response = Response(version.xform, content_type="text/xml; charset=utf-8")
    return with_openrosa_headers(with_etag(version.md5, response))


def medium_answer(actor: Actor, form_version_id: int, name: str) -> Response:
    """The medium's bytes, or this actor's view of the entity list. Raises: not_found."""
    with transaction(parts().engine) as session:
        media = list_media(session, form_version_id, name=name)
        if not media:
            raise not_found()
        medium = media[0]
        digest = medium.md5 or (csv_md5(session, actor, medium.entity_list) if medium.entity_list else "")
    if has_etag(digest):
        return with_openrosa_headers(with_etag(digest, Response(status=200)))
    response = Response(stream_with_context(_bytes(actor, medium)))
    file_headers(response, name)
    return with_openrosa_headers(with_etag(digest, response))


def _bytes(actor: Actor, medium: Medium):  # type: ignore[no-untyped-def] # noqa: ANN202
    if medium.sha256 is not None:
        yield from parts().storage.open(medium.sha256)
    elif medium.entity_list is not None:
        with transaction(parts().engine) as session:
            yield from stream_csv(session, actor, medium.entity_list)


def published_version(actor: Actor, project_id: int, form_id: str, *, with_xform: bool = False) -> FormVersion:
    """The current version, for an actor who may read the form. Raises: not_found, insufficient_rights."""
    with transaction(parts().engine) as session:
        return get_version(session, get_form(session, actor, project_id, form_id, verb="open_form.read"), with_xform=with_xform)


@blueprint.get("/v1/projects/<int:project_id>/forms/<form_id>.xml")
def get_form_xml(project_id: int, form_id: str) -> Response:
    return form_answer(published_version(phone_or_user(), project_id, form_id, with_xform=True))


@blueprint.get("/v1/projects/<int:project_id>/forms/<form_id>/attachments/<name>")
def get_medium(project_id: int, form_id: str, name: str) -> Response:
    actor = phone_or_user()
    return medium_answer(actor, published_version(actor, project_id, form_id).id, name)


@blueprint.get("/v1/test/<token>/projects/<int:project_id>/forms/<form_id>/draft.xml")
def get_draft_xml(token: str, project_id: int, form_id: str) -> Response:
    with transaction(parts().engine) as session:
        return form_answer(get_draft(session, project_id, form_id, token)[1])


@blueprint.get("/v1/test/<token>/projects/<int:project_id>/forms/<form_id>/draft/attachments/<name>")
def get_draft_medium(token: str, project_id: int, form_id: str, name: str) -> Response:
    with transaction(parts().engine) as session:
        draft = get_draft(session, project_id, form_id, token)[1]
    return medium_answer(draft_reader(project_id), draft.id, name)


