"""What is about a poor family never leaks: ID numbers are sealed at rest, and no outlet tells a sensitive answer to who may not read it."""

from __future__ import annotations

import gzip
import io
import logging
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, inspect, text
from werkzeug.test import TestResponse

from server.access.sealed import Sealer, is_sealed, masked, matching_hash, sealer_of
from server.http.sealed_values import _masked_stream
from server.model import AuditEntry, Entity
from server.submissions.rule_check import check_arrivals
from server.transactions import open_engine
from sync.replicate import replicate_changes
from tests.actors.house import House
from tests.actors.program import Program
from tests.web.clerk import Clerk

NUMBER, ILLNESS, CARD = "999999196001010012", "慢性阻塞性肺病-SECRET", "6230520999999999991"
UUID = "12345678-1234-4123-8234-123456789abc"
FORM = """
| survey | | | | | |
| | type | name | label | bind::sensitive | constraint |
| | text | division | Division | | |
| | text | id_number | ID number | yes | string-length(.) = 18 |
| | text | illness | Illness | yes | |
| | geopoint | hiding_place | Place | yes | |
| | image | door | Door | | |
| | begin repeat | members | Members | | |
| | text | name | Name | | |
| | text | bank_card | Card | yes | |
| | end repeat | | | | |
| settings | | | | | |
| | form_title | form_id | version | | |
| | Visit | visit | 1 | | |
"""


def a_visit(instance_id: str = "uuid:first", *, number: str = NUMBER, replaces: str = "", unknown: str = "") -> bytes:
    deprecated = f"<deprecatedID>{replaces}</deprecatedID>" if replaces else ""
    return (
        f'<data id="visit" version="1"><division>632223202200</division><id_number>{number}</id_number><illness>{ILLNESS}</illness>'
        f"<hiding_place>36.912345 100.912345 3000 5</hiding_place><door>a.jpg</door><members><name>甲</name><bank_card>{CARD}</bank_card></members>{unknown}"
        f"<meta><instanceID>{instance_id}</instanceID>{deprecated}</meta></data>"
    ).encode()


def synced(house: House) -> Engine:
    central = open_engine(house.settings.central_database)
    while replicate_changes(house.engine, central, batch=100):
        pass
    return central


def everything_stored(engine: Engine) -> Iterator[tuple[str, bytes]]:
    """Each value of each row of each table, as bytes."""
    with engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                for value in row:
                    yield table, bytes(value) if isinstance(value, bytes | memoryview) else repr(value).encode("utf-8", "replace")


def test_an_id_number_is_in_no_row_of_either_database(house: House) -> None:
    house.publish(FORM)
    phone = house.new_phone()
    phone.send(a_visit(unknown=f"<other_id_number>{NUMBER}</other_id_number>"), {"a.jpg": b"\xff\xd8"})
    phone.send(a_visit("uuid:second", replaces="uuid:first"))
    keep_register(Program.signed_in(house))
    central = synced(house)
    while check_arrivals(house.engine, limit=100):
        pass
    for engine in (house.engine, central):
        found = list(everything_stored(engine))
        assert any(b"632223202200" in value for _table, value in found), "the scan reads what is stored"
        for number in (NUMBER, CARD):
            assert {table for table, value in found if number.encode() in value} == set()


def keep_register(admin: Program) -> None:
    """A list with a number in it, made, changed and made many at once."""
    assert admin.post("/projects/1/datasets", {"name": "people"}).status_code == 200
    for name in ("division", "id_number"):
        assert admin.post("/projects/1/datasets/people/properties", {"name": name}).status_code == 200
    people = "/projects/1/datasets/people/entities"
    assert admin.post(people, {"label": "甲", "uuid": UUID, "data": {"division": "632223202200", "id_number": NUMBER}}).status_code == 200
    many = [{"label": f"乙{n}", "data": {"division": "632223202200", "id_number": NUMBER}} for n in range(3)]
    assert admin.post(people, {"entities": many, "source": {"name": "many.csv"}}).status_code == 200
    changed = admin.ask("PATCH", f"{people}/{UUID}?force=true", {"data": {"id_number": "999999196001010020"}})
    assert changed.status_code == 200, changed.text


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_a_phone_downloads_masks_however_it_is_compressed(house: House, accepted: str) -> None:
    keep_register(Program.signed_in(house))
    house.publish(FORM.replace("| | text | division | Division | | |", "| | text | division | Division | | |\n| | select_one_from_file people.csv | who | Who | | |"))
    phone = house.new_phone(division="632223202200")
    answer = phone.get(f"{phone.base}/forms/visit/attachments/people.csv", **{"Accept-Encoding": accepted})
    assert answer.status_code == 200
    assert told(answer).count("999999********00") == 4
    assert "sealed" not in told(answer)


