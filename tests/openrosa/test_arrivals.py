"""The short way for new submissions leaves exactly what the long one does, and leaves to the long one all that is not plain."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from server.access.phones import revoke_phone
from server.direct import DirectWriter
from server.forms.publish import delete_form, set_state
from server.model import Attachment, AuditEntry, BlobRow, Change, Form, Submission, SubmissionVersion
from server.openrosa.arrivals import ArrivalDesk, Post
from server.problems import Problem
from server.storage import record_blob
from server.storage.sweep import sweep_blobs
from server.submissions.form_purge import empty_trash
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.phone import HEADERS, CollectPhone
from tests.factories.questionnaire import a_visit, visit_form

BOUNDARY = b"-----phone"


def a_post(phone: CollectPhone, xml: bytes, files: dict[str, bytes] | None = None, *, more_to_come: bool = False, **headers: str) -> Post:
    parts = [b'name="xml_submission_file"; filename="s.xml"\r\nContent-Type: text/xml\r\n\r\n' + xml]
    parts += [f'name="{name}"; filename="{name}"\r\nContent-Type: image/jpeg\r\n\r\n'.encode() + content for name, content in (files or {}).items()]
    parts += [b'name="*isIncomplete*"\r\n\r\nyes'] if more_to_come else []
    body = b"".join(b"--" + BOUNDARY + b"\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--" + BOUNDARY + b"--\r\n"
    sent = {name.lower(): value for name, value in HEADERS.items()} | {"content-type": f"multipart/form-data; boundary={BOUNDARY.decode()}"} | headers
    return Post(phone.base + "/submission", "deviceID=collect%3Aabc", sent, io.BytesIO(body))


def desk_of(house: House) -> ArrivalDesk:
    return ArrivalDesk(house.app.extensions["minqing"])


def everything(house: House, instance_id: str) -> dict[str, Any]:
    """All rows of a submission, without keys and times."""
    keys = {"id", "version_id", "submission_id", "current_version_id", "received_at", "at", "created_at", "position", "chain"}
    [version] = house.rows(SubmissionVersion, SubmissionVersion.instance_id == instance_id)
    about = version["submission_id"]
    found = {
        "version": [version], "submission": house.rows(Submission, Submission.id == about),
        "files": sorted(house.rows(Attachment, Attachment.version_id == version["id"]), key=lambda row: row["name"]),
        "audit": house.rows(AuditEntry, AuditEntry.submission_id == about), "changes": house.rows(Change, Change.submission_id == about),
    }  # fmt: skip
    assert found["submission"][0]["current_version_id"] == version["id"]
    return {
        name: [{column: str(value).replace(instance_id, "").replace(str(version["id"]), "version") for column, value in row.items() if column not in keys} for row in rows]
        for name, rows in found.items()
    }


def test_both_ways_leave_the_same_rows(house: House) -> None:
    house.publish(visit_form())
    phone, desk = house.new_phone(division="632223202"), desk_of(house)
    files = {"门 1.jpg": b"\xff\xd8door", "extra.jpg": b"\xff\xd8extra"}
    assert phone.send(a_visit("uuid:long", door="门 1.jpg", stove="absent.jpg", members=("甲", "乙")), files, more_to_come=True).status_code == 201
    xml = a_visit("uuid:short", door="门 1.jpg", stove="absent.jpg", members=("甲", "乙"))
    taken = desk.take(a_post(phone, xml, files, more_to_come=True))
    assert taken is not None
    assert "已收到" in taken[1].decode()
    assert house.stored_xml("uuid:short") == xml
    long, short = everything(house, "uuid:long"), everything(house, "uuid:short")
    for rows in (long, short):
        rows["version"][0].pop("xml")
        rows["version"][0]["answers"] = rows["version"][0]["answers"].partition("'members'")[0]
    assert short == long
    assert house.files_of("uuid:short") == {"门 1.jpg": files["门 1.jpg"], "extra.jpg": files["extra.jpg"], "absent.jpg": None}
    assert len(house.rows(BlobRow)) == 2


def test_a_submission_without_a_division_has_the_phones(house: House) -> None:
    house.publish(visit_form())
    phone, desk = house.new_phone(division="632223203"), desk_of(house)
    phone.send(a_visit())
    assert desk.take(a_post(phone, a_visit("uuid:none", division=""))) is not None
    [row] = house.rows(Submission, Submission.instance_id == "uuid:none")
    assert row["division"] == "632223203"


@pytest.mark.parametrize("what", ["closed", "deleted", "revoked", "edit", "resend", "other project", "unknown version", "no XML", "not OpenRosa", "truncated"])
def test_what_is_not_plain_is_left_alone(house: House, what: str) -> None:
    house.publish(visit_form())
    phone, desk = house.new_phone(), desk_of(house)
    phone.send(a_visit("uuid:first"))
    post = a_post(phone, a_visit("uuid:second"))
    with transaction(house.engine, write=True) as session:
        form = session.scalars(select(Form)).one()
        if what == "closed":
            set_state(session, house.admin, form, "closed")
        elif what == "deleted":
            delete_form(session, house.admin, form)
        elif what == "revoked":
            revoke_phone(session, house.admin, phone.access.id)
    if what == "edit":
        post = a_post(phone, a_visit("uuid:second", replaces="uuid:first"))
    elif what == "resend":
        post = a_post(phone, a_visit("uuid:first"))
    elif what == "other project":
        post = Post(post.path.replace("projects/1/", "projects/2/"), post.query, post.headers, post.body)
    elif what == "unknown version":
        post = a_post(phone, a_visit(version="9"))
    elif what == "no XML":
        post = a_post(phone, b"not xml")
    elif what == "not OpenRosa":
        post = a_post(phone, a_visit("uuid:second"), **{"x-openrosa-version": ""})
    elif what == "truncated":
        post = Post(post.path, post.query, post.headers, io.BytesIO(post.body.read()[:-20]))
    assert desk.take(post) is None
    assert [row["instance_id"] for row in house.rows(SubmissionVersion)] == ["uuid:first"]


def test_a_form_that_came_back_under_the_same_name_gets_its_own_submissions(house: House) -> None:
    house.publish(visit_form())
    phone, desk = house.new_phone(), desk_of(house)
    phone.send(a_visit("uuid:old"))
    with transaction(house.engine, write=True) as session:
        old = session.scalars(select(Form)).one()
        delete_form(session, house.admin, old)
    empty_trash(house.engine, everything=True)
    house.publish(visit_form())
    assert desk.take(a_post(phone, a_visit("uuid:new"))) is None
    assert phone.send(a_visit("uuid:new")).status_code == 201
    assert desk.take(a_post(phone, a_visit("uuid:newer"))) is not None
    forms = {row["instance_id"]: row["form_pk"] for row in house.rows(Submission)}
    assert set(forms) == {"uuid:new", "uuid:newer"}
    assert old.id not in forms.values()


def test_many_at_once_are_each_there_once(house: House) -> None:
    house.publish(visit_form())
    phone, desk = house.new_phone(), desk_of(house)
    phone.send(a_visit())
    posts = [a_post(phone, a_visit(f"uuid:{n % 40}")) for n in range(80)]
    taken: list[bool] = []

    def send(mine: list[Post]) -> None:
        taken.extend(desk.take(post) is not None for post in mine)

    threads = [threading.Thread(target=send, args=(posts[n::8],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 40, "the other half are resends"
    assert house.count_submissions() == 41
    assert len(house.rows(Change, Change.kind == "submission.created")) == 41


def test_who_shares_a_transaction_with_a_failure_does_not_fail(house: House) -> None:
    writer = DirectWriter(house.engine)
    mark = "%s" if writer.is_postgresql else "?"
    started, outcomes = threading.Barrier(6), dict[int, Any]()

    def insert(n: int) -> None:
        def work(cursor: Any) -> int:
            cursor.execute(f"INSERT INTO purged_submissions (form_pk, instance_id, purged_at) VALUES ({mark}, 'x', '2026-01-01 00:00:00.000000')", (n,))
            if n == 3:
                cursor.execute("SELECT no_such_column")
            return n

        started.wait()
        try:
            outcomes[n] = writer.run(work)
        except Exception as error:
            outcomes[n] = error

    threads = [threading.Thread(target=insert, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: outcome for n, outcome in outcomes.items() if n != 3} == {n: n for n in range(6) if n != 3}
    assert isinstance(outcomes[3], Exception)
    with transaction(house.engine) as session:
        there = set(session.execute(text("SELECT form_pk FROM purged_submissions")).scalars())
    assert there - {3} == {0, 1, 2, 4, 5}
    assert isinstance(outcomes[3], Problem) or "no_such_column" in str(outcomes[3])


def test_a_photo_that_is_being_swept_is_left_to_the_long_way_and_nothing_is_stored(house: House) -> None:
    house.publish(visit_form())
    phone, desk = house.new_phone(), desk_of(house)
    phone.send(a_visit("uuid:first"))
    assert desk.take(a_post(phone, a_visit("uuid:second", door="door.jpg"), {"door.jpg": b"young"})) is not None
    blob = house.storage.keep_bytes(b"old")
    with transaction(house.engine, write=True) as session:
        record_blob(session, blob)
    sweep_blobs(house.engine, house.storage, now=datetime.now(UTC) + timedelta(days=2))
    assert desk.take(a_post(phone, a_visit("uuid:swept", door="door.jpg"), {"door.jpg": b"old"})) is None
    assert {row["instance_id"] for row in house.rows(SubmissionVersion)} == {row["instance_id"] for row in house.rows(Submission)} == {"uuid:first", "uuid:second"}
    assert desk.take(a_post(phone, a_visit("uuid:fresh", door="door.jpg"), {"door.jpg": b"new"})) is not None
