"""Staff accounts: made, given a password and roles, loaded as an actor."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.access.actees import place_actee
from server.access.actor import Actor, Grant, Place
from server.access.audit import record_audit
from server.access.password_strength import MAX_PASSWORD, check_password_strength
from server.access.roles import LISTED_ROLES, ROLES
from server.model import AccountSession, ActorRow, Assignment, User


@cache
def password_hasher(rounds: int) -> PasswordHasher:
    """Argon2id with 64 MB and this many passes."""
    return PasswordHasher(time_cost=rounds, memory_cost=64 * 1024, parallelism=1)


def create_user(
    session: Session, actor: Actor, *, email: str, password: str | None, name: str, division: str | None = None, password_rounds: int = 3,
) -> int:  # fmt: skip
    """The account's actor id; without `password` nobody can sign in to it yet.

    Raises: insufficient_rights, invalid_value, uniqueness_violation (the e-mail is taken), password_too_short and its like.
    """
    actor.require("user.create", Place())
    email = email.strip()
    if "@" not in email or len(email) > 320 or not email.isprintable():
        raise problems.invalid_value("email", "name@host")
    if password is not None:
        check_password_strength(password, email)
    if session.scalar(select(User.actor_id).where(User.email_key == email.lower())) is not None:
        raise problems.uniqueness_violation(["email"], [email])
    row = ActorRow(kind="user", display_name=name.strip() or email, division=division or None, created_at=datetime.now(UTC))
    session.add(row)
    session.flush()
    session.add(User(actor_id=row.id, email=email, email_key=email.lower(), password_hash=password_hasher(password_rounds).hash(password) if password else None))
    session.flush()
    record_audit(session, actor, "user.create", thing=str(row.id), data={"email": email, "displayName": row.display_name})
    return row.id


def get_user_id(session: Session, email: str) -> int:
    """Raises: not_found."""
    found = session.scalar(select(User.actor_id).where(User.email_key == email.strip().lower()))
    if found is None:
        raise problems.not_found()
    return found


def set_password(
    session: Session, actor: Actor, user_id: int, *, password: str, password_rounds: int = 3, keep_session: bytes | None = None
) -> None:
    """The account has this password, and none of its sessions lives on but the one with the key `keep_session`.

    Raises: not_found, insufficient_rights, password_too_short, password_too_long, password_too_weak.
    """
    if actor.id != user_id:
        actor.require("user.update", Place())
    user = session.get(User, user_id)
    if user is None:
        raise problems.not_found()
    check_password_strength(password, user.email)
    user.password_hash = password_hasher(password_rounds).hash(password)
    for row in session.scalars(select(AccountSession).where(AccountSession.actor_id == user_id)):
        if row.token_key != keep_session:
            session.delete(row)
    record_audit(session, actor, "user.update", thing=str(user_id), data={"password": True})


def assign_role(
    session: Session, actor: Actor, user_id: int, role: str, project_id: int | None = None, form_pk: int | None = None
) -> None:
    """The account has the role there, once however often it is given. Raises: insufficient_rights, invalid_value (no such role)."""
    actor.require("assignment.create", Place(project_id, form_pk))
    if role not in ROLES:
        raise problems.invalid_value("role", ", ".join(sorted(ROLES)))
    same = select(Assignment.id).where(
        Assignment.actor_id == user_id, Assignment.role == role, Assignment.project_id.is_not_distinct_from(project_id),
        Assignment.form_id.is_not_distinct_from(form_pk),
    )  # fmt: skip
    if session.scalar(same) is None:
        session.add(Assignment(actor_id=user_id, role=role, project_id=project_id, form_id=form_pk))
        session.flush()
        record_audit(
            session, actor, "user.assignment.create", project_id=project_id, form_pk=form_pk, thing=str(user_id),
            roleId=next(known.number for known in LISTED_ROLES if known.system == role), grantedActeeId=place_actee(project_id, form_pk),
        )  # fmt: skip


def load_actor(session: Session, actor_id: int, *, session_key: bytes | None = None) -> Actor:
    """The actor with all its roles. Raises: authentication_failed (deleted since)."""
    row = session.get(ActorRow, actor_id)
    if row is None or row.deleted_at is not None:
        raise problems.authentication_failed()
    found = session.execute(
        select(Assignment.role, Assignment.project_id, Assignment.form_id).where(Assignment.actor_id == actor_id).limit(200)
    )
    grants = tuple(Grant(*grant) for grant in found if grant[0] in ROLES)
    return Actor(row.id, row.kind, row.display_name, grants, row.division, session_key)


@cache
def _no_ones_hash(rounds: int) -> str:
    """A hash that no password matches, as slow to check as any account's."""
    return password_hasher(rounds).hash(secrets.token_hex(16))


def password_matches(password_hash: str | None, password: str, rounds: int = 3) -> bool:
    """Whether the password is the account's; as slow for an account that does not exist. Call it outside a write transaction."""
    if len(password) > MAX_PASSWORD:
        return False
    try:
        return password_hasher(rounds).verify(password_hash or _no_ones_hash(rounds), password) and password_hash is not None
    except (Argon2Error, InvalidHashError):
        return False
