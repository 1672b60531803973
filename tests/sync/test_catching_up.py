"""The central database may be away, and more than one may replicate: it has each submission once in the end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, select
from sqlalchemy.exc import OperationalError

from server.changes import record_change
from server.model import Change, Form, FormVersion, Submission
from server.problems import Problem
from server.transactions import open_engine, transaction
from sync.replicate import lag, rebuild, replicate_changes
from tests.actors.house import House
from tests.databases import Cluster, empty_database, fresh_database
from tests.factories.questionnaire import a_visit, visit_form
from tests.sync.central_tables import tables_of


@pytest.mark.slow
def test_a_central_database_that_dies_and_comes_back_has_everything(tmp_path: Path) -> None:
    cluster = Cluster()
    house = House(fresh_database("sqlite", tmp_path), cluster.create(), tmp_path)
    central = open_engine(house.settings.central_database)
    try:
        house.publish(visit_form())
        phone = house.new_phone()
        phone.send(a_visit("uuid:1"))
        replicate_changes(house.engine, central)
        cluster.stop("immediate")
        for n in range(2, 6):
            assert phone.send(a_visit(f"uuid:{n}", members=("甲",))).status_code == 201, "nothing waits for it"
            with pytest.raises((OperationalError, Problem)):
                replicate_changes(house.engine, central)
            with pytest.raises((OperationalError, Problem)):
                lag(house.engine, central)
        cluster.start_again()
        for _try in range(3):
            try:
                replicate_changes(house.engine, central)
            except (OperationalError, Problem):
                continue  # a connection from before the crash; the job tries again as here
            break
        found = tables_of(central)
        assert [row["instance_id"] for row in found["visit"]] == [f"uuid:{n}" for n in range(1, 6)]
        assert len(found["visit_members"]) == 4
        assert lag(house.engine, central).rows == 0
    finally:
        central.dispose()
        house.close()
        cluster.stop("immediate")
        cluster.remove()


def test_many_replicate_at_once_and_each_change_is_applied_once(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    for n in range(40):
        phone.send(a_visit(f"uuid:{n:02}", members=("甲", "乙")))
    engines = [open_engine(house.settings.central_database, pool_size=1) for _ in range(4)]
    applied: list[int] = []
    failed: list[BaseException] = []

    def replicate(target: Engine) -> None:
        try:
            applied.append(replicate_changes(house.engine, target, batch=7))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=replicate, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sum(applied) == len(house.rows(Change))
    found = tables_of(engines[0])
    assert [row["instance_id"] for row in found["visit"]] == [f"uuid:{n:02}" for n in range(40)]
    assert len(found["visit_members"]) == 80
    for engine in engines:
        engine.dispose()


def test_the_lag_asks_and_changes_nothing(house: House, central: Engine) -> None:
    house.publish(visit_form())
    house.new_phone().send(a_visit("uuid:1"))
    before = lag(house.engine, central)
    assert (before.rows, before.position) == (len(house.rows(Change)), 0)
    assert before.seconds >= 0
    assert inspect(central).get_table_names() == []
    replicate_changes(house.engine, central)
    after = lag(house.engine, central)
    assert (after.rows, after.seconds, after.position) == (0, 0.0, after.last_position)


@pytest.mark.parametrize("batch", [1, 2, 500])
def test_a_rebuild_in_other_batches_gives_the_same_names(house: House, tmp_path: Path, batch: int) -> None:
    """A submission is read in its present state, so small batches meet the versions of tomorrow: names must not notice."""
    house.publish(visit_form())
    phone = house.new_phone()
    phone.send(a_visit("uuid:1", age="70"))
    central = open_engine(house.settings.central_database)
    replicate_changes(house.engine, central)
    house.publish(visit_form("2").replace("| integer | age |", "| text | age |"))
    replicate_changes(house.engine, central)
    house.publish(visit_form().replace("| visit |", "| visit_pets |"))
    replicate_changes(house.engine, central)
    with_pets = "| | begin repeat | pets | Pets |\n| | text | name | Name |\n| | end repeat | | |\n| settings |"
    house.publish(visit_form("3").replace("| integer | age |", "| text | age |").replace("| text | division |", "| text | Division |").replace("| settings |", with_pets))
    replicate_changes(house.engine, central)
    phone.send(a_visit("uuid:2", age="72", replaces="uuid:1", version="3", extra="<pets><name>dog</name></pets>"))
    replicate_changes(house.engine, central)
    before = tables_of(central)
    assert {"visit_pets", "visit_pets_2"} < set(before)
    anew = open_engine(empty_database(house.engine.dialect.name, tmp_path))
    replicate_changes(house.engine, anew, batch=batch)
    assert tables_of(anew) == before
    rebuild(house.engine, central)
    assert tables_of(central) == before
    anew.dispose()
    central.dispose()


def test_a_form_that_is_gone_and_a_purge_by_its_number_hold_nothing_up(house: House, central: Engine) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    phone.send(a_visit("uuid:1"))
    phone.send(a_visit("uuid:2"))
    replicate_changes(house.engine, central)
    [form] = house.rows(Form)
    with transaction(house.engine, write=True) as session:
        gone = session.scalars(select(Submission).where(Submission.instance_id == "uuid:1")).one()
        record_change(session, "submission.purged", project_id=1, form_pk=form["id"], submission_id=gone.id, details={"instance_id": "uuid:1"})
        session.delete(gone)
        record_change(session, "form.published", project_id=1, form_pk=99, details={"form_version_id": 10**6, "version": "9"})
        record_change(session, "form.deleted", project_id=1, form_pk=form["id"])
    assert house.rows(FormVersion)
    replicate_changes(house.engine, central)
    assert [row["instance_id"] for row in tables_of(central)["visit"]] == ["uuid:2"]
    assert lag(house.engine, central).rows == 0
    rebuild(house.engine, central)
    assert [row["instance_id"] for row in tables_of(central)["visit"]] == ["uuid:2"]


def test_a_submission_taken_out_of_the_trash_is_no_longer_marked(house: House, central: Engine) -> None:
    house.publish(visit_form())
    house.new_phone().send(a_visit("uuid:1"))
    for kind in ("submission.deleted", "submission.restored"):
        with transaction(house.engine, write=True) as session:
            submission = session.scalars(select(Submission)).one()
            submission.deleted_at = submission.received_at if kind == "submission.deleted" else None
            record_change(session, kind, project_id=1, form_pk=submission.form_pk, submission_id=submission.id)
        replicate_changes(house.engine, central)
        assert (tables_of(central)["visit"][0]["deleted_at"] is not None) == (kind == "submission.deleted")


def test_two_projects_with_a_form_of_one_name_have_a_table_each(house: House, central: Engine) -> None:
    from datetime import UTC, datetime

    from server.model import Project

    with transaction(house.engine, write=True) as session:
        session.add(Project(name="第二个项目", created_at=datetime.now(UTC)))
    for project_id in (1, 2):
        house.publish(visit_form(), project_id=project_id)
        house.new_phone(project_id=project_id).send(a_visit("uuid:same"))
    replicate_changes(house.engine, central)
    found = tables_of(central)
    assert len(found["visit"]) == len(found["visit_2"]) == 1
    assert {(entry["name"], entry["project_id"]) for entry in found["minqing_tables"] if not entry["path"]} == {("visit", 1), ("visit_2", 2)}