def test_a_mask_that_comes_back_leaves_the_number_as_it_is(house: House) -> None:
    admin = Program.signed_in(house)
    keep_register(admin)
    shown = admin.get(f"/projects/1/datasets/people/entities/{UUID}").json["currentVersion"]["data"]  # type: ignore[index]
    assert shown == {"division": "632223202200", "id_number": "999999********0020"}
    back = admin.ask("PATCH", f"/projects/1/datasets/people/entities/{UUID}?force=true", {"data": {**shown, "division": "632223202201"}})
    assert back.status_code == 200
    [row] = house.rows(Entity, Entity.uuid == UUID)
    assert sealer_of(house.engine.dialect).unseal(row["data"]["id_number"]) == "999999196001010020"


@given(st.lists(st.integers(0, 400), max_size=6), st.integers(1, 50))
def test_the_gate_masks_wherever_an_answer_is_cut(gaps: list[int], size: int) -> None:
    sealed = Sealer("one").seal(NUMBER)
    text = "".join("sealed|x" * (gap % 3) + "，" * gap + sealed + ",\"'<"[gap % 4] for gap in gaps).encode() + b"sealed|"
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    assert b"".join(_masked_stream(parts)) == text.replace(sealed.encode(), masked(NUMBER).encode())


def test_the_xml_comes_back_byte_for_byte_and_a_resend_is_known(house: House) -> None:
    house.publish(FORM)
    phone, xml = house.new_phone(), a_visit()
    phone.send(xml)
    assert phone.send(xml).status_code == 201
    assert house.count_submissions() == 1
    admin = Program.signed_in(house)
    assert admin.get("/projects/1/forms/visit/submissions/uuid:first.xml").data == xml
    assert phone.send(xml.replace(NUMBER.encode(), b"999999196001010020")).status_code == 409, "the same instanceID with another number"


def test_the_same_number_is_found_by_its_filter_and_its_hash(house: House) -> None:
    house.publish(FORM)
    phone = house.new_phone()
    for name, number in (("uuid:a", NUMBER), ("uuid:b", "999999196001010020"), ("uuid:c", NUMBER)):
        phone.send(a_visit(name, number=number))
    admin = Program.signed_in(house)
    found = admin.get(f"/projects/1/forms/visit.svc/Submissions?$filter=id_number eq '{NUMBER}'").json["value"]  # type: ignore[index]
    assert sorted((row["__id"], row["id_number"]) for row in found) == [("uuid:a", NUMBER), ("uuid:c", NUMBER)]
    others = admin.get(f"/projects/1/forms/visit.svc/Submissions?$filter=id_number ne '{NUMBER}'").json["value"]  # type: ignore[index]
    assert [row["__id"] for row in others] == ["uuid:b"]
    assert admin.get("/projects/1/forms/visit.svc/Submissions?$filter=startswith(id_number,'9999')").status_code == 501
    with synced(house).connect() as connection:
        rows = connection.execute(text("SELECT instance_id, id_number, id_number_hash FROM visit ORDER BY instance_id")).all()
    assert [row[1] for row in rows] == [masked(NUMBER), masked("999999196001010020"), masked(NUMBER)]
    assert rows[0][2] == rows[2][2] != rows[1][2]


def test_a_sealed_number_opens_with_its_own_secret_alone() -> None:
    sealed = Sealer("one").seal(NUMBER)
    assert is_sealed(sealed)
    assert sealed == Sealer("one").seal(NUMBER) == Sealer("one").seal(sealed)
    assert Sealer("one").unseal(sealed) == NUMBER
    assert NUMBER not in sealed
    assert matching_hash(sealed) != matching_hash(Sealer("two").seal(NUMBER))
    with pytest.raises(ValueError, match="another secret"):
        Sealer("two").unseal(sealed)
    # What only looks sealed is an answer like any other.
    feigned = "sealed|632223********1234|AAAA"
    assert Sealer("one").unseal(Sealer("one").seal(feigned)) == feigned


def test_a_number_with_quotes_and_bars_comes_back_as_it_was() -> None:
    sealer = Sealer("one")
    for number in ('6|2"2\\23|' * 3, "\ud800", "六" * 30, "\n" * 12):
        stored = '{"id_number":"' + sealer.seal(number) + '"}'
        assert "\n" not in stored
        assert sealer.unseal(sealer.seal(number)) == number


