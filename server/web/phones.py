"""Phones: the list, a new one, its QR code, revocation."""

from __future__ import annotations

import io

import segno
from flask import Response, redirect, request, url_for

from server import problems
from server.access import phones
from server.access.actor import Actor, Place
from server.access.phones import PhoneAccess
from server.http.addresses import base_url
from server.http.parts import parts
from server.model import Project
from server.transactions import transaction
from server.web import blueprint
from server.web.pages import number_argument, page
from server.web.showing import divisions_within
from server.web.visitor import visitor

_PAGE = 100


def svg(text: str) -> Response:
    """The text as a QR code in SVG; nothing in it runs."""
    written = io.BytesIO()
    segno.make(text, error="m").save(written, kind="svg", border=4, scale=4, svgns=True, xmldecl=True, omitsize=True)
    response = Response(written.getvalue(), content_type="image/svg+xml")
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _read_phone(actor: Actor, project_id: int, phone_id: int, verb: str) -> tuple[PhoneAccess, str]:
    """The phone and its project's name. `phone.read` is needed for what signs a phone in. Raises: not_found, insufficient_rights."""
    with transaction(parts().engine) as session:
        phone = phones.get_phone(session, actor, phone_id, secrets=parts().secrets)
        project = session.get(Project, project_id)
    if project is None or phone.project_id != project_id:
        raise problems.not_found()
    actor.require(verb, Place(project_id, division=phone.division or ""))
    return phone, project.name


@blueprint.get("/projects/<int:project_id>/phones")
def list_phones(project_id: int) -> Response:
    """Phones by id, 100 to a page, revoked ones included."""
    actor = visitor().actor
    with transaction(parts().engine) as session:
        found = phones.list_phones(
            session, actor, project_id, secrets=parts().secrets, after=number_argument("after") or 0, limit=_PAGE + 1
        )
    after = found[_PAGE - 1].id if len(found) > _PAGE else None
    may_create = actor.can("field_key.create", Place(project_id))
    return page("phones.html", phones=found[:_PAGE], after=after, may_create=may_create, divisions=divisions_within(actor))


@blueprint.post("/projects/<int:project_id>/phones")
def create_phone(project_id: int) -> Response:
    """The phone is there, and its QR code on the page that follows."""
    name, division = request.form.get("name", ""), request.form.get("division") or None
    with transaction(parts().engine, write=True) as session:
        made = phones.create_phone(session, visitor().actor, project_id, name=name, division=division, secrets=parts().secrets)
    return redirect(url_for("web.show_phone", project_id=project_id, phone_id=made.id), 303)  # type: ignore[return-value]


@blueprint.get("/projects/<int:project_id>/phones/<int:phone_id>")
def show_phone(project_id: int, phone_id: int) -> Response:
    """One phone; its QR code for whoever may hand it out."""
    actor = visitor().actor
    phone, _name = _read_phone(actor, project_id, phone_id, "phone.list")
    place = Place(project_id, division=phone.division or "")
    return page("phone.html", phone=phone, address=base_url(), may_read=actor.can("phone.read", place), may_revoke=actor.can("field_key.delete", place))


@blueprint.get("/projects/<int:project_id>/phones/<int:phone_id>/qr.svg")
def phone_qr(project_id: int, phone_id: int) -> Response:
    """What ODK Collect scans. Not there for a revoked phone."""
    phone, name = _read_phone(visitor().actor, project_id, phone_id, "phone.read")
    if phone.token is None:
        raise problems.not_found()
    return svg(phones.qr_text(phones.phone_settings(base_url(), phone, project_name=name)))


@blueprint.post("/projects/<int:project_id>/phones/<int:phone_id>/revoke")
def revoke_phone(project_id: int, phone_id: int) -> Response:
    """The phone opens nothing any more."""
    _read_phone(visitor().actor, project_id, phone_id, "field_key.delete")
    with transaction(parts().engine, write=True) as session:
        phones.revoke_phone(session, visitor().actor, phone_id)
    return redirect(url_for("web.show_phone", project_id=project_id, phone_id=phone_id), 303)  # type: ignore[return-value]
