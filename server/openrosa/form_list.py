"""formList and manifests (OpenRosa Form List API, Form Manifest API)."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, request
from sqlalchemy.orm import Session

from server.access.actor import Actor, Grant
from server.entities.phone_csv import phone_list
from server.forms.queries import ListedForm, Medium, get_draft, get_form, get_version, list_attachments, list_media, list_open_forms
from server.forms.reading import find_readable
from server.http.addresses import base_url
from server.http.credentials import phone_or_user_reading
from server.http.key_addresses import own_prefix
from server.http.parts import parts
from server.model import ActorRow, FormVersion
from server.openrosa import blueprint
from server.openrosa.answers import text, xml_answer
from server.transactions import transaction


def form_entry(form: ListedForm, address: str, *, manifest: str) -> str:
    """One `xform` element; `address` and `manifest` are absolute and escaped: those of a hundred forms begin alike."""
    media = f"\n      <manifestUrl>{manifest}</manifestUrl>" if form.has_media else ""
    return (
        f"    <xform>\n      <formID>{text(form.form_id)}</formID>\n      <name>{text(form.name or form.form_id)}</name>\n"
        f"      <version>{text(form.version)}</version>\n      <hash>md5:{form.md5}</hash>\n"
        f"      <downloadUrl>{address}</downloadUrl>{media}\n    </xform>\n"
    )


def form_list(entries: list[str]) -> Response:
    """The list of `xform` elements."""
    return xml_answer(['  <xforms xmlns="http://openrosa.org/xforms/xformsList">\n', *entries, "  </xforms>"])


def manifest(media: list[Medium], address: str, hashes: dict[str, str], integrity: str) -> Response:
    """The manifest of the media that are there. `address` and `integrity` are absolute, without the name."""
    entries = []
    for medium in media:
        kind = extra = ""
        if medium.entity_list is not None:
            kind = ' type="approvalEntityList"' if medium.entity_list.approval_required else ' type="entityList"'
            extra = f"\n      <integrityUrl>{text(integrity + quote(medium.entity_list.name, safe='') + '/integrity')}</integrityUrl>"
        entries.append(
            f"    <mediaFile{kind}>\n      <filename>{text(medium.name)}</filename>\n      <hash>md5:{medium.md5 or hashes[medium.name]}</hash>\n"
            f"      <downloadUrl>{text(address + quote(medium.name, safe=''))}</downloadUrl>{extra}\n    </mediaFile>\n"
        )
    return xml_answer(['  <manifest xmlns="http://openrosa.org/xforms/xformsManifest">\n', *entries, "  </manifest>"])


def read_manifest(actor: Actor, project_id: int, form_id: str) -> tuple[list[Medium], dict[str, str]]:
    """The media of the form's current version, and this actor's hashes of its entity lists."""
    with transaction(parts().engine) as session:
        form = get_form(session, actor, project_id, form_id, verb="open_form.read")
        media = list_media(session, get_version(session, form, request.args.get("version")).id)
        lists = [medium for medium in media if medium.entity_list is not None]
        return media, {medium.name: phone_list(session, actor, medium.entity_list).digest for medium in lists if medium.entity_list}


@blueprint.get("/v1/projects/<int:project_id>/formList")
def get_form_list(project_id: int) -> Response:
    with phone_or_user_reading() as (actor, session):
        forms = list_open_forms(session, actor, project_id, form_id=request.args.get("formID"))
    base = text(f"{base_url()}{own_prefix()}/projects/{project_id}/forms/")
    names = [form.form_id if form.form_id.isalnum() and form.form_id.isascii() else quote(form.form_id, safe="") for form in forms]
    return form_list([form_entry(form, f"{base}{name}.xml", manifest=f"{base}{name}/manifest") for form, name in zip(forms, names, strict=True)])


_FORM = "/v1/projects/<int:project_id>/forms/<form_id>"


@blueprint.get(f"{_FORM}/manifest", defaults={"draft": False, "version": None})
@blueprint.get(f"{_FORM}/draft/manifest", defaults={"draft": True, "version": None})
@blueprint.get(f"{_FORM}/versions/<version>/manifest", defaults={"draft": False})
def get_manifest(project_id: int, form_id: str, *, draft: bool, version: str | None) -> Response:
    """The media of a form's version."""
    with phone_or_user_reading() as (actor, session):
        meant = find_readable(session, actor, project_id, form_id, draft=draft, version=version).version
        media = list_media(session, meant.id) if meant is not None else []
        hashes = {medium.name: phone_list(session, actor, medium.entity_list).digest for medium in media if medium.entity_list}
    base = f"{base_url()}{own_prefix()}/projects/{project_id}"
    place = f"{base}/forms/{quote(form_id, safe='')}" + ("/draft" if draft else f"/versions/{quote(version, safe='')}" if version is not None else "")
    return manifest(media, f"{place}/attachments/", hashes, f"{base}/datasets/")


@blueprint.get("/v1/test/<token>/projects/<int:project_id>/forms/<form_id>/draft/formList")
def get_draft_list(token: str, project_id: int, form_id: str) -> Response:
    with transaction(parts().engine) as session:
        form, draft = get_draft(session, project_id, form_id, token)
        listed = ListedForm(form.form_id, draft.title, draft.version, draft.md5, bool(list_attachments(session, draft.id)))
    base = text(f"{base_url()}/v1/test/{token}/projects/{project_id}/forms/{quote(form_id, safe='')}/draft")
    return form_list([form_entry(listed, f"{base}.xml", manifest=f"{base}/manifest")])


@blueprint.get("/v1/test/<token>/projects/<int:project_id>/forms/<form_id>/draft/manifest")
def get_draft_manifest(token: str, project_id: int, form_id: str) -> Response:
    with transaction(parts().engine) as session:
        _form, draft = get_draft(session, project_id, form_id, token)
        media = list_media(session, draft.id)
        reader = draft_reader(session, draft)
        hashes = {medium.name: phone_list(session, reader, medium.entity_list).digest for medium in media if medium.entity_list}
    base = f"{base_url()}/v1/test/{token}/projects/{project_id}"
    return manifest(media, f"{base}/forms/{quote(form_id, safe='')}/draft/attachments/", hashes, f"{base}/datasets/")


def draft_reader(session: Session, draft: FormVersion) -> Actor:
    """Whoever has the test address may read what a phone in the division of who made the draft would."""
    maker = session.get(ActorRow, draft.created_by) if draft.created_by else None
    return Actor(0, "test address", "draft", (Grant("app-user", draft.project_id),), maker.division if maker is not None else None)