# -- every outlet

# Which addresses tell a sensitive answer to an administrator. One that is not here, and does, fails.
SHOWING = {
    "odata.get_draft_submission", "odata.get_draft_table", "odata.get_submission", "odata.get_table", "rest.get_diffs", "rest.get_draft_submissions_csv",
    "rest.get_draft_submissions_gpkg", "rest.get_draft_submissions_xlsx", "rest.get_draft_submissions_zip", "rest.get_submission_geojson",
    "rest.get_submission_xml", "rest.get_submissions_csv", "rest.get_submissions_geojson", "rest.get_submissions_gpkg", "rest.get_submissions_xlsx",
    "rest.get_submissions_zip", "rest.get_version_geojson", "rest.get_version_xml", "web.submission_xml", "web.unmask_submission",
}  # fmt: skip
# Addresses that do not answer 200 to an administrator here, and why that is no gap. One that is not here, and does not, fails.
UNREACHED = {
    **dict.fromkeys(
        ("openrosa.get_draft_medium", "openrosa.kobo_get_medium", "rest.get_form_attachment", "rest.get_attachment", "rest.get_version_attachment", "web.submission_file"),
        "a file as it was sent",
    ),
    **dict.fromkeys(("openrosa.submission", "openrosa.own_draft_submission", "openrosa.draft_submission", "openrosa.kobo_submission"), "receives"),
    **dict.fromkeys(
        ("openrosa.kobo_get_form_list", "openrosa.kobo_get_manifest", "openrosa.kobo_get_form_xml", "openrosa.kobo_get_integrity"),
        "asks for Digest; the same documents as at a phone's own address",
    ),
    "rest.get_trashed_entities_csv": "entities.csv of a list in the trash",
    **dict.fromkeys(("web.show_entity_import", "web.import_errors", "rest.get_entity_import", "rest.get_import_errors"), "no import is here"),
    "rest.get_linked_form": "a public link's form", "rest.get_form_xls": ".xls is not kept", "rest.get_form_xlsx": "a form made of XML has none",
    "rest.get_config": "nothing is set", "rest.get_public_value": "nothing is set", "rest.get_submission_edit": "there is no Enketo",
    "rest.get_public_link": "there is none", "web.show_disaster": "no disaster is here", "web.home": "leads on", "web.sign_in": "leads on", "web.static": "files of the pages",
}  # fmt: skip


class Town:
    """A house where there is a sensitive answer behind every address that could show one."""

    def __init__(self, house: House) -> None:
        self.house = house
        house.publish(FORM)
        self.phone = house.new_phone(division="632223202200")
        self.phone.send(a_visit(), {"a.jpg": b"\xff\xd8"})
        self.phone.send(a_visit("uuid:edit", replaces="uuid:first", number="999999196001010020"))
        draft = house.save_draft(FORM.replace("| Visit | visit | 1 |", "| Visit | visit | 2 |"))
        self.token = self.one("SELECT draft_token FROM form_versions WHERE draft_token IS NOT NULL")
        self.phone.send(a_visit("uuid:tried").replace(b'version="1"', b'version="2"'), path=f"/v1/test/{self.token}/projects/1/forms/visit/draft/submission")
        assert draft.form_id == "visit"
        self.admin, self.viewer = Program.signed_in(house), Program.signed_in(house, "viewer")
        self.clerks = {role: Clerk(house) for role in ("admin", "viewer")}
        for role, clerk in self.clerks.items():
            clerk.signs_in(f"{role}0@example.com")
        keep_register(self.admin)

    def one(self, statement: str) -> Any:
        with self.house.engine.connect() as connection:
            return connection.execute(text(statement)).scalars().first()

    def path(self, endpoint: str, rule: str) -> str:
        """The address that leads to the sensitive answers wherever it can."""
        is_draft = "/draft" in rule
        submission = "SELECT {} FROM submissions WHERE is_draft = false"
        values = {
            "project_id": 1, "form_pk": 1, "form_id": "visit", "root_id": "uuid:tried" if is_draft else "uuid:first", "token": self.token, "version": "1",
            "instance_id": "uuid:tried" if is_draft else "uuid:edit" if "<root_id>" in rule else "uuid:first", "table": "Submissions",
            "place": "'uuid:tried')" if is_draft else "'uuid:first')", "submission_id": self.one(submission.format("id")),
            "version_id": self.one(submission.format("current_version_id")), "name": "a.jpg" if "attachments" in rule or "media" in rule else "people",
            "uuid": UUID, "phone_id": self.one("SELECT actor_id FROM phones"), "user_id": self.one("SELECT actor_id FROM users"), "list_id": 1, "key": "x",
            "role_name": "viewer", "link_id": 1, "username": "x", "filename": "x", "import_id": 1, "decision": "approve",
        }  # fmt: skip
        if endpoint == "rest.get_role":
            values["name"] = "viewer"
        return re.sub(r"<(?:[a-z]+(?:\([^)]*\))?:)?(\w+)>", lambda found: str(values[found[1]]), rule)

    def asks(self, who: str, rule: str, path: str) -> TestResponse:
        """GET as an administrator, as a viewer, or as the phone; pages by a browser, the rest with a token."""
        if who == "phone":
            return self.phone.client.get(path.replace("/v1/", f"/v1/key/{self.phone.access.token}/", 1), headers={"Accept-Encoding": "gzip"})
        if rule.startswith("/v1/"):
            program = self.admin if who == "admin" else self.viewer
            return program.get(path.removeprefix("/v1"), X_OpenRosa_Version="1.0")
        return self.clerks[who].get(path)


