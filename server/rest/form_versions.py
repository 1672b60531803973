"""One form in one version: the published one, the draft, or a version by its name. The same views for the three."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.forms.definitions import form_definition
from server.forms.queries import list_attachments
from server.forms.reading import FormInVersion, find_readable, list_published
from server.http.credentials import authenticate
from server.http.described import described
from server.http.form_files import form_answer, medium_answer, xlsx_answer
from server.http.json_answers import answer_json, is_true, wants_extended
from server.http.parts import parts
from server.model import FormVersion
from server.rest import blueprint
from server.rest.form_shapes import attachment_shapes, field_shapes, published_shape
from server.rest.forms import shown_form
from server.transactions import transaction

_ONE = "/projects/<int:project_id>/forms/<form_id>"
_BASES: tuple[tuple[str, dict[str, Any]], ...] = (
    (_ONE, {"draft": False, "version": None}), (f"{_ONE}/draft", {"draft": True, "version": None}), (f"{_ONE}/versions/<version>", {"draft": False}),
)  # fmt: skip


def _read(session: Session, actor: Actor, where: dict[str, Any], *, with_xform: bool = False) -> tuple[FormInVersion, FormVersion]:
    row = find_readable(
        session, actor, where["project_id"], where["form_id"], draft=where["draft"], version=where["version"], with_xform=with_xform
    )
    if row.version is None:
        raise problems.not_found()
    return row, row.version


def get_form(**where: Any) -> Response:
    """The form in this version."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        row, _version = _read(session, actor, where)
        return answer_json(shown_form(session, actor, row, draft=where["draft"]))


def get_form_xml(**where: Any) -> Response:
    """The version's XForm, byte for byte."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        _row, version = _read(session, actor, where, with_xform=True)
        return form_answer(version)


def get_form_xlsx(**where: Any) -> Response:
    """The .xlsx that the version was made from."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        row, version = _read(session, actor, where)
    if version.xlsx_sha256 is None:
        raise problems.not_found()
    return xlsx_answer(version.xlsx_sha256, row.form.form_id)


def get_form_xls(**where: Any) -> Response:
    """The old .xls: forms are kept as .xlsx alone."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        _read(session, actor, where)
    raise problems.not_found()


@described(query={"odata": "boolean"})
def get_form_fields(**where: Any) -> Response:
    """The version's fields, depth first."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        _row, version = _read(session, actor, where)
        return answer_json(field_shapes(form_definition(session, version.id), for_odata=is_true("odata")))


def get_form_attachments(**where: Any) -> Response:
    """The media that the version declares."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        _row, version = _read(session, actor, where)
        return answer_json(attachment_shapes(session, list(list_attachments(session, version.id))))


def get_form_attachment(name: str, **where: Any) -> Response:
    """One medium's bytes."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        _row, version = _read(session, actor, where)
    return medium_answer(actor, version.id, name)


for _base, _defaults in _BASES:
    for _ending, _view in (
        ("", get_form), (".xml", get_form_xml), (".xlsx", get_form_xlsx), (".xls", get_form_xls), ("/fields", get_form_fields),
        ("/attachments", get_form_attachments), ("/attachments/<name>", get_form_attachment),
    ):  # fmt: skip
        blueprint.add_url_rule(_base + _ending, view_func=_view, defaults=_defaults, methods=["GET"])


@blueprint.get(f"{_ONE}/versions")
def get_form_versions(project_id: int, form_id: str) -> Response:
    """The form's published versions, newest first."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        form = find_readable(session, actor, project_id, form_id).form
        how = {"extended": wants_extended(), "may_update": actor.can("form.update", form)}
        return answer_json([published_shape(form, version, publisher, **how) for version, publisher in list_published(session, form)])
