"""KoboCollect's way in: the root address, a user name and a password."""

from __future__ import annotations

import base64
import io
from hashlib import md5
from xml.etree import ElementTree

from server.access.phones import revoke_phone
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.phone import HEADERS, LIST
from tests.factories.questionnaire import a_visit, visit_form


def _hex(text: str) -> str:
    return md5(text.encode()).hexdigest()


def digest(client, method: str, path: str, username: str, password: str) -> str:
    """The Authorization header that OkHttp's digest makes after a 401."""
    challenge = client.open(path, method=method, headers=HEADERS).headers.getlist("WWW-Authenticate")[0]
    told = dict(part.split("=", 1) for part in challenge.removeprefix("Digest ").replace('"', "").split(", "))
    ha1, ha2 = _hex(f"{username}:{told['realm']}:{password}"), _hex(f"{method}:{path}")
    response = _hex(f"{ha1}:{told['nonce']}:00000001:c0ffee:auth:{ha2}")
    return (
        f'Digest username="{username}", realm="{told["realm"]}", nonce="{told["nonce"]}", uri="{path}", qop=auth, nc=00000001,'
        f' cnonce="c0ffee", response="{response}", algorithm=MD5'
    )


def test_a_stranger_gets_a_digest_challenge_and_basic_only_over_https(house: House) -> None:
    client = house.app.test_client()
    plain = client.get("/formList", headers=HEADERS)
    assert plain.status_code == 401
    assert [c.split()[0] for c in plain.headers.getlist("WWW-Authenticate")] == ["Digest"]
    secure = client.get("/formList", headers={**HEADERS, "X-Forwarded-Proto": "https"})
    assert [c.split()[0] for c in secure.headers.getlist("WWW-Authenticate")] == ["Digest", "Basic"]


def test_digest_opens_the_form_list_the_form_and_submission(house: House) -> None:
    house.publish(visit_form())
    access, client = house.phone_access(), house.app.test_client()
    user = (access.username or "", access.password or "")
    answer = client.get("/formList", headers={**HEADERS, "Authorization": digest(client, "GET", "/formList", *user)})
    [entry] = ElementTree.fromstring(answer.data)
    path = entry.findtext(LIST + "downloadUrl", "").removeprefix("http://localhost")
    assert client.get(path, headers={**HEADERS, "Authorization": digest(client, "GET", path, *user)}).status_code == 200
    sent = client.post(
        "/submission", data={"xml_submission_file": (io.BytesIO(a_visit("uuid:k")), "s.xml")},
        headers={**HEADERS, "Authorization": digest(client, "POST", "/submission", *user)},
    )  # fmt: skip
    assert sent.status_code == 201
    assert house.count_submissions() == 1
    own = f"/{user[0]}/formList"
    assert client.get(own, headers={**HEADERS, "Authorization": digest(client, "GET", own, *user)}).status_code == 200


def test_a_wrong_password_another_address_or_a_revoked_phone_open_nothing(house: House) -> None:
    house.publish(visit_form())
    access, client = house.phone_access(), house.app.test_client()
    user = (access.username or "", access.password or "")
    wrong = digest(client, "GET", "/formList", user[0], "wrong password")
    assert client.get("/formList", headers={**HEADERS, "Authorization": wrong}).status_code == 401
    other = digest(client, "GET", "/submission", *user)
    assert client.get("/formList", headers={**HEADERS, "Authorization": other}).status_code == 401
    right = digest(client, "GET", "/formList", *user)
    with transaction(house.engine, write=True) as session:
        revoke_phone(session, house.admin, access.id)
    assert client.get("/formList", headers={**HEADERS, "Authorization": right}).status_code == 401


def test_basic_works_over_https_and_is_refused_over_http(house: House) -> None:
    access, client = house.phone_access(), house.app.test_client()
    basic = "Basic " + base64.b64encode(f"{access.username}:{access.password}".encode()).decode()
    assert client.get("/formList", headers={**HEADERS, "Authorization": basic}).status_code == 401
    assert client.get("/formList", headers={**HEADERS, "Authorization": basic, "X-Forwarded-Proto": "https"}).status_code == 200