def told(response: TestResponse) -> str:
    """Everything that an answer says, out of its archives."""
    content = response.data
    if response.headers.get("Content-Encoding") == "gzip":
        content = gzip.decompress(content)
    if content[:2] == b"PK":
        archive = zipfile.ZipFile(io.BytesIO(content))
        content = b"\n".join(archive.read(name) for name in archive.namelist())
    return content.decode("utf-8", "replace")


SECRETS = (NUMBER, "999999196001010020", ILLNESS, CARD, "36.912345", "sealed|")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_no_outlet_tells_a_sensitive_answer_to_who_may_not_read_it(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    town = Town(house)
    shown, unreached, leaks = set(), {}, []
    for rule in house.app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()):
            continue
        path = town.path(rule.endpoint, rule.rule)
        answer = town.asks("admin", rule.rule, path)
        if answer.status_code != 200:
            unreached.setdefault(rule.endpoint, f"{answer.status_code} {path}")
        if any(secret in told(answer) for secret in SECRETS):
            shown.add(rule.endpoint)
        for who in ("viewer", "phone"):
            said = told(town.asks(who, rule.rule, path))
            leaks += [(who, path, secret) for secret in SECRETS if secret in said]
    assert leaks == []
    assert {endpoint: why for endpoint, why in unreached.items() if endpoint not in UNREACHED} == {}
    assert set(UNREACHED) - set(unreached) == set(), "these are reached after all"
    assert shown == SHOWING - {"web.unmask_submission"}
    assert not [record for record in caplog.records if any(secret in record.getMessage() for secret in SECRETS)]
    audit = town.admin.get("/audits?limit=1000").text
    assert "submission.unmask" in audit, "what the administrator read unmasked is logged"
    assert not [secret for secret in SECRETS if secret in audit]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_page_shows_the_number_to_a_reviewer_who_says_why(house: House) -> None:
    town = Town(house)
    reviewer = Clerk.signed_in(house, "county-reviewer")
    page = reviewer.first_case()
    masked_page = reviewer.get(page).text
    assert "999999********0020" in masked_page
    assert not [secret for secret in SECRETS if secret in masked_page]
    unmasked = reviewer.posts(f"{page}/unmasked", page=page, reason="核对身份证")
    assert "999999196001010020" in unmasked.text
    assert CARD in unmasked.text
    assert town.clerks["viewer"].posts(f"{page}/unmasked", page="/account", reason="x").status_code == 403


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_register_shows_the_number_to_a_reviewer_who_says_why(house: House) -> None:
    town = Town(house)
    reviewer, page = Clerk.signed_in(house, "county-reviewer"), f"/projects/1/entity-lists/people/entities/{UUID}"
    assert "999999********0020" in reviewer.get(page).text
    assert reviewer.posts(f"{page}/unmasked", page=page, reason=" ").status_code == 400
    assert "999999196001010020" in reviewer.posts(f"{page}/unmasked", page=page, reason="核对身份证").text
    assert town.clerks["viewer"].posts(f"{page}/unmasked", page="/account", reason="x").status_code == 403
    logged = [row for row in house.rows(AuditEntry) if row["action"] == "entity.unmask"]
    assert [row["details"]["reason"] for row in logged] == ["核对身份证"]
