"""What phones see of forms, media and entity lists."""

from __future__ import annotations

import csv
import hashlib
import io
import uuid
from xml.etree import ElementTree

from sqlalchemy import select

from server.forms.publish import delete_form, restore_form
from server.model import Entity, Form, FormVersion, Phone
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.phone import message_of
from tests.factories.questionnaire import a_visit, visit_form

REGISTER = """
| survey | | | | |
| | type | name | label | save_to |
| | text | division | Village | division |
| | text | who | Who | full_name |
| | text | known | Known as | |
| settings | | | |
| | form_title | form_id | version |
| | 登记 | register | 1 |
| entities | | | | | |
| | list_name | label | entity_id | create_if | update_if |
| | persons | ${who} | coalesce(${known}, uuid()) | ${known} = '' | ${known} != '' |
"""
FOLLOW_UP = """
| survey | | | |
| | type | name | label |
| | select_one_from_file persons.csv | person | Person |
| settings | | | |
| | form_title | form_id | version |
| | 探访 | follow_up | 1 |
"""


def registration(entity: str, who: str, *, division: str = "632223202200", attributes: str = 'create="1"', base: str = "") -> bytes:
    return (
        '<data xmlns:orx="http://openrosa.org/xforms" xmlns:entities="http://www.opendatakit.org/xforms/entities" id="register" version="1">'
        f"<division>{division}</division><who>{who}</who><orx:meta><orx:instanceID>uuid:{uuid.uuid4()}</orx:instanceID>"
        f'<entity dataset="persons" id="{entity}" {attributes} {base}><label>{who}</label></entity></orx:meta></data>'
    ).encode()


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_the_hash_is_of_exactly_the_bytes_that_are_downloaded(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    [entry] = phone.form_list()
    form = phone.get(entry["downloadUrl"])
    assert entry["hash"] == "md5:" + hashlib.md5(form.data).hexdigest()
    assert (entry["formID"], entry["name"], entry["version"]) == ("visit", "探访", "1")
    assert "manifestUrl" not in entry
    again = phone.get(entry["downloadUrl"], **{"If-None-Match": form.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_addresses_are_those_that_the_phone_reached_through_a_proxy(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    answer = phone.get(phone.base + "/formList", **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "minqing.example:8443"})
    assert b"https://minqing.example:8443/v1/key/" in answer.data


def test_a_draft_is_served_at_its_test_address_alone(house: House) -> None:
    house.save_draft(visit_form())
    [token] = [v["draft_token"] for v in house.rows(FormVersion)]
    phone = house.new_phone()
    assert phone.form_list() == []
    phone.base = f"/v1/test/{token}/projects/1/forms/visit/draft"
    [entry] = phone.form_list()
    assert phone.get(entry["downloadUrl"]).status_code == 200
    phone.base = phone.base.replace(token, "wrong")
    gone = phone.get(phone.base + "/formList")
    assert gone.status_code == 404
    assert "重新扫描测试二维码" in message_of(gone)


def test_a_published_version_never_changes_by_a_byte(house: House) -> None:
    house.publish(visit_form())
    before = [(v["id"], v["md5"]) for v in house.rows(FormVersion)]
    house.publish(visit_form("2"))
    assert [(v["id"], v["md5"]) for v in house.rows(FormVersion)][:1] == before
    assert house.new_phone().send(a_visit(version="1")).status_code == 201, "phones that have the old version may still send"


def test_a_deleted_form_disappears_and_comes_back(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    for change, listed in ((delete_form, 0), (restore_form, 1)):
        with transaction(house.engine, write=True) as session:
            change(session, house.admin, session.scalars(select(Form)).one())
        assert len(phone.form_list()) == listed


def test_media_are_listed_with_their_hash_and_downloaded_with_a_sandbox(house: House) -> None:
    house.publish(FOLLOW_UP.replace("persons.csv", "villages.csv"), media={"villages.csv": "name,label\n1,五谷\n".encode()})
    phone = house.new_phone()
    entry = phone.manifest("follow_up")["villages.csv"]
    file = phone.get(entry["downloadUrl"])
    assert entry["hash"] == "md5:" + hashlib.md5(file.data).hexdigest()
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in file.headers["Content-Security-Policy"]
    assert file.headers["Content-Disposition"].startswith("attachment")
    assert phone.get(entry["downloadUrl"], **{"If-None-Match": file.headers["ETag"]}).status_code == 304


def test_an_entity_is_there_when_the_phone_has_its_201(house: House) -> None:
    house.publish(REGISTER)
    house.publish(FOLLOW_UP)
    phone = house.new_phone()
    person = str(uuid.uuid4())
    before = phone.manifest("follow_up")["persons.csv"]
    assert phone.send(registration(person, '张"三,\n四')).status_code == 201
    entry = phone.manifest("follow_up")["persons.csv"]
    assert entry["type"] == "entityList"
    assert entry["hash"] != before["hash"]
    file = phone.get(entry["downloadUrl"])
    assert entry["hash"] == "md5:" + file.headers["ETag"].strip('"')
    [row] = rows_of(file.data)
    assert row == {"name": person, "label": '张"三,\n四', "__version": "1", "division": "632223202200", "full_name": '张"三,\n四'}
    assert phone.send(registration(person, "张三", attributes='update="1"', base='baseVersion="1"')).status_code == 201
    [row] = rows_of(phone.get(entry["downloadUrl"]).data)
    assert (row["label"], row["__version"]) == ("张三", "2")


def test_a_phone_bound_to_a_village_gets_that_villages_people_and_its_own_hash(house: House) -> None:
    house.publish(REGISTER)
    house.publish(FOLLOW_UP)
    here, there, town = (house.new_phone(division=d) for d in ("632223202200", "632223202201", "632223202"))
    here.send(registration(str(uuid.uuid4()), "甲"))
    quiet = here.manifest("follow_up")["persons.csv"]["hash"]
    there.send(registration(str(uuid.uuid4()), "乙", division="632223202201"))
    assert here.manifest("follow_up")["persons.csv"]["hash"] == quiet, "another village's change costs this phone nothing"
    seen = {p: [r["label"] for r in rows_of(p.get(p.manifest("follow_up")["persons.csv"]["downloadUrl"]).data)] for p in (here, there, town)}
    assert seen == {here: ["甲"], there: ["乙"], town: ["乙", "甲"]}


def test_integrity_says_which_entities_are_deleted(house: House) -> None:
    house.publish(REGISTER)
    house.publish(FOLLOW_UP)
    phone = house.new_phone()
    alive, gone = str(uuid.uuid4()), str(uuid.uuid4())
    phone.send(registration(alive, "甲"))
    phone.send(registration(gone, "乙"))
    with transaction(house.engine, write=True) as session:
        entity = session.scalars(select(Entity).where(Entity.uuid == gone)).one()
        entity.deleted_at = entity.created_at
    entry = phone.manifest("follow_up")["persons.csv"]
    answer = phone.get(f"{entry['integrityUrl']}?id={alive},{gone}")
    assert answer.headers["X-OpenRosa-Version"] == "1.0"
    told = {e.get("id"): e.findtext("deleted") for e in ElementTree.fromstring(answer.data).iter("entity")}
    assert told == {alive: "false", gone: "true"}


def test_what_makes_no_entity_is_told_to_staff_and_the_submission_stays(house: House) -> None:
    house.publish(REGISTER)
    phone = house.new_phone()
    assert phone.send(registration("not-a-uuid", "甲")).status_code == 201
    assert phone.send(registration(str(uuid.uuid4()), " ")).status_code == 201
    assert house.count_submissions() == 2
    assert house.rows(Entity) == []
    from server.model import SubmissionVersion

    assert all(row["entity_errors"] for row in house.rows(SubmissionVersion))


def test_offline_updates_of_one_branch_are_applied_in_order_whatever_the_order_of_arrival(house: House) -> None:
    house.publish(REGISTER)
    phone, person, branch = house.new_phone(), str(uuid.uuid4()), str(uuid.uuid4())
    phone.send(registration(person, "甲"))
    first, second = (
        registration(person, name, attributes='update="1"', base=f'baseVersion="{n}" trunkVersion="1" branchId="{branch}"')
        for n, name in ((1, "乙"), (2, "丙"))
    )
    phone.send(second)
    assert house.rows(Entity)[0]["label"] == "甲", "the second waits for the first"
    phone.send(first)
    [entity] = house.rows(Entity)
    assert (entity["label"], entity["version"], entity["conflict"]) == ("丙", 3, None)


def test_staff_see_when_a_phone_was_last_here(house: House) -> None:
    phone = house.new_phone()
    assert house.rows(Phone)[0]["last_seen_at"] is None
    phone.form_list()
    assert house.rows(Phone)[0]["last_seen_at"] is not None
