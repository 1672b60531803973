"""Phones (app users): made, shown again as a QR code, revoked; found by token or by user name."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, aliased

from server import problems
from server.access.actor import Actor, Grant, Place, division_end
from server.access.audit import record_audit
from server.access.secrets import Secrets, new_password, new_token
from server.model import ActorRow, Assignment, Phone, Project, PublicLink, Submission
from server.transactions import Statement


@dataclass(frozen=True, slots=True)
class PhoneAccess:
    """A phone with what its QR code says. `token`, `username`, `password` are None once revoked."""

    id: int
    name: str
    division: str | None
    project_id: int
    token: str | None
    username: str | None
    password: str | None
    created_at: datetime
    last_seen_at: datetime | None


def create_phone(
    session: Session, actor: Actor, project_id: int, *, name: str, division: str | None, secrets: Secrets, all_forms: bool = True
) -> PhoneAccess:
    """A phone may fill in and send the project's forms; bound to a division it sees that division's people only.

    Without `all_forms` it may use the forms alone that it is given by assignments, as ODK Central's programs expect.

    Raises: insufficient_rights, not_found (no such project), invalid_value (no name; division is no prefix of digits).
    """
    name = name.strip()
    actor.require("field_key.create", Place(project_id, division=division or ""))
    if session.get(Project, project_id) is None:
        raise problems.not_found()
    if not name or len(name) > 255:
        raise problems.invalid_value("displayName", "1-255 characters")
    _require_division(division)
    now = datetime.now(UTC)
    row = ActorRow(kind="phone", display_name=name, project_id=project_id, division=division or None, created_at=now)
    session.add(row)
    session.flush()
    token, password, username = new_token(), new_password(), f"phone{row.id}"
    session.add(
        Phone(actor_id=row.id, project_id=project_id, token_key=secrets.lookup_key(token), token_sealed=secrets.seal(token),
              username=username, password_sealed=secrets.seal(password), created_by=actor.id or None)
    )  # fmt: skip
    if all_forms:
        session.add(Assignment(actor_id=row.id, role="app-user", project_id=project_id))
    session.flush()
    record_audit(session, actor, "field_key.create", project_id=project_id, thing=str(row.id))
    return PhoneAccess(row.id, name, row.division, project_id, token, username, password, now, None)


def _require_division(division: str | None) -> None:
    if division and not (division.isascii() and division.isdigit() and len(division) <= 12):
        raise problems.invalid_value("division", "2-12 digits")


def move_phone(session: Session, actor: Actor, phone_id: int, *, division: str | None) -> None:
    """The phone belongs to this division from now on (None: to none): what it may see is at its next sync that division's, and no other's.

    Raises: not_found, insufficient_rights (in the old place or in the new), invalid_value.
    """
    row, phone = _get(session, actor, "field_key.update", phone_id)
    _require_division(division)
    actor.require("field_key.update", Place(phone.project_id, division=division or ""))
    if (division or None) == row.division:
        return
    before, row.division = row.division, division or None
    session.flush()
    record_audit(session, actor, "field_key.update", project_id=phone.project_id, thing=str(phone_id), division=row.division, before=before)


def _access(row: ActorRow, phone: Phone, secrets: Secrets) -> PhoneAccess:
    revoked = phone.revoked_at is not None
    return PhoneAccess(
        row.id, row.display_name, row.division, phone.project_id,
        None if revoked else secrets.unseal(phone.token_sealed), None if revoked else phone.username,
        None if revoked else secrets.unseal(phone.password_sealed), row.created_at, phone.last_seen_at,
    )  # fmt: skip


def list_phones(session: Session, actor: Actor, project_id: int, *, secrets: Secrets, after: int = 0, limit: int = 100) -> list[PhoneAccess]:
    """The next phones of a project by id, revoked ones included. Raises: insufficient_rights."""
    actor.require("phone.list", Place(project_id))
    statement = (
        select(ActorRow, Phone).join(Phone, Phone.actor_id == ActorRow.id)
        .where(Phone.project_id == project_id, ActorRow.id > after).order_by(ActorRow.id).limit(limit)
    )  # fmt: skip
    if actor.division:
        statement = statement.where(ActorRow.division.startswith(actor.division, autoescape=True))
    return [_access(row, phone, secrets) for row, phone in session.execute(statement)]


def list_phone_rows(
    session: Session, actor: Actor, project_id: int, *, secrets: Secrets, phone_id: int | None = None, limit: int = 5000
) -> list[tuple[PhoneAccess, ActorRow, ActorRow | None]]:
    """A project's phones with their tokens and who made them: those that still open something first, then the newest.

    Deleted ones are left out. Raises: insufficient_rights.
    """
    actor.require("field_key.list", Place(project_id))
    maker = aliased(ActorRow)
    statement = (
        select(ActorRow, Phone, maker).join(Phone, Phone.actor_id == ActorRow.id).outerjoin(maker, maker.id == Phone.created_by)
        .where(Phone.project_id == project_id, ActorRow.deleted_at.is_(None))
        .order_by(Phone.revoked_at.is_not(None), ActorRow.created_at.desc(), ActorRow.id.desc()).limit(limit)
    )  # fmt: skip
    if phone_id is not None:
        statement = statement.where(Phone.actor_id == phone_id)
    if actor.division:
        statement = statement.where(ActorRow.division >= actor.division, ActorRow.division < division_end(actor.division))
    return [(_access(row, phone, secrets), row, made_by) for row, phone, made_by in session.execute(statement)]


def delete_phone(session: Session, actor: Actor, project_id: int, phone_id: int) -> None:
    """The phone is revoked and no longer listed; what it sent stays under its name. Raises: not_found, insufficient_rights."""
    row, phone = _get(session, actor, "field_key.delete", phone_id)
    if phone.project_id != project_id or row.deleted_at is not None:
        raise problems.not_found()
    now = datetime.now(UTC)
    phone.revoked_at, row.deleted_at = phone.revoked_at or now, now
    session.execute(delete(Assignment).where(Assignment.actor_id == phone_id))
    record_audit(session, actor, "field_key.delete", project_id=project_id, thing=str(phone_id))


def last_submissions(session: Session, phone_ids: list[int]) -> dict[int, datetime]:
    """When each phone last sent a submission."""
    statement = select(Submission.submitter_id, func.max(Submission.received_at)).where(Submission.submitter_id.in_(phone_ids))
    return {row[0]: row[1] for row in session.execute(statement.group_by(Submission.submitter_id))}


def get_phone(session: Session, actor: Actor, phone_id: int, *, secrets: Secrets) -> PhoneAccess:
    """Raises: not_found, insufficient_rights."""
    row, phone = _get(session, actor, "phone.list", phone_id)
    return _access(row, phone, secrets)


def _get(session: Session, actor: Actor, verb: str, phone_id: int) -> tuple[ActorRow, Phone]:
    row, phone = session.get(ActorRow, phone_id), session.get(Phone, phone_id)
    if row is None or phone is None:
        raise problems.not_found()
    actor.require(verb, Place(phone.project_id, division=row.division or ""))
    return row, phone


def revoke_phone(session: Session, actor: Actor, phone_id: int) -> None:
    """The phone's token and password open nothing any more, from this commit on. Raises: not_found, insufficient_rights."""
    _row, phone = _get(session, actor, "field_key.delete", phone_id)
    if phone.revoked_at is None:
        phone.revoked_at = datetime.now(UTC)
        record_audit(session, actor, "field_key.session.end", project_id=phone.project_id, thing=str(phone_id))


