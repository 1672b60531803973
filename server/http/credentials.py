"""Who sends this request: a token in the address, a session, or an account's password."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import request
from sqlalchemy.orm import Session

from server import problems
from server.access.accounts import load_actor
from server.access.actor import Actor
from server.access.phones import find_phone_by_token, note_phone_seen
from server.access.secrets import is_token
from server.access.sessions import find_session_actor, prove_password
from server.http.key_addresses import key_of_request
from server.http.parts import Parts, parts
from server.transactions import transaction

# In the WSGI environment: the gateway asks with the headers alone, before it reads a large body.
ONLY_AUTHENTICATE = "minqing.only_authenticate"
_REMEMBERED_SECONDS = 5.0
_MOST_PHONES = 5000
_SEEN_SECONDS = 600.0


def phone_by_token(token: str) -> Actor:
    """The phone whose address this is. Raises: authentication_failed; never 404, which Collect reads as "server unreachable"."""
    with transaction(parts().engine) as session:
        actor = _find_phone(session, token)
    note_seen(actor)
    return actor


def _find_phone(session: Session, token: str) -> Actor:
    actor = find_phone_by_token(session, token, parts().secrets)
    if actor is None:
        raise problems.authentication_failed()
    return actor


def note_seen(actor: Actor) -> None:
    """Staff see when a phone was last here."""
    if actor.kind == "phone":
        note_phone(parts(), actor.id)


def note_phone(app: Parts, phone_id: int) -> None:
    """Staff see when a phone was last here, to ten minutes: a write at each request would cost more than the request."""
    seen, now = app.phones_seen, time.monotonic()
    if seen.get(phone_id, -_SEEN_SECONDS) + _SEEN_SECONDS <= now:
        seen[phone_id] = now
        with transaction(app.engine, write=True) as session:
            note_phone_seen(session, phone_id)


def phone_or_user() -> Actor:
    """Whoever asks at an address of OpenRosa: a phone by its token, or anyone as `authenticate` finds them. Raises what they raise."""
    key = key_of_request()
    return authenticate() if key is None else phone_by_token(key)


@contextmanager
def phone_or_user_reading() -> Iterator[tuple[Actor, Session]]:
    """`phone_or_user` and a session to read in, which for a phone is the one that found it: it looks often, and each transaction costs."""
    key = key_of_request()
    if key is None:
        actor = authenticate()
        with transaction(parts().engine) as session:
            yield actor, session
        return
    with transaction(parts().engine) as session:
        actor = _find_phone(session, key)
        yield actor, session
    note_seen(actor)


def sender() -> Actor:
    """`phone_or_user` for a POST of a submission."""
    key = key_of_request()
    return phone_or_user() if key is None else _sending_phone(key)


def _sending_phone(token: str) -> Actor:
    """`phone_by_token` from at most 5 seconds ago: receive_submission asks again, in its transaction, what the phone may do."""
    known, now = parts().known_phones, time.monotonic()
    found = known.get(token)
    if found is None or found[0] < now:
        if len(known) >= _MOST_PHONES:
            known.clear()
        found = known[token] = (now + _REMEMBERED_SECONDS, phone_by_token(token))
    return found[1]


def is_remembered(app: Parts, token: str) -> bool:
    """Whether this phone's token was found in order in the last 5 seconds."""
    found = app.known_phones.get(token)
    return found is not None and found[0] >= time.monotonic()


def authenticate() -> Actor:
    """Whoever sends this request to `/v1`, in the order that ODK Central looks.

    A token in the address; Bearer; Basic with e-mail and password, over https alone; the session cookie, which needs `__csrf` or
    X-Requested-With to change anything. Raises: authentication_failed (also where nothing is said), insufficient_rights (a token of no phone), https_only,
    too_many_tries.
    """
    key = key_of_request()
    if key is not None:
        return _by_key(key)
    given = request.headers.get("Authorization")
    if given is None:
        return _by_cookie()
    kind, _, credentials = given.partition(" ")
    if kind.lower() == "bearer":
        return _by_session(credentials.strip())[0]
    basic = request.authorization
    if kind.lower() != "basic" or basic is None or not basic.username or not basic.password:
        raise problems.authentication_failed()
    if not request.is_secure:
        raise problems.https_only()
    settings = parts().settings
    user_id = prove_password(
        parts().engine, email=basic.username, password=basic.password, address=request.remote_addr or "", password_rounds=settings.password_rounds
    )
    with transaction(parts().engine) as session:
        return load_actor(session, user_id)


def _by_key(key: str) -> Actor:
    if not is_token(key):
        raise problems.authentication_failed()
    with transaction(parts().engine) as session:
        actor = find_phone_by_token(session, key, parts().secrets)
    if actor is None:
        # Not 401: programs of the field would ask people for a password (ODK Central does so too).
        raise problems.insufficient_rights()
    note_seen(actor)
    return actor


def _by_session(token: str) -> tuple[Actor, str]:
    with transaction(parts().engine) as session:
        found = find_session_actor(session, token)
    if found is None:
        raise problems.authentication_failed()
    return found


def _by_cookie() -> Actor:
    if not request.cookies:
        raise problems.authentication_failed()
    if not request.is_secure:
        raise problems.https_only()
    actor, csrf = _by_session(request.cookies.get("__Host-session") or request.cookies.get("session") or "")
    if request.method in {"GET", "HEAD"} or request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return actor
    # Asked before the body is here, which carries the token.
    if request.environ.get(ONLY_AUTHENTICATE):
        return actor
    given = request.form.get("__csrf") or ((request.get_json(silent=True) or {}).get("__csrf") if request.is_json else None)
    if not isinstance(given, str) or not hmac.compare_digest(given.encode("utf-8", "replace"), csrf.encode()):
        raise problems.authentication_failed()
    return actor
