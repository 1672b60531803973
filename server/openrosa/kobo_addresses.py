"""Kobo-style addresses at the root: the same answers, with Digest or (https) Basic instead of a token."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, request

from server.access.actor import Actor
from server.forms.queries import list_open_forms
from server.http.addresses import base_url
from server.http.digest import phone_by_password
from server.http.parts import parts
from server.openrosa import blueprint
from server.openrosa.answers import text
from server.openrosa.entity_integrity import integrity_answer
from server.openrosa.form_files import form_answer, medium_answer, published_version
from server.openrosa.form_list import form_entry, form_list, manifest, read_manifest
from server.openrosa.submission import ready_for_submissions, receive
from server.problems import insufficient_rights
from server.transactions import transaction


def _phone(username: str | None) -> tuple[Actor, int]:
    """The signed-in phone and its project; under `/{username}/` only the phone of that name."""
    actor, project_id = phone_by_password()
    if username is not None and request.authorization and request.authorization.username != username:
        raise insufficient_rights()
    return actor, project_id


@blueprint.get("/formList", defaults={"username": None})
@blueprint.get("/<username>/formList")
def kobo_get_form_list(username: str | None) -> Response:
    actor, project_id = _phone(username)
    with transaction(parts().engine) as session:
        forms = list_open_forms(session, actor, project_id, form_id=request.args.get("formID"))
    base = text(base_url())
    names = [quote(form.form_id, safe="") for form in forms]
    return form_list([
        form_entry(form, f"{base}/forms/{name}/form.xml", manifest=f"{base}/xformsManifest/{name}") for form, name in zip(forms, names, strict=True)
    ])  # fmt: skip


@blueprint.get("/xformsManifest/<form_id>", defaults={"username": None})
@blueprint.get("/<username>/xformsManifest/<form_id>")
def kobo_get_manifest(username: str | None, form_id: str) -> Response:
    actor, project_id = _phone(username)
    media, hashes = read_manifest(actor, project_id, form_id)
    return manifest(media, f"{base_url()}/forms/{quote(form_id, safe='')}/media/", hashes, f"{base_url()}/datasets/")


@blueprint.get("/forms/<form_id>/form.xml", defaults={"username": None})
@blueprint.get("/<username>/forms/<form_id>/form.xml")
def kobo_get_form_xml(username: str | None, form_id: str) -> Response:
    actor, project_id = _phone(username)
    return form_answer(published_version(actor, project_id, form_id, with_xform=True))


@blueprint.get("/forms/<form_id>/media/<name>", defaults={"username": None})
@blueprint.get("/<username>/forms/<form_id>/media/<name>")
def kobo_get_medium(username: str | None, form_id: str, name: str) -> Response:
    actor, project_id = _phone(username)
    return medium_answer(actor, published_version(actor, project_id, form_id).id, name)


@blueprint.get("/datasets/<name>/integrity")
def kobo_get_integrity(name: str) -> Response:
    actor, project_id = _phone(None)
    return integrity_answer(actor, project_id, name)


@blueprint.route("/submission", methods=["HEAD", "GET", "POST"], defaults={"username": None})
@blueprint.route("/<username>/submission", methods=["HEAD", "GET", "POST"])
def kobo_submission(username: str | None) -> Response:
    actor, project_id = _phone(username)
    return receive(actor, project_id) if request.method == "POST" else ready_for_submissions()
