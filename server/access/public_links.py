"""Public links: addresses by which anyone may fill in one form, without an account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, aliased

from server import problems
from server.access.actees import place_actee
from server.access.actor import Actor
from server.access.audit import record_audit
from server.access.roles import find_role
from server.access.secrets import Secrets, new_token
from server.model import ActorRow, Assignment, Form, PublicLink

LIST_LIMIT = 1000
_ROLE = "pub-link"


@dataclass(frozen=True, slots=True)
class LinkAccess:
    """A link with its token (None once revoked), its actor and who made it."""

    row: ActorRow
    token: str | None
    once: bool
    created_by: ActorRow | None


def create_link(session: Session, actor: Actor, form: Form, *, name: str, once: bool, secrets: Secrets) -> LinkAccess:
    """Whoever has the link's address may fill in this form. Raises: insufficient_rights."""
    actor.require("public_link.create", form)
    row = ActorRow(kind="public_link", display_name=name, project_id=form.project_id, created_at=datetime.now(UTC))
    session.add(row)
    session.flush()
    token = new_token()
    session.add_all([
        PublicLink(actor_id=row.id, project_id=form.project_id, form_pk=form.id, token_key=secrets.lookup_key(token),
                   token_sealed=secrets.seal(token), once=once, created_by=actor.id or None),
        Assignment(actor_id=row.id, role=_ROLE, project_id=form.project_id, form_id=form.id),
    ])  # fmt: skip
    session.flush()
    role, place = find_role(_ROLE), {"project_id": form.project_id, "form_pk": form.id, "thing": str(row.id)}
    granted = {"roleId": role.number if role else None, "grantedActeeId": place_actee(form.project_id, form.id)}
    record_audit(session, actor, "public_link.assignment.create", **place, **granted)  # type: ignore[arg-type]
    record_audit(session, actor, "public_link.create", **place, data={"displayName": name, "once": once})  # type: ignore[arg-type]
    return LinkAccess(row, token, once, session.get(ActorRow, actor.id) if actor.id else None)


def list_links(session: Session, actor: Actor, form: Form, *, secrets: Secrets) -> Sequence[LinkAccess]:
    """The form's links that were not deleted: those that still open it first, then the newest. Raises: insufficient_rights."""
    actor.require("public_link.list", form)
    return _read(session, form, secrets, None)


def get_link(session: Session, actor: Actor, form: Form, link_id: int, *, secrets: Secrets, verb: str = "public_link.read") -> LinkAccess:
    """Raises: insufficient_rights, not_found (also for another form's link)."""
    actor.require(verb, form)
    found = _read(session, form, secrets, link_id)
    if not found:
        raise problems.not_found()
    return found[0]


def _read(session: Session, form: Form, secrets: Secrets, link_id: int | None) -> list[LinkAccess]:
    maker = aliased(ActorRow)
    statement = (
        select(ActorRow, PublicLink, maker).join(PublicLink, PublicLink.actor_id == ActorRow.id)
        .outerjoin(maker, maker.id == PublicLink.created_by).where(PublicLink.form_pk == form.id, ActorRow.deleted_at.is_(None))
        .order_by(PublicLink.revoked_at.is_not(None), ActorRow.created_at.desc(), ActorRow.id.desc()).limit(LIST_LIMIT)
    )  # fmt: skip
    if link_id is not None:
        statement = statement.where(PublicLink.actor_id == link_id)
    return [
        LinkAccess(row, None if link.revoked_at else secrets.unseal(link.token_sealed), link.once, made_by)
        for row, link, made_by in session.execute(statement)
    ]


def delete_link(session: Session, actor: Actor, form: Form, link_id: int, *, secrets: Secrets) -> None:
    """The link opens nothing and is no longer listed; what came by it stays under its name. Raises: insufficient_rights, not_found."""
    row = get_link(session, actor, form, link_id, secrets=secrets, verb="public_link.delete").row
    link, now = session.get_one(PublicLink, link_id), datetime.now(UTC)
    link.revoked_at, row.deleted_at = link.revoked_at or now, now
    session.execute(delete(Assignment).where(Assignment.actor_id == link_id))
    session.flush()
    record_audit(session, actor, "public_link.delete", project_id=form.project_id, form_pk=form.id, thing=str(link_id))
