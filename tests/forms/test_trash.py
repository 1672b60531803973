"""The trash: kept for 30 days, then erased for good, whatever hung on the form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from server.cli import minqing
from server.forms.publish import delete_form, restore_form
from server.model import Assignment, AuditEntry, Change, Form, FormAttachment, FormVersion, PublicLink, Submission, SubmissionVersion
from server.problems import Problem
from server.submissions.form_purge import empty_trash, purge_one_form
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.phone import CollectPhone
from tests.actors.program import Program, problem_of
from tests.factories.questionnaire import a_visit, visit_form

WITH_MEDIA = visit_form().replace("| text | division | Village |", "| select_one_from_file villages.csv | division | Village |")


def _trash(house: House, form_id: str = "visit", *, days_ago: int = 0) -> int:
    """The form's number, deleted so many days ago."""
    [form] = [row for row in house.rows(Form, Form.form_id == form_id) if row["deleted_at"] is None]
    with transaction(house.engine, write=True) as session:
        delete_form(session, house.admin, session.get_one(Form, form["id"]))
        session.execute(update(Form).where(Form.id == form["id"]).values(deleted_at=datetime.now(UTC) - timedelta(days=days_ago)))
    return int(form["id"])


def _used_form(house: House) -> CollectPhone:
    house.publish(WITH_MEDIA, media={"villages.csv": b"name,label\na,A\n"})
    manager = Program.signed_in(house, "manager")
    manager.post("/projects/1/forms/visit/public-links", {"displayName": "公开"})
    phone = house.new_phone()
    phone.send(a_visit("uuid:old", door="door.jpg"), {"door.jpg": b"\xff\xd8"})
    return phone


def test_after_thirty_days_nothing_of_a_form_is_left_but_its_number(house: House) -> None:
    _used_form(house)
    kept = house.publish(visit_form().replace("visit", "kept"))
    form_pk = _trash(house, days_ago=31)
    assert empty_trash(house.engine) > 0
    assert [row["form_id"] for row in house.rows(Form, Form.id != form_pk)] == [kept]
    for table in (FormVersion, Submission, SubmissionVersion, PublicLink):
        assert house.rows(table, table.form_pk == form_pk) == [], table
    assert house.rows(Assignment, Assignment.form_id == form_pk) == []
    assert len(house.rows(FormAttachment)) == 0
    [purged] = house.rows(AuditEntry, AuditEntry.action == "form.purge")
    assert (purged["form_pk"], purged["details"]["xmlFormId"]) == (form_pk, "visit")
    [told] = house.rows(Change, Change.kind == "submission.purged")
    assert told["details"] == {"form_id": "visit", "instance_id": "uuid:old"}, "the central database erases it too"
    assert empty_trash(house.engine) == 0, "once"


def test_until_then_it_comes_back_whole(house: House) -> None:
    _used_form(house)
    form_pk = _trash(house, days_ago=29)
    assert empty_trash(house.engine) == 0
    with transaction(house.engine, write=True) as session:
        restore_form(session, house.admin, session.get_one(Form, form_pk))
    assert house.count_submissions() == 1
    assert [form["formID"] for form in house.new_phone().form_list()] == ["visit"]


def test_an_erased_form_is_in_no_trash_and_its_name_and_versions_are_free(house: House) -> None:
    phone = _used_form(house)
    form_pk = _trash(house)
    manager = Program.signed_in(house)
    assert [form["id"] for form in manager.reads("/projects/1/forms?deleted=true")] == [form_pk]
    assert empty_trash(house.engine, everything=True) > 0
    assert manager.reads("/projects/1/forms?deleted=true") == []
    assert problem_of(manager.post(f"/projects/1/forms/{form_pk}/restore")) == (404, 404.1)
    with transaction(house.engine, write=True) as session, pytest.raises(Problem, match=r"404\.1"):
        restore_form(session, house.admin, session.get_one(Form, form_pk))
    house.publish(visit_form())
    assert phone.send(a_visit("uuid:old")).status_code == 201, "another form's submission, though it has the same number"
    [form] = house.rows(Form, Form.deleted_at.is_(None))
    assert form["id"] != form_pk, "the audit log's number stays its own"


def test_a_large_form_goes_in_pieces(house: House) -> None:
    phone = _used_form(house)
    for number in range(3):
        phone.send(a_visit(f"uuid:{number}"))
    form_pk = _trash(house)
    with transaction(house.engine, write=True) as session:
        assert purge_one_form(session, datetime.now(UTC), form_pk=form_pk) is not None
    assert house.count_submissions() == 0
    assert len(house.rows(FormVersion)) == 1, "first what hangs on it"
    with transaction(house.engine, write=True) as session:
        purge_one_form(session, datetime.now(UTC))
        assert purge_one_form(session, datetime.now(UTC)) is None


def test_the_command_empties_the_trash(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    _used_form(house)
    _trash(house)
    monkeypatch.setenv("MINQING_DATA", str(house.settings.data))
    monkeypatch.setenv("MINQING_DATABASE_URL", house.settings.server_database)
    assert CliRunner().invoke(minqing, ["purge"]).exit_code == 0
    assert house.count_submissions() == 1
    assert CliRunner().invoke(minqing, ["purge", "--now"]).exit_code == 0
    assert house.count_submissions() == 0
