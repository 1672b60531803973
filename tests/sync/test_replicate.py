"""The promises of the central database, on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import shapely
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

import sync.replicate
from server.changes import record_change
from server.forms.publish import delete_form, restore_form
from server.model import Form, Submission
from server.transactions import open_engine, transaction
from sync.replicate import lag, rebuild, replicate_changes
from tests.actors.house import House
from tests.factories.questionnaire import a_visit, visit_form
from tests.sync.central_tables import filled, tables_of

ALL_KINDS = """
| survey | | | |
| | type | name | label |
| | integer | n | N |
| | decimal | w | W |
| | date | d | D |
| | dateTime | at | At |
| | time | t | T |
| | select_one yn | s | S |
| | geopoint | place | Place |
| | geoshape | field | Field |
| | begin group | 家庭 | 家庭 |
| | text | 姓名 | 姓名 |
| | end group | | |
| | begin repeat | Members | M |
| | text | name | Name |
| | begin repeat | pets | P |
| | text | name | Name |
| | end repeat | | |
| | end repeat | | |
| | text | order | Order |
| | text | Name | A |
| | text | name | B |
| choices | | | |
| | list_name | name | label |
| | yn | yes | Yes |
| settings | | | |
| | form_title | form_id | version |
| | 全部 | 全部类型 | 1 |
"""


def test_answers_arrive_typed_with_their_repeats(house: House, central: Engine) -> None:
    house.publish(ALL_KINDS)
    body = (
        "<n>42</n><w>1.25</w><d>2026-11-24</d><at>2026-11-24T08:30:00.000+08:00</at><t>08:30:00.000+08:00</t><s>yes</s>"
        "<place>36.9 100.9 3012.5 4.0</place><field>36 100 0 0;36 101 0 0;37 101 0 0;36 100 0 0</field><家庭><姓名>张××</姓名></家庭>"
        "<Members><name>甲</name><pets><name>狗</name></pets></Members><Members><name>乙</name></Members><order>x</order><Name>A</Name><name>b</name>"
    )
    assert house.new_phone(name="五谷村").send(filled("uuid:1", body)).status_code == 201
    assert replicate_changes(house.engine, central) > 0
    found = tables_of(central)
    [row] = found["全部类型"]
    assert (row["n"], row["w"], row["s"], row["家庭_姓名"], row["submitter"]) == (42, 1.25, "yes", "张××", "五谷村")
    assert (row["order"], row["name"], row["name_2"]) == ("x", "A", "b"), "reserved words and names that differ in case alone"
    assert row["d"] in {date(2026, 11, 24), "2026-11-24"}
    assert row["t"] == "08:30:00.000+08:00"
    at = row["at"] if isinstance(row["at"], datetime) else datetime.fromisoformat(row["at"])
    assert (at if at.tzinfo else at.replace(tzinfo=UTC)) == datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
    assert (row["place_longitude"], row["place_latitude"], row["place_accuracy"]) == (100.9, 36.9, 4.0)
    assert shapely.from_wkb(bytes(row["place"])).coords[0] == (100.9, 36.9, 3012.5)
    assert shapely.from_wkb(bytes(row["field"])).geom_type == "Polygon"
    members = {m["name"]: m for m in found["全部类型_members"]}
    assert set(members) == {"甲", "乙"}
    [pet] = found["全部类型_members_pets"]
    assert (pet["name"], pet["parent_row_id"], pet["instance_id"]) == ("狗", members["甲"]["row_id"], "uuid:1")


def test_an_edit_replaces_and_the_keys_of_repeats_hold(house: House, central: Engine) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    phone.send(a_visit("uuid:1", members=("甲", "乙", "丙")))
    replicate_changes(house.engine, central)
    before = {m["name"]: m["row_id"] for m in tables_of(central)["visit_members"]}
    phone.send(a_visit("uuid:2", age="71", members=("乙", "丙", "丁"), replaces="uuid:1"))
    replicate_changes(house.engine, central)
    found = tables_of(central)
    [row] = found["visit"]
    assert (row["instance_id"], row["current_instance_id"], row["age"], row["review_state"]) == ("uuid:1", "uuid:2", 71, "edited")
    after = {m["name"]: m["row_id"] for m in found["visit_members"]}
    assert {n: after[n] for n in ("乙", "丙")} == {n: before[n] for n in ("乙", "丙")}
    assert set(after) == {"乙", "丙", "丁"}


def test_deletion_marks_and_purge_removes(house: House, central: Engine) -> None:
    house.publish(visit_form())
    house.new_phone().send(a_visit("uuid:1", members=("甲",)))
    with transaction(house.engine, write=True) as session:
        submission = session.scalars(select(Submission)).one()
        submission.deleted_at = datetime.now(UTC)
        record_change(session, "submission.deleted", project_id=1, form_pk=submission.form_pk, submission_id=submission.id)
    replicate_changes(house.engine, central)
    assert tables_of(central)["visit"][0]["deleted_at"] is not None
    with transaction(house.engine, write=True) as session:
        record_change(session, "submission.purged", project_id=1, details={"form_id": "visit", "instance_id": "uuid:1"})
    replicate_changes(house.engine, central)
    found = tables_of(central)
    assert found["visit"] == [] and found["visit_members"] == []


def test_a_new_version_adds_columns_and_a_changed_type_a_column_beside(house: House, central: Engine) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    phone.send(a_visit("uuid:1", age="70"))
    replicate_changes(house.engine, central)
    house.publish(visit_form("2").replace("| integer | age |", "| text | age |").replace("| image | stove |", "| text | added |"))
    phone.send(a_visit("uuid:2", age="seventy", version="2", extra="<added>new</added>"))
    replicate_changes(house.engine, central)
    first, second = tables_of(central)["visit"]
    assert (first["age"], first["age_text"], first["added"]) == (70, None, None)
    assert (second["age"], second["age_text"], second["added"]) == (None, "seventy", "new")
    assert "stove" in second, "nothing is dropped"


def test_what_does_not_fit_its_type_is_kept_beside(house: House, central: Engine) -> None:
    house.publish(visit_form())
    house.new_phone().send(a_visit("uuid:1", age="about 70"))
    replicate_changes(house.engine, central)
    [row] = tables_of(central)["visit"]
    assert row["age"] is None and "about 70" in str(row["unparsed"])


def test_a_rebuild_gives_the_same_tables(house: House, central: Engine) -> None:
    house.publish(visit_form())
    house.publish(ALL_KINDS)
    phone = house.new_phone()
    for n in range(5):
        phone.send(a_visit(f"uuid:{n}", members=("甲", "乙")))
        replicate_changes(house.engine, central)
    phone.send(a_visit("uuid:e", replaces="uuid:3", members=("乙",)))
    house.publish(visit_form("2").replace("| integer | age |", "| text | age |"))
    replicate_changes(house.engine, central)
    before = tables_of(central)
    told: list[int] = []
    rebuild(house.engine, central, progress=told.append)
    assert tables_of(central) == before
    assert told


def test_a_crash_inside_the_targets_transaction_loses_and_doubles_nothing(house: House, central: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    phone.send(a_visit("uuid:1"))
    real = sync.replicate.load_batch

    def load_then_die(*arguments: Any) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sync.replicate, "load_batch", load_then_die)
        with pytest.raises(KeyboardInterrupt):
            replicate_changes(house.engine, central)
    assert "visit" not in tables_of(central)
    assert lag(house.engine, central).rows > 0
    replicate_changes(house.engine, central)
    assert [row["instance_id"] for row in tables_of(central)["visit"]] == ["uuid:1"]
    assert lag(house.engine, central).rows == 0


def test_a_target_that_is_away_is_caught_up_later(house: House, central: Engine, tmp_path: Path) -> None:
    house.publish(visit_form())
    away = open_engine("postgresql://nobody@127.0.0.1:9/none?connect_timeout=2")
    house.new_phone().send(a_visit("uuid:1"))
    with pytest.raises((OperationalError, Exception), match=r"busy|503|refused"):
        replicate_changes(house.engine, away)
    replicate_changes(house.engine, central)
    assert len(tables_of(central)["visit"]) == 1


def test_drafts_never_reach_the_central_database(house: House, central: Engine) -> None:
    house.publish(visit_form())
    form = house.save_draft(visit_form("2"))
    from server.model import FormVersion

    [token] = [v["draft_token"] for v in house.rows(FormVersion) if v["draft_token"]]
    answer = house.new_phone().send(a_visit("uuid:d", version="2"), path=f"/v1/test/{token}/projects/1/forms/visit/draft/submission")
    assert answer.status_code == 201
    assert house.rows(Form)[0]["id"] == form.id
    replicate_changes(house.engine, central)
    assert tables_of(central)["visit"] == []


def test_a_form_in_the_trash_takes_its_submissions_along_and_brings_them_back(house: House, central: Engine) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    for name in ("a", "b"):
        phone.send(a_visit(f"uuid:{name}"))
    with transaction(house.engine, write=True) as session:
        gone = session.scalars(select(Submission).where(Submission.instance_id == "uuid:b")).one()
        gone.deleted_at = datetime(2026, 11, 1, tzinfo=UTC)
        form = session.scalars(select(Form)).one()
        form_pk = form.id
        delete_form(session, house.admin, form)
    replicate_changes(house.engine, central)
    assert all(row["deleted_at"] is not None for row in tables_of(central)["visit"])
    with transaction(house.engine, write=True) as session:
        restore_form(session, house.admin, session.get_one(Form, form_pk))
    replicate_changes(house.engine, central)
    restored = tables_of(central)
    assert {row["instance_id"]: row["deleted_at"] is None for row in restored["visit"]} == {"uuid:a": True, "uuid:b": False}
    rebuild(house.engine, central)
    assert tables_of(central) == restored
