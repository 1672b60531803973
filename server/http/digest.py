"""A phone's user name and password: Digest (RFC 7616), and Basic over https."""

from __future__ import annotations

import hmac
import secrets as random_secrets
import time
from hashlib import md5

from flask import Request, request
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.phones import find_phone_by_username
from server.http.credentials import note_seen
from server.http.parts import parts
from server.transactions import transaction

REALM = "minqing"
_NONCE_SECONDS = 600
Found = tuple[Actor, int]


def phone_by_password() -> Found:
    """The phone that the Authorization header proves (Basic over https alone), and its project. Raises: authentication_failed."""
    given = request.authorization
    if given is None:
        raise problems.authentication_failed()
    found = None
    with transaction(parts().engine) as session:
        if given.type == "digest":
            found = _by_digest(session, request)
        elif given.type == "basic" and request.is_secure and given.username and given.password is not None:
            found = _by_basic(session, given.username, given.password)
    if found is None:
        raise problems.authentication_failed()
    note_seen(found[0])
    return found


def _by_basic(session: Session, username: str, password: str) -> Found | None:
    found = find_phone_by_username(session, username, REALM, parts().secrets)
    if found is None:
        return None
    actor, ha1, project_id = found
    given = _md5(f"{username}:{REALM}:{password}")
    return (actor, project_id) if hmac.compare_digest(given, ha1) else None


def _by_digest(session: Session, sent: Request) -> Found | None:
    """RFC 7616 with MD5 and qop=auth, as Collect's OkHttp digest speaks it."""
    given = sent.authorization
    if given is None or not given.username:
        return None
    found = find_phone_by_username(session, given.username, REALM, parts().secrets)
    if found is None or not is_fresh_nonce(given.get("nonce") or ""):
        return None
    actor, ha1, project_id = found
    uri = given.get("uri") or ""
    if uri.partition("?")[0] not in {sent.environ.get("RAW_URI", sent.path).partition("?")[0], sent.path}:
        return None
    ha2 = _md5(f"{sent.method}:{uri}")
    middle = f":{given.get('nc')}:{given.get('cnonce')}:{given.get('qop')}:" if given.get("qop") else ":"
    expected = _md5(f"{ha1}:{given.get('nonce')}{middle}{ha2}")
    return (actor, project_id) if hmac.compare_digest(expected, given.get("response") or "") else None


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
