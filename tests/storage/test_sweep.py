"""Blobs that nothing names are removed, and nothing that is named ever is."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from server import problems
from server.model import BlobRow, Submission, SubmissionVersion
from server.storage import record_blob
from server.storage.sweep import sweep_blobs
from server.submissions.trash import delete_submission, purge_submissions
from server.transactions import transaction
from tests.actors.house import House
from tests.factories.questionnaire import a_visit, visit_form

TWO_DAYS = timedelta(days=2)


def later() -> datetime:
    return datetime.now(UTC) + TWO_DAYS


def age_files(house: House) -> None:
    """Two days go by for the store."""
    for path in stored_files(house):
        os.utime(path, (time.time() - TWO_DAYS.total_seconds(),) * 2)


def stored_files(house: House) -> list[Path]:
    return [path for path in (house.settings.data / "blobs").rglob("*") if path.is_file()]


def erase(house: House, instance_id: str) -> None:
    [row] = house.rows(Submission, Submission.instance_id == instance_id)
    with transaction(house.engine, write=True) as session:
        submission = session.get_one(Submission, (row["project_id"], row["id"]))
        delete_submission(session, house.admin, submission)
    with transaction(house.engine, write=True) as session:
        purge_submissions(session, datetime.now(UTC) + timedelta(seconds=1))


def test_the_photos_of_an_erased_submission_go_and_those_that_another_shows_too_stay(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    phone.send(a_visit("uuid:erased", door="door.jpg"), {"door.jpg": b"its own"})
    phone.send(a_visit("uuid:twin", door="door.jpg"), {"door.jpg": b"both"})
    phone.send(a_visit("uuid:kept", door="door.jpg"), {"door.jpg": b"both"})
    erase(house, "uuid:erased")
    erase(house, "uuid:twin")
    assert sweep_blobs(house.engine, house.storage) == 0, "a day's grace"
    assert sweep_blobs(house.engine, house.storage, now=later()) == 1
    assert house.files_of("uuid:kept") == {"door.jpg": b"both"}
    assert [path.read_bytes() for path in stored_files(house)] == [b"both"]
    sweep_blobs(house.engine, house.storage, now=later() + timedelta(hours=1))
    assert len(house.rows(BlobRow)) == 1


def test_bytes_whose_transaction_failed_and_what_an_interrupted_upload_left_go(house: House) -> None:
    house.publish(visit_form())
    house.new_phone().send(a_visit("uuid:kept", door="door.jpg"), {"door.jpg": b"named"})
    house.storage.keep_bytes(b"nobody named this")
    left = stored_files(house)[0].with_name(".half.1.2")
    left.write_bytes(b"half of a ph")
    assert sweep_blobs(house.engine, house.storage, now=datetime.now(UTC)) == 0
    age_files(house)
    assert sweep_blobs(house.engine, house.storage) == 1
    assert [path.read_bytes() for path in stored_files(house)] == [b"named"]


def test_a_phone_that_sends_a_photo_while_it_is_swept_is_asked_to_come_again_and_then_has_it_kept(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    phone.send(a_visit("uuid:erased", door="door.jpg"), {"door.jpg": b"seen again"})
    erase(house, "uuid:erased")
    sweep_blobs(house.engine, house.storage, now=later())
    answer = phone.send(a_visit("uuid:again", door="door.jpg"), {"door.jpg": b"seen again"})
    assert answer.status_code == 503
    assert [row["instance_id"] for row in house.rows(SubmissionVersion)] == []
    sweep_blobs(house.engine, house.storage, now=datetime.now(UTC) + timedelta(hours=1))
    assert phone.send(a_visit("uuid:again", door="door.jpg"), {"door.jpg": b"seen again"}).status_code == 201
    assert house.files_of("uuid:again") == {"door.jpg": b"seen again"}


def test_a_photo_that_comes_again_just_before_its_sweep_is_young_again(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    phone.send(a_visit("uuid:erased", door="door.jpg"), {"door.jpg": b"back"})
    erase(house, "uuid:erased")
    with transaction(house.engine, write=True) as session:
        session.query(BlobRow).update({"created_at": datetime.now(UTC) - TWO_DAYS})
    phone.send(a_visit("uuid:back", door="door.jpg"), {"door.jpg": b"back"})
    erase(house, "uuid:back")
    assert sweep_blobs(house.engine, house.storage) == 0
    assert sweep_blobs(house.engine, house.storage, now=later()) == 1


def test_arrivals_beside_the_sweep_never_leave_a_row_without_its_bytes(house: House) -> None:
    """Each of many old photos is sent at the moment it is swept: it is either refused for now, or there."""
    contents = [f"photo {number}".encode() for number in range(40)]
    for content in contents:
        with transaction(house.engine, write=True) as session:
            record_blob(session, house.storage.keep_bytes(content))
    house.publish(visit_form())
    phone = house.new_phone()
    taken: list[int] = []
    together = threading.Barrier(2)

    def send() -> None:
        for number, content in enumerate(contents):
            together.wait(timeout=60)
            if phone.send(a_visit(f"uuid:{number}", door="door.jpg"), {"door.jpg": content}).status_code == 201:
                taken.append(number)

    sender = threading.Thread(target=send)
    sender.start()
    for content in contents:
        with transaction(house.engine, write=True) as session:
            session.query(BlobRow).filter_by(sha256=sha256(content).hexdigest()).update({"created_at": datetime.now(UTC) - TWO_DAYS})
        together.wait(timeout=60)
        sweep_blobs(house.engine, house.storage)
    sender.join()
    for number in taken:
        assert house.files_of(f"uuid:{number}") == {"door.jpg": contents[number]}


def test_a_blob_that_is_being_swept_cannot_be_named(house: House) -> None:
    blob = house.storage.keep_bytes(b"old")
    with transaction(house.engine, write=True) as session:
        record_blob(session, blob)
    sweep_blobs(house.engine, house.storage, now=later())
    with pytest.raises(type(problems.busy())), transaction(house.engine, write=True) as session:
        record_blob(session, blob)
