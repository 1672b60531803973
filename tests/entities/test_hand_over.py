"""Nothing is lost or leaked when people and officers move while phones are offline, on databases of any collation."""

from __future__ import annotations

import csv
import io
import uuid

import pytest
from sqlalchemy import text

from server.access.actor import division_end
from server.model import SubmissionVersion
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.program import Program
from tests.databases import postgres_cluster
from tests.entities.followed_up import visit
from tests.entities.imported import VILLAGE, Office, as_csv, id_number
from tests.entities.test_phone_lists import HERE, LOOK_UP, THERE, Village


@pytest.fixture
def village(house: House) -> Village:
    return Village(house)


def errors_of(village: Village) -> list[str]:
    rows = village.register.house.rows(SubmissionVersion, SubmissionVersion.entity_errors.is_not(None))
    return [row["instance_id"] for row in rows if row["entity_errors"]]


def test_a_branch_begun_before_its_person_moved_is_applied_to_its_end(village: Village) -> None:
    person, branch = village.add(HERE), str(uuid.uuid4())
    village.change(person, 1, division=THERE)
    for base, state in ((2, "second"), (1, "first"), (3, "third")):
        assert village.here.phone.send(visit(person, base=base, trunk=1, branch=branch, state=state)).status_code == 201
    assert errors_of(village) == []
    assert village.there.rows()[person]["state"] == "third"
    assert village.here.rows() == {}


def test_what_an_officer_had_not_sent_before_moving_is_applied_and_nothing_that_he_could_not_have_seen(village: Village) -> None:
    person, later = village.add(HERE), None
    moves = f"/projects/1/app-users/{village.here.phone.access.id}"
    assert village.staff.patch(moves, {"division": THERE}).status_code == 200
    later = village.add(HERE)
    phone = village.here.phone
    assert phone.send(visit(person, base=1, state="seen", instance="uuid:unsent")).status_code == 201
    assert phone.send(visit(later, base=1, state="stolen", instance="uuid:stolen")).status_code == 201
    assert errors_of(village) == ["uuid:stolen"]
    entity = village.register.entity(person)
    assert entity is not None and entity["data"]["state"] == "seen"
    village.change(person, 2, state="again")
    assert phone.send(visit(person, base=3, state="stolen", instance="uuid:stolen2")).status_code == 201
    assert errors_of(village) == ["uuid:stolen", "uuid:stolen2"]


def test_a_list_that_changed_between_manifest_and_download_never_has_the_manifests_hash_again(village: Village) -> None:
    staff, phone, people = village.staff, village.here, "/projects/1/datasets/people/entities"
    person, other = village.add(HERE), village.add(HERE)
    for off, on in (
        (lambda: staff.delete(f"{people}/{person}"), lambda: staff.post(f"{people}/{person}/restore")),
        (lambda: staff.post(f"{people}/bulk-delete", {"ids": [person, other]}), lambda: staff.post(f"{people}/bulk-restore", {"ids": [person, other]})),
    ):
        before = phone.entry()
        off()
        meanwhile = phone.phone.get(before["downloadUrl"])
        on()
        assert meanwhile.headers["ETag"].strip('"') != before["hash"].removeprefix("md5:")
        assert phone.hash() != before["hash"], "the phone would keep what it downloaded meanwhile"


def test_a_row_that_an_import_changed_is_another_for_phones(house: House, tmp_path) -> None:
    office = Office(house, tmp_path)
    house.publish(LOOK_UP)
    phone = house.new_phone(division=VILLAGE)
    hashes = [phone.manifest("look_up")["people.csv"]["hash"]]
    for members in ("3", "4"):
        office.runs(office.uploads(as_csv([("姓名", "id_number", "division", "members"), ("王1", id_number(1), VILLAGE, members)]), key="id_number"))
        entry = phone.manifest("look_up")["people.csv"]
        [row] = csv.DictReader(io.StringIO(phone.get(entry["downloadUrl"]).text))
        assert row["members"] == members
        hashes.append(entry["hash"])
    assert len(set(hashes)) == 3


def test_a_drafts_test_address_shows_who_made_it_no_more_than_he_may_see(village: Village) -> None:
    person, _other = village.add(HERE), village.add(THERE)
    bound = Program.signed_in(village.register.house, "manager", division=HERE)
    assert bound.post("/projects/1/forms/look_up/draft").status_code == 200
    token = bound.reads("/projects/1/forms/look_up/draft")["draftToken"]
    tester = village.register.house.new_phone()
    answer = tester.get(f"/v1/test/{token}/projects/1/forms/look_up/draft/attachments/people.csv")
    assert [row["name"] for row in csv.DictReader(io.StringIO(answer.text))] == [person]


@pytest.mark.parametrize("prefix", ["632223202", "63", "99", "999999", "099", "632223202200"])
def test_a_divisions_range_holds_all_that_begin_with_it_in_any_collation(prefix: str, database_kind: str, tmp_path) -> None:
    inside = [prefix, prefix.ljust(12, "0"), prefix.ljust(12, "9")]
    outside = [f"{int(prefix) - 1:0{len(prefix)}}".ljust(12, "9"), ""] + ([] if prefix.strip("9") == "" else [f"{int(prefix) + 1:0{len(prefix)}}".ljust(12, "0")])
    for code in (*inside, *outside):
        assert (prefix <= code < division_end(prefix)) == (code in inside)
    if database_kind == "postgresql":
        from server.transactions import open_engine

        engine = open_engine(postgres_cluster().create())
        with transaction(engine) as session:
            for code in (*inside, *outside):
                asked = text('SELECT :code COLLATE "zh-x-icu" >= :low AND :code COLLATE "zh-x-icu" < :high')
                assert session.scalar(asked, {"code": code, "low": prefix, "high": division_end(prefix)}) == (code in inside)
        engine.dispose()
