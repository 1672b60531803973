"""Staff accounts as others see and change them: listed, read, changed, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from server import problems
from server.access.accounts import password_matches, set_password
from server.access.actor import Actor, Place
from server.access.audit import record_audit
from server.access.roles import ROLES, find_role
from server.access.sessions import end_sessions_of
from server.access.user_search import PersonQuery
from server.model import ActorRow, Assignment, User

LIST_LIMIT = 2000
Account = tuple[User, ActorRow]


def _accounts() -> Select[Account]:
    return select(User, ActorRow).join(ActorRow, ActorRow.id == User.actor_id).where(ActorRow.deleted_at.is_(None))


def find_account(session: Session, email: str) -> Account | None:
    """The account that signs in with this e-mail, in any case."""
    row = session.execute(_accounts().where(User.email_key == email.strip().lower())).one_or_none()
    return None if row is None else (row[0], row[1])


def list_users(session: Session, actor: Actor, *, query: str | None = None) -> Sequence[Account]:
    """Accounts by e-mail; with `query`, those whose e-mail or name is like it, the likest first.

    Who may not list them finds one only by its exact e-mail, and nobody otherwise.
    """
    exact = find_account(session, query) if query else None
    if exact is not None:
        return [exact]
    if not actor.can("user.list", Place()):
        return []
    accounts = session.execute(_accounts().order_by(User.email_key).limit(LIST_LIMIT)).all()
    if not query:
        return accounts
    wanted = PersonQuery(query[:100].strip())
    scored = [(wanted.score(user.email, row.display_name), (user, row)) for user, row in accounts]
    return [account for score, account in sorted(scored, key=lambda one: -(one[0] or 0)) if score is not None]


def get_account(session: Session, user_id: int) -> Account:
    """Raises: not_found."""
    row = session.execute(_accounts().where(User.actor_id == user_id)).one_or_none()
    if row is None:
        raise problems.not_found()
    return row[0], row[1]


def get_user(session: Session, actor: Actor, user_id: int, *, verb: str = "user.read") -> Account:
    """The account, for itself or for who may. Raises: not_found, insufficient_rights."""
    account = get_account(session, user_id)
    if actor.id != user_id:
        actor.require(verb, Place())
    return account


def update_user(session: Session, actor: Actor, user_id: int, *, email: str | None, name: str | None) -> Account:
    """The account has this e-mail and name, where given. Raises: not_found, insufficient_rights, invalid_value, uniqueness_violation."""
    user, row = get_user(session, actor, user_id, verb="user.update")
    changed = {}
    if email is not None and email != user.email:
        check_email(session, email)
        user.email, user.email_key = email, email.lower()
        changed["email"] = email
    if name is not None and name != row.display_name:
        changed["displayName"] = row.display_name = name
    row.updated_at = datetime.now(UTC)
    session.flush()
    record_audit(session, actor, "user.update", thing=str(user_id), data=changed)
    return user, row


def check_email(session: Session, email: str) -> None:
    """Raises: invalid_value, uniqueness_violation (another account has it)."""
    name, at, host = email.strip().partition("@")
    if not (name and at and host) or len(email) > 320 or any(c.isspace() or not c.isprintable() for c in email):
        raise problems.unexpected_value("email", email[:320], "name@host")
    if session.scalar(select(User.actor_id).where(User.email_key == email.lower())) is not None:
        raise problems.uniqueness_violation(["email"], [email])


def change_password(session: Session, actor: Actor, user_id: int, *, old: str, new: str, password_rounds: int = 3) -> None:
    """The account has the new password; its other sessions are over. Raises: not_found, insufficient_rights, authentication_failed, passwords'."""
    user, _row = get_user(session, actor, user_id, verb="user.update")
    if not password_matches(user.password_hash, old, password_rounds):
        raise problems.authentication_failed()
    set_password(session, actor, user_id, password=new, password_rounds=password_rounds, keep_session=actor.session_key)


def invalidate_password(session: Session, actor: Actor, user: User) -> None:
    """Nobody signs in with the old password any more, and no session lives on. Raises: insufficient_rights."""
    actor.require("user.password.invalidate", Place())
    user.password_hash = None
    end_sessions_of(session, user.actor_id)
    record_audit(session, actor, "user.update", thing=str(user.actor_id), data={"password": None})


def delete_user(session: Session, actor: Actor, user_id: int) -> None:
    """The account is gone with its roles and sessions; what it did stays under its name. Raises: not_found, insufficient_rights."""
    user, row = get_account(session, user_id)
    actor.require("user.delete", Place())
    session.execute(delete(Assignment).where(Assignment.actor_id == user_id))
    end_sessions_of(session, user_id)
    row.deleted_at = datetime.now(UTC)
    # The e-mail is free for a new account; the old one can never be signed in to again.
    user.email_key, user.password_hash = f"{user.email_key} (deleted {user_id})"[:320], None
    session.flush()
    record_audit(session, actor, "user.delete", thing=str(user_id))


def site_verbs(actor: Actor) -> list[str]:
    """The verbs that the actor has on the whole site, by ODK Central's names."""
    return verbs_on(actor, Place())


def verbs_on(actor: Actor, place: Place) -> list[str]:
    """The verbs that the actor's roles give it there, by ODK Central's names."""
    found: set[str] = set()
    for grant in actor.grants:
        if grant.project_id in (None, place.project_id) and grant.form_pk in (None, place.form_pk) and grant.role in ROLES:
            role = find_role(grant.role)
            found |= role.verbs if role else frozenset()
    return sorted(found)
