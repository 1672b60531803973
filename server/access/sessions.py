"""Signing in: guarded against guessing, remembered by a hashed token."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from server import problems
from server.access.accounts import load_actor, password_matches
from server.access.actor import Actor
from server.access.audit import record_audit
from server.model import AccountSession, SignInFailure, User
from server.transactions import transaction

SESSION_HOURS = 12
_FREE_TRIES = 5
_MOST_MINUTES = 15


@dataclass(frozen=True, slots=True)
class NewSession:
    """What the browser keeps. `token` is nowhere else: the database has its SHA-256."""

    token: str
    csrf: str
    expires_at: datetime
    actor_id: int


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def sign_in(engine: Engine, *, email: str, password: str, address: str, user_agent: str) -> NewSession:
    """A session of 12 hours. Raises: authentication_failed, too_many_tries (per account and per address, never for good)."""
    email_key = email.strip().lower()[:320]
    keys = [f"account:{email_key}", f"address:{address}"[:340]]
    with transaction(engine) as session:
        _require_patience(session, keys)
        found = session.execute(select(User.actor_id, User.password_hash).where(User.email_key == email_key)).one_or_none()
    # Argon2 takes tens of milliseconds: outside any transaction, so that no phone waits for it.
    matches = password_matches(found[1] if found else None, password)
    with transaction(engine, write=True) as session:
        if found is None or not matches:
            _note_failure(session, keys)
        else:
            return _begin(session, found[0], keys[0], user_agent)
    raise problems.authentication_failed()


def _wait_until(failure: SignInFailure) -> datetime:
    over = failure.failures - _FREE_TRIES
    return failure.last_at + timedelta(minutes=min(_MOST_MINUTES, 2**over / 4)) if over >= 0 else failure.last_at


def _require_patience(session: Session, keys: list[str]) -> None:
    now = datetime.now(UTC)
    waits = [_wait_until(row) - now for row in session.scalars(select(SignInFailure).where(SignInFailure.key.in_(keys)))]
    longest = max(waits, default=timedelta())
    if longest > timedelta():
        raise problems.too_many_tries(max(1, round(longest.total_seconds() / 60)))


def _note_failure(session: Session, keys: list[str]) -> None:
    now = datetime.now(UTC)
    for key in keys:
        row = session.get(SignInFailure, key)
        if row is None:
            session.add(SignInFailure(key=key, failures=1, last_at=now))
        else:
            row.failures = 1 if row.last_at < now - timedelta(hours=1) else row.failures + 1
            row.last_at = now


def _begin(session: Session, actor_id: int, account_key: str, user_agent: str) -> NewSession:
    now = datetime.now(UTC)
    made = NewSession(secrets.token_urlsafe(48), secrets.token_urlsafe(32), now + timedelta(hours=SESSION_HOURS), actor_id)
    session.add(
        AccountSession(token_key=_key(made.token), actor_id=actor_id, csrf=made.csrf, created_at=now, expires_at=made.expires_at,
                       user_agent="".join(c for c in user_agent if c.isprintable())[:255])
    )  # fmt: skip
    session.execute(delete(SignInFailure).where(SignInFailure.key == account_key))
    user = session.get(User, actor_id)
    if user is not None:
        user.last_sign_in_at = now
    session.flush()
    record_audit(session, load_actor(session, actor_id), "user.session.create")
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
