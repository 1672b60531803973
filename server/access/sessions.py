"""Signing in: guarded against guessing, remembered by a hashed token."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from server import problems
from server.access.accounts import load_actor, password_matches
from server.access.actor import Actor, Place
from server.access.audit import record_audit
from server.access.phones import find_phone_by_token, revoke_token
from server.access.secrets import Secrets, new_token
from server.model import AccountSession, SignInFailure, User
from server.transactions import transaction

SESSION_HOURS = 12
# An office shares one address: one person's typing errors must not lock out a colleague.
_ACCOUNT_TRIES, _ADDRESS_TRIES = 5, 60
_MOST_MINUTES = 15
_CHECKS_AT_ONCE = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class NewSession:
    """What the browser keeps. `token` is nowhere else: the database has its SHA-256."""

    token: str
    csrf: str
    created_at: datetime
    expires_at: datetime
    actor_id: int


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def sign_in(engine: Engine, *, email: str, password: str, address: str, user_agent: str, password_rounds: int = 3) -> NewSession:
    """A session of 12 hours. Raises: authentication_failed, too_many_tries (per account and per address, never for good)."""
    actor_id = prove_password(engine, email=email, password=password, address=address, password_rounds=password_rounds)
    with transaction(engine, write=True) as session:
        return _begin(session, actor_id, user_agent)


def prove_password(engine: Engine, *, email: str, password: str, address: str, password_rounds: int = 3) -> int:
    """The account's actor id. Raises: authentication_failed, too_many_tries (per account and per address, never for good).

    Each try is counted before the password is checked, so that many at once are counted too; success takes the count back.
    """
    email_key = email.strip().lower()[:320]
    keys = {f"account:{email_key}": _ACCOUNT_TRIES, f"address:{address}"[:340]: _ADDRESS_TRIES}
    with transaction(engine, write=True) as session:
        _count_try(session, keys)
        found = session.execute(select(User.actor_id, User.password_hash).where(User.email_key == email_key)).one_or_none()
    # Argon2 takes tens of milliseconds and 64 MB: outside any transaction, so that no phone waits, and few at once.
    with _CHECKS_AT_ONCE:
        matches = password_matches(found[1] if found else None, password, password_rounds)
    if found is None or not matches:
        raise problems.authentication_failed()
    with transaction(engine, write=True) as session:
        session.execute(delete(SignInFailure).where(SignInFailure.key.in_(keys)))
    actor_id: int = found[0]
    return actor_id


def _count_try(session: Session, keys: dict[str, int]) -> None:
    """One more try for each key, or too_many_tries (and then not counted: who waits is let in again)."""
    now = datetime.now(UTC)
    for key, free_tries in keys.items():
        row = session.get(SignInFailure, key, with_for_update=True)
        if row is None:
            session.add(SignInFailure(key=key, failures=1, last_at=now))
            continue
        if row.last_at < now - timedelta(hours=1):
            row.failures = 0
        over = row.failures - free_tries
        wait = row.last_at + timedelta(minutes=min(_MOST_MINUTES, 2 ** min(over, 10) / 4)) - now if over >= 0 else timedelta()
        if wait > timedelta():
            raise problems.too_many_tries(max(1, round(wait.total_seconds() / 60)))
        row.failures, row.last_at = row.failures + 1, now


def _begin(session: Session, actor_id: int, user_agent: str) -> NewSession:
    now = datetime.now(UTC)
    made = NewSession(new_token(), new_token(), now, now + timedelta(hours=SESSION_HOURS), actor_id)
    session.add(
        AccountSession(token_key=_key(made.token), actor_id=actor_id, csrf=made.csrf, created_at=now, expires_at=made.expires_at,
                       user_agent="".join(c for c in user_agent if c.isprintable())[:255])
    )  # fmt: skip
    user = session.get(User, actor_id)
    if user is not None:
        user.last_sign_in_at = now
    session.flush()
    record_audit(session, load_actor(session, actor_id), "user.session.create", thing=str(actor_id), userAgent=user_agent[:255] or None)
    return made


def find_session_actor(session: Session, token: str) -> tuple[Actor, str] | None:
    """The actor and the CSRF token of a session that has not ended; None otherwise."""
    if not token or len(token) > 200:
        return None
    row = session.get(AccountSession, _key(token))
    if row is None or row.expires_at < datetime.now(UTC):
        return None
    return load_actor(session, row.actor_id, session_key=row.token_key), row.csrf


def end_session(session: Session, actor: Actor) -> None:
    """The session that the actor came with is over."""
    if actor.session_key is not None:
        session.execute(delete(AccountSession).where(AccountSession.token_key == actor.session_key))
        record_audit(session, actor, "user.session.end")


def read_session(session: Session, actor: Actor) -> tuple[datetime, datetime]:
    """When the actor's session began and will end. Raises: not_found (it came with no session)."""
    row = session.get(AccountSession, actor.session_key) if actor.session_key else None
    if row is None:
        raise problems.not_found()
    return row.created_at, row.expires_at


def end_session_by_token(session: Session, actor: Actor, token: str | None, *, secrets: Secrets) -> bool:
    """The session with this token (None: the actor's own) is over, or the phone or public link with it revoked; whether it was the own one.

    Raises: not_found (the actor came with no session), insufficient_rights (also where there is none with this token: it tells no one).
    """
    key = actor.session_key if token is None else _key(token)
    row = session.get(AccountSession, key) if key else None
    if row is not None:
        if row.actor_id != actor.id:
            actor.require("session.end", Place())
        session.delete(row)
        return row.token_key == actor.session_key
    if token is None:
        raise problems.not_found() if actor.kind == "user" else problems.insufficient_rights()
    found = find_phone_by_token(session, token, secrets)
    if found is None or found.id == actor.id:
        raise problems.insufficient_rights()
    revoke_token(session, actor, found.id)
    return False


def end_sessions_of(session: Session, actor_id: int, *, but: bytes | None = None) -> None:
    """None of the account's sessions lives on, except the one with the key `but`."""
    session.execute(delete(AccountSession).where(AccountSession.actor_id == actor_id, AccountSession.token_key.is_distinct_from(but)))


_MOST_SESSIONS = 200


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that has not ended. `id` names it to its owner and opens nothing."""

    id: str
    created_at: datetime
    expires_at: datetime
    user_agent: str | None
    is_own: bool


def list_sessions(session: Session, actor: Actor) -> list[OpenSession]:
    """The actor's own sessions, newest first; `is_own` marks the one it came with."""
    statement = select(AccountSession).where(AccountSession.actor_id == actor.id, AccountSession.expires_at > datetime.now(UTC))
    return [
        OpenSession(row.token_key.hex()[:32], row.created_at, row.expires_at, row.user_agent, row.token_key == actor.session_key)
        for row in session.scalars(statement.order_by(AccountSession.created_at.desc()).limit(_MOST_SESSIONS))
    ]


def end_listed_session(session: Session, actor: Actor, session_id: str) -> None:
    """One of the actor's own sessions is over. Raises: not_found."""
    for row in session.scalars(select(AccountSession).where(AccountSession.actor_id == actor.id).limit(_MOST_SESSIONS)):
        if row.token_key.hex()[:32] == session_id:
            session.delete(row)
            record_audit(session, actor, "user.session.end", thing=str(actor.id))
            return
    raise problems.not_found()
