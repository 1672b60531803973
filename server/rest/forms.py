"""Forms: listed, made from .xlsx or XML, changed, deleted and restored."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.access.audit import remember_notes
from server.access.projects import find_project
from server.forms.bare_ampersands import escape_bare_ampersands
from server.forms.compile import compile_xlsform
from server.forms.drafts import find_form, put_attachment, save_draft
from server.forms.fields import FormDefinition, read_form_definition
from server.forms.publish import STATES, delete_form, publish_draft, restore_form, update_form
from server.forms.reading import FormInVersion, count_forms, find_readable, find_trashed, list_readable
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import action_notes, answer_json, answer_success, is_true, wants_extended
from server.http.json_body import flag_of, json_object
from server.http.parts import parts
from server.model import Form, FormVersion
from server.problems import Problem
from server.rest import blueprint
from server.rest.form_shapes import XLSX, extended_form_shape, form_shape
from server.storage import Blob
from server.transactions import transaction

_ALL = "/projects/<int:project_id>/forms"
_ONE = _ALL + "/<form_id>"
_EXCEL = (XLSX, "application/vnd.ms-excel")
_MOST_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class SentForm:
    """A form as it came: its XForm, and what is kept beside it where it was an .xlsx."""

    xform: bytes
    definition: FormDefinition
    xlsx: Blob | None
    itemsets: Blob | None
    warnings: list[dict[str, Any]]


def read_sent_form() -> SentForm:
    """The request's form; compiling takes seconds, outside any transaction. Raises: what compiling and reading raise, request_too_large."""
    if (request.content_length or 0) > _MOST_BYTES:
        raise problems.request_too_large()
    content = request.get_data(cache=False)
    if request.mimetype in _EXCEL:
        fallback = request.headers.get("X-XlsForm-FormId-Fallback") or None
        compiled = compile_xlsform(content, file_name="form.xlsx", form_id_fallback=fallback)
        keep = parts().storage.keep_bytes
        return SentForm(
            compiled.xform, read_form_definition(compiled.xform), keep(content), keep(compiled.itemsets) if compiled.itemsets is not None else None,
            [asdict(warning) for warning in compiled.warnings],
        )  # fmt: skip
    if not content.strip():
        raise problems.missing_parameter("formId")
    try:
        # White space before `<?xml` is no XML, and phones would stumble over it.
        return _read_xml(content.lstrip())
    except Problem as problem:
        # XML, but no form: ODK Central says which part it looked for first.
        raise problems.missing_parameter("formId") if problem.code == "400.15" else problem from None


def _read_xml(xform: bytes) -> SentForm:
    """An XForm, with its bare ampersands escaped where it cannot be read without that. Raises: what reading raises."""
    try:
        return SentForm(xform, read_form_definition(xform), None, None, [])
    except Problem as problem:
        escaped = escape_bare_ampersands(xform)
        if problem.code != "400.1" or escaped is xform:
            raise
        return SentForm(escaped, read_form_definition(escaped), None, None, [])


def put_sent_form(session: Session, actor: Actor, project_id: int, sent: SentForm, *, form: Form | None) -> Form:
    """The sent form is the form's draft, or a new form's."""
    saved = save_draft(
        session, actor, project_id, xform=sent.xform, definition=sent.definition, xlsx=sent.xlsx, form=form, must_be_new=form is None,
        ignore_warnings=is_true("ignoreWarnings"), warnings=sent.warnings,
    )  # fmt: skip
    if sent.itemsets is not None and "itemsets.csv" in {name for name, _kind in sent.definition.attachments}:
        put_attachment(session, actor, saved, "itemsets.csv", sent.itemsets)
    return saved


def shown_form(session: Session, actor: Actor, row: FormInVersion, *, draft: bool = False) -> dict[str, Any]:
    """The form's JSON, extended where the client asked for it."""
    if not wants_extended():
        return form_shape(row)
    counts = count_forms(session, actor, [row.form], draft=draft)[row.form.id]
    return extended_form_shape(session, row, counts, may_update=actor.can("form.update", row.form))


@blueprint.get(_ALL)
@described(query={"deleted": "boolean"})
def get_forms(project_id: int) -> Response:
    """A project's forms; with deleted=true those in the trash."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        find_project(session, project_id)
        rows = list_readable(session, actor, project_id, deleted=is_true("deleted"))
        if not wants_extended():
            return answer_json([form_shape(row) for row in rows])
        counts = count_forms(session, actor, [row.form for row in rows])
        return answer_json([extended_form_shape(session, row, counts[row.form.id]) for row in rows])


@blueprint.post(_ALL)
@described(query={"publish": "boolean", "ignoreWarnings": "boolean"}, media=(XLSX, "application/xml"))
def post_form(project_id: int) -> Response:
    """A new form from .xlsx or XML, as a draft or published at once."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        find_project(session, project_id)
    actor.require("form.create", Place(project_id))
    sent = read_sent_form()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        form = put_sent_form(session, actor, project_id, sent, form=None)
        if is_true("publish"):
            publish_draft(session, actor, form, at=form.created_at)
        version = session.get(FormVersion, form.current_version_id or form.draft_version_id)
        return answer_json(form_shape(FormInVersion(form, version)))


@blueprint.patch(_ONE)
@described(body={"state": "string", "webformsEnabled": "boolean"})
def patch_form(project_id: int, form_id: str) -> Response:
    """Open, close or change a form."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        form = _form(session, project_id, form_id)
        actor.require("form.update", form)
        update_form(session, actor, form, form_changes(body))
        return answer_json(form_shape(find_readable(session, actor, project_id, form_id)))


def form_changes(body: dict[str, Any]) -> dict[str, Any]:
    """What a body says of a form's own columns. Raises: unexpected_value, invalid_data_type."""
    changes: dict[str, Any] = {}
    if body.get("state") is not None:
        if body["state"] not in STATES:
            raise problems.unexpected_value("state", str(body["state"])[:100], f"must be one of {', '.join(STATES)}")
        changes["state"] = body["state"]
    if body.get("webformsEnabled") is not None:
        changes["web_forms_enabled"] = flag_of(body, "webformsEnabled")
    return changes


@blueprint.delete(_ONE)
def remove_form(project_id: int, form_id: str) -> Response:
    """Put a form into the trash, for 30 days."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        delete_form(session, actor, _form(session, project_id, form_id))
    return answer_success()


@blueprint.post(_ALL + "/<int:form_pk>/restore")
def post_form_restore(project_id: int, form_pk: int) -> Response:
    """Take a form, by its number, out of the trash."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        restore_form(session, actor, find_trashed(session, project_id, form_pk))
    return answer_success()


def _form(session: Session, project_id: int, form_id: str) -> Form:
    find_project(session, project_id)
    form = find_form(session, project_id, form_id)
    if form is None:
        raise problems.not_found()
    return form


@blueprint.get("/form-links/<link_id>/form")
def get_linked_form(link_id: str) -> Response:  # noqa: ARG001 - no form has an Enketo link here
    """A form by its Enketo link: there is no Enketo beside minqing, so there is none."""
    authenticate()
    raise problems.not_found()
