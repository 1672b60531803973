"""Who has which role where: given, taken back, listed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server import problems
from server.access.actees import place_actee
from server.access.actor import Actor, Place
from server.access.audit import record_audit
from server.access.roles import Role
from server.model import ActorRow, Assignment, Form

_KINDS = {"phone": "field_key"}
LIST_LIMIT = 5000


def get_assignable(session: Session, actor_id: int) -> ActorRow:
    """The actor that is to have a role. Raises: not_found."""
    row = session.get(ActorRow, actor_id)
    if row is None or row.deleted_at is not None:
        raise problems.not_found()
    return row


def _at(row_project_id: int | None, form_pk: int | None) -> list[object]:
    return [Assignment.project_id.is_not_distinct_from(row_project_id), Assignment.form_id.is_not_distinct_from(form_pk)]


def give_role(session: Session, actor: Actor, holder: ActorRow, role: Role, place: Place) -> None:
    """The holder has the role there.

    Raises: insufficient_rights (also for a role that can do more than the giver can there), uniqueness_violation (it has it already).
    """
    actor.require("assignment.create", place)
    if not all(actor.can(verb, place) for verb in role.verbs):
        raise problems.insufficient_rights()
    if session.scalar(select(Assignment.id).where(Assignment.actor_id == holder.id, Assignment.role == role.system, *_at(place.project_id, place.form_pk))):  # type: ignore[arg-type]
        actee = place_actee(place.project_id, place.form_pk)
        raise problems.uniqueness_violation(["actorId", "roleId", "acteeId"], [str(holder.id), str(role.number), actee])
    session.add(Assignment(actor_id=holder.id, role=role.system, project_id=place.project_id, form_id=place.form_pk))
    session.flush()
    _record(session, actor, holder, "create", role, place)


def take_role(session: Session, actor: Actor, holder: ActorRow, role: Role, place: Place) -> None:
    """The holder no longer has the role there. Raises: insufficient_rights, not_found (it had not)."""
    actor.require("assignment.delete", place)
    gone = session.execute(
        delete(Assignment).where(Assignment.actor_id == holder.id, Assignment.role == role.system, *_at(place.project_id, place.form_pk))  # type: ignore[arg-type]
    )
    if gone.rowcount == 0:  # type: ignore[attr-defined]
        raise problems.not_found()
    _record(session, actor, holder, "delete", role, place)


def _record(session: Session, actor: Actor, holder: ActorRow, what: str, role: Role, place: Place) -> None:
    actee = "grantedActeeId" if what == "create" else "revokedActeeId"
    details = {"roleId": role.number, actee: place_actee(place.project_id, place.form_pk)}
    action = f"{_KINDS.get(holder.kind, holder.kind)}.assignment.{what}"
    record_audit(session, actor, action, project_id=place.project_id, form_pk=place.form_pk, thing=str(holder.id), **details)


def list_assignments(session: Session, actor: Actor, place: Place, *, role: Role | None = None) -> Sequence[tuple[Assignment, ActorRow]]:
    """Assignments at exactly this place, with who holds them. Raises: insufficient_rights."""
    actor.require("assignment.list", place)
    statement = select(Assignment, ActorRow).join(ActorRow, ActorRow.id == Assignment.actor_id).where(*_at(place.project_id, place.form_pk))  # type: ignore[arg-type]
    if role is not None:
        statement = statement.where(Assignment.role == role.system)
    return session.execute(statement.where(ActorRow.deleted_at.is_(None)).order_by(Assignment.id).limit(LIST_LIMIT)).all()


def list_form_assignments(
    session: Session, actor: Actor, project_id: int, *, role: Role | None = None
) -> Sequence[tuple[Assignment, ActorRow, Form]]:
    """All assignments on single forms of a project. Raises: insufficient_rights."""
    actor.require("assignment.list", Place(project_id))
    statement = (
        select(Assignment, ActorRow, Form).join(ActorRow, ActorRow.id == Assignment.actor_id).join(Form, Form.id == Assignment.form_id)
        .where(Assignment.project_id == project_id, Form.deleted_at.is_(None))
    )  # fmt: skip
    if role is not None:
        statement = statement.where(Assignment.role == role.system)
    return session.execute(statement.order_by(Assignment.id).limit(LIST_LIMIT)).all()
