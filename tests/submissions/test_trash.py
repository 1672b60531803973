"""Deleted, restored, erased: and what a phone is told that sends it again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from server.model import Attachment, AuditEntry, Change, Comment, PurgedSubmission, Submission, SubmissionVersion
from server.submissions.comments import add_comment
from server.submissions.trash import delete_submission, purge_submissions, restore_submission
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.phone import message_of
from tests.factories.questionnaire import a_visit, visit_form


def delete(house: House, instance_id: str, *, days_ago: int = 0) -> None:
    [row] = house.rows(Submission, Submission.instance_id == instance_id)
    with transaction(house.engine, write=True) as session:
        submission = session.get_one(Submission, (row["project_id"], row["id"]))
        delete_submission(session, house.admin, submission)
        submission.deleted_at = datetime.now(UTC) - timedelta(days=days_ago)


def purge(house: House) -> int:
    with transaction(house.engine, write=True) as session:
        return purge_submissions(session, datetime.now(UTC) - timedelta(days=30))


def test_what_is_in_the_trash_cannot_be_sent_again_and_comes_back_whole(house: House) -> None:
    house.publish(visit_form())
    phone, xml = house.new_phone(), a_visit("uuid:a", door="door.jpg")
    phone.send(xml, {"door.jpg": b"door"})
    delete(house, "uuid:a")
    answer = phone.send(xml)
    assert (answer.status_code, "已被删除" in message_of(answer)) == (409, True)
    [row] = house.rows(Submission)
    with transaction(house.engine, write=True) as session:
        restore_submission(session, house.admin, session.get_one(Submission, (row["project_id"], row["id"])))
    assert phone.send(xml).status_code == 201
    assert house.files_of("uuid:a") == {"door.jpg": b"door"}
    assert [row["kind"] for row in house.rows(Change) if row["submission_id"]] == ["submission.created", "submission.deleted", "submission.restored"]


def test_after_thirty_days_nothing_is_left_but_the_id_which_nobody_can_use_again(house: House) -> None:
    house.publish(visit_form())
    phone, xml = house.new_phone(), a_visit("uuid:old", door="door.jpg")
    phone.send(xml, {"door.jpg": b"door"})
    phone.send(a_visit("uuid:old-2", replaces="uuid:old"))
    phone.send(a_visit("uuid:kept"))
    [row] = house.rows(Submission, Submission.instance_id == "uuid:old")
    with transaction(house.engine, write=True) as session:
        add_comment(session, house.admin, session.get_one(Submission, (row["project_id"], row["id"])), body="看过")
    delete(house, "uuid:old", days_ago=29)
    assert purge(house) == 0
    delete(house, "uuid:old", days_ago=31)
    assert (purge(house), purge(house)) == (1, 0)
    assert [one["instance_id"] for one in house.rows(SubmissionVersion)] == ["uuid:kept"]
    assert (len(house.rows(Submission)), house.rows(Attachment), house.rows(Comment)) == (1, [], [])
    assert {one["instance_id"] for one in house.rows(PurgedSubmission)} == {"uuid:old", "uuid:old-2"}
    assert [change["details"] for change in house.rows(Change, Change.kind == "submission.purged")] == [{"form_id": "visit", "instance_id": "uuid:old"}]
    assert [entry["details"] for entry in house.rows(AuditEntry, AuditEntry.action == "submission.purge")] == [{"submissions_deleted": 1}]
    for again in (xml, a_visit("uuid:old-2"), a_visit("uuid:old-2", replaces="uuid:kept")):
        assert phone.send(again).status_code == 409
    assert [one["instance_id"] for one in house.rows(SubmissionVersion)] == ["uuid:kept"]