def revoke_token(session: Session, actor: Actor, holder_id: int) -> None:
    """The phone's or public link's token opens nothing any more. Raises: not_found, insufficient_rights."""
    link = session.get(PublicLink, holder_id)
    row = link or session.get(Phone, holder_id)
    holder = session.get(ActorRow, holder_id)
    if row is None or holder is None:
        raise problems.not_found()
    actor.require("session.end", Place(row.project_id, division=holder.division or ""))
    if row.revoked_at is None:
        row.revoked_at = datetime.now(UTC)
        action = "field_key.session.end" if link is None else "public_link.session.end"
        record_audit(session, actor, action, project_id=row.project_id, thing=str(holder_id))


def note_phone_seen(session: Session, phone_id: int) -> None:
    """Staff see that the phone was here now."""
    session.execute(update(Phone).where(Phone.actor_id == phone_id).values(last_seen_at=datetime.now(UTC)))


_BY_TOKEN = (
    select(ActorRow.id, ActorRow.display_name, ActorRow.division, Phone.project_id)
    .join(Phone, Phone.actor_id == ActorRow.id)
    .where(Phone.revoked_at.is_(None), ActorRow.deleted_at.is_(None))
)
# Asked at each request of a phone: one statement by the driver alone, a row for each of its assignments.
_HOLDER = (
    "SELECT actors.id, actors.display_name, actors.division, assignments.role, assignments.project_id, assignments.form_id"
    " FROM {table} JOIN actors ON actors.id = {table}.actor_id LEFT JOIN assignments ON assignments.actor_id = actors.id"
    " WHERE {table}.token_key = :key AND {table}.revoked_at IS NULL AND actors.deleted_at IS NULL LIMIT 2000"
)
_HOLDERS = {"phone": Statement(_HOLDER.format(table="phones")), "public_link": Statement(_HOLDER.format(table="public_links"))}


