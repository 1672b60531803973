"""Who sends this request: a token in the address, a session, Basic, or Digest."""

from __future__ import annotations

import hmac
import secrets as random_secrets
import time
from hashlib import md5

from flask import Request, request
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import NOBODY, Actor
from server.access.phones import find_phone_by_token, find_phone_by_username, note_phone_seen
from server.http.parts import parts
from server.transactions import transaction

REALM = "minqing"
# In the WSGI environment: the gateway asks with the headers alone, before it reads a large body.
ONLY_AUTHENTICATE = "minqing.only_authenticate"
_NONCE_SECONDS = 600
_REMEMBERED_SECONDS = 5.0
_MOST_PHONES = 5000
_SEEN_SECONDS = 600.0


def phone_by_token(token: str) -> Actor:
    """The phone whose address this is. Raises: authentication_failed; never 404, which Collect reads as "server unreachable"."""
    with transaction(parts().engine) as session:
        actor = find_phone_by_token(session, token, parts().secrets)
    if actor is None:
        raise problems.authentication_failed()
    _note_seen(actor)
    return actor


def _note_seen(actor: Actor) -> None:
    """Staff see when a phone was last here, to ten minutes: a write at each request would cost more than the request."""
    seen, now = parts().phones_seen, time.monotonic()
    if seen.get(actor.id, -_SEEN_SECONDS) + _SEEN_SECONDS <= now:
        seen[actor.id] = now
        with transaction(parts().engine, write=True) as session:
            note_phone_seen(session, actor.id)


def sending_phone(token: str) -> Actor:
    """`phone_by_token` from at most 5 seconds ago: receive_submission asks again, in its transaction, whether the phone was revoked."""
    known, now = parts().known_phones, time.monotonic()
    found = known.get(token)
    if found is None or found[0] < now:
        if len(known) >= _MOST_PHONES:
            known.clear()
        found = known[token] = (now + _REMEMBERED_SECONDS, phone_by_token(token))
    return found[1]


def phone_by_password() -> Actor:
    """The phone, or over https the user, that the Authorization header proves. Raises: authentication_failed."""
    given = request.authorization
    if given is None:
        raise problems.authentication_failed()
    with transaction(parts().engine) as session:
        actor = _by_digest(session, request) if given.type == "digest" else NOBODY
        if given.type == "basic" and request.is_secure and given.username and given.password is not None:
            actor = _by_basic(session, given.username, given.password)
    if actor is NOBODY:
        raise problems.authentication_failed()
    _note_seen(actor)
    return actor


def _by_basic(session: Session, username: str, password: str) -> Actor:
    found = find_phone_by_username(session, username, REALM, parts().secrets)
    if found is None:
        return NOBODY
    actor, ha1 = found
    given = _md5(f"{username}:{REALM}:{password}")
    return actor if hmac.compare_digest(given, ha1) else NOBODY


def _by_digest(session: Session, sent: Request) -> Actor:
    """RFC 7616 with MD5 and qop=auth, as Collect's OkHttp digest speaks it."""
    given = sent.authorization
    if given is None or not given.username:
        return NOBODY
    found = find_phone_by_username(session, given.username, REALM, parts().secrets)
    if found is None or not is_fresh_nonce(given.get("nonce") or ""):
        return NOBODY
    actor, ha1 = found
    uri = given.get("uri") or ""
    if uri.partition("?")[0] not in {sent.environ.get("RAW_URI", sent.path).partition("?")[0], sent.path}:
        return NOBODY
    ha2 = _md5(f"{sent.method}:{uri}")
    middle = f":{given.get('nc')}:{given.get('cnonce')}:{given.get('qop')}:" if given.get("qop") else ":"
    expected = _md5(f"{ha1}:{given.get('nonce')}{middle}{ha2}")
    return actor if hmac.compare_digest(expected, given.get("response") or "") else NOBODY


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def new_nonce() -> str:
    """A nonce that carries its own time and proof: no node has to remember it."""
    stamp = f"{int(time.time())}.{random_secrets.token_hex(8)}"
    return f"{stamp}.{_proof(stamp)}"


def _proof(stamp: str) -> str:
    return hmac.digest(parts().secrets.signing, b"nonce:" + stamp.encode(), "sha256").hex()[:32]


def is_fresh_nonce(nonce: str) -> bool:
    """Made by us (any node), less than 10 minutes ago."""
    stamp, _, proof = nonce.rpartition(".")
    seconds = stamp.partition(".")[0]
    if not (seconds.isdigit() and hmac.compare_digest(proof.encode(), _proof(stamp).encode())):
        return False
    return 0 <= time.time() - int(seconds) + 60 < _NONCE_SECONDS + 60


def challenges() -> list[str]:
    """WWW-Authenticate values: Digest always, Basic over https alone (Collect answers Basic nowhere else)."""
    stale = request.authorization is not None and request.authorization.type == "digest" and not is_fresh_nonce(
        request.authorization.get("nonce") or ""
    )  # fmt: skip
    digest = f'Digest realm="{REALM}", qop="auth", algorithm=MD5, nonce="{new_nonce()}"' + (", stale=true" if stale else "")
    return [digest, f'Basic realm="{REALM}", charset="UTF-8"'] if request.is_secure else [digest]
