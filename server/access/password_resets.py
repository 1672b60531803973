"""A new password by a token that was sent to the account's e-mail: once, within a day."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from server import problems
from server.access.accounts import set_password
from server.access.actor import Actor, Grant
from server.access.secrets import new_token
from server.access.users import get_account
from server.model import PasswordReset

_HOURS = 24


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def begin_reset(session: Session, user_id: int) -> str:
    """The token with which the account's holder chooses a new password within 24 hours."""
    token = new_token()
    session.add(PasswordReset(token_key=_key(token), actor_id=user_id, expires_at=datetime.now(UTC) + timedelta(hours=_HOURS)))
    session.flush()
    return token


def finish_reset(session: Session, token: str, *, new: str, password_rounds: int = 3) -> None:
    """The account has the new password, none of its sessions lives on, and the token is used up.

    Raises: authentication_failed (no such token, or used, or older than a day), password_too_short and its like.
    """
    row = session.get(PasswordReset, _key(token))
    if row is None or row.expires_at < datetime.now(UTC):
        raise problems.authentication_failed()
    _user, holder = get_account(session, row.actor_id)
    itself = Actor(holder.id, "user", holder.display_name, (Grant("pwreset"),))
    set_password(session, itself, holder.id, password=new, password_rounds=password_rounds)
    session.execute(delete(PasswordReset).where(PasswordReset.actor_id == holder.id))