def _grants(session: Session, actor_id: int) -> tuple[Grant, ...]:
    columns = Assignment.__table__.c
    found = session.connection().execute(
        select(columns.role, columns.project_id, columns.form_id).where(columns.actor_id == actor_id).limit(2000)
    )
    return tuple(Grant(*row) for row in found)


def find_phone_by_token(session: Session, token: str, secrets: Secrets) -> Actor | None:
    """The phone, or the public link, whose address carries `token`; None if there is none or it was revoked."""
    key = secrets.lookup_key(token)
    for kind, statement in _HOLDERS.items():
        found = _holder(kind, statement.on(session, {"key": key}).fetchall())
        if found is not None:
            return found
    return None


def find_phone_by_driver(cursor: Any, key: bytes, *, postgresql: bool) -> Actor | None:
    """The phone (no public link) whose token has this lookup key, outside any Session; None if there is none or it was revoked."""
    return _holder("phone", _HOLDERS["phone"].by_driver(cursor, {"key": key}, postgresql=postgresql).fetchall())


def _holder(kind: str, rows: Any) -> Actor | None:
    if not rows:
        return None
    return Actor(rows[0][0], kind, rows[0][1], tuple(Grant(*row[3:]) for row in rows if row[3] is not None), rows[0][2])


def find_phone_by_username(session: Session, username: str, realm: str, secrets: Secrets) -> tuple[Actor, str, int] | None:
    """The phone, its Digest HA1 (hex MD5 of username:realm:password, RFC 2617) and its project; None if there is none or it was revoked."""
    row = session.execute(_BY_TOKEN.add_columns(Phone.password_sealed).where(Phone.username == username)).one_or_none()
    if row is None:
        return None
    secret = f"{username}:{realm}:{secrets.unseal(row[4])}".encode()
    actor = Actor(row[0], "phone", row[1], _grants(session, row[0]), row[2])
    return actor, hashlib.md5(secret, usedforsecurity=False).hexdigest(), row[3]


def phone_settings(base_url: str, phone: PhoneAccess, *, project_name: str) -> dict[str, Any]:
    """What a QR code tells ODK Collect: server address, updates, sending, language (docs: collect-import-export)."""
    return {
        "general": {
            "server_url": f"{base_url}/v1/key/{phone.token}/projects/{phone.project_id}",
            "form_update_mode": "match_exactly",
            "periodic_form_updates_check": "every_24_hours",
            "autosend": "wifi_and_cellular",
            "metadata_username": phone.name,
            "app_language": "zh",
        },
        "project": {"name": project_name[:50], "icon": project_name[:1] or "民"},
        "admin": {},
    }


def qr_text(settings: dict[str, Any]) -> str:
    """The settings as Collect reads them from a QR code: JSON, zlib, base64."""
    return base64.b64encode(zlib.compress(orjson.dumps(settings), 9)).decode()
