"""The promises to a phone that sends."""

from __future__ import annotations

import threading
from collections import Counter

from server.access.phones import revoke_phone
from server.forms.publish import set_state
from server.model import Change, Form, Submission, SubmissionVersion
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.phone import message_of
from tests.factories.questionnaire import a_visit, visit_form


def test_head_answers_204_with_the_accepted_length(house: House) -> None:
    answer = house.new_phone().head_submission()
    assert answer.status_code == 204
    assert answer.headers["X-OpenRosa-Version"] == "1.0"
    assert answer.headers["X-OpenRosa-Accept-Content-Length"] == "10000000"


def test_a_submission_is_stored_byte_for_byte_with_its_photo(house: House) -> None:
    house.publish(visit_form())
    xml = a_visit("uuid:first", door="门 1.jpg")
    answer = house.new_phone().send(xml, {"门 1.jpg": b"\xff\xd8photo"})
    assert (answer.status_code, message_of(answer)) == (201, "已收到，谢谢。")
    assert house.stored_xml("uuid:first") == xml
    assert house.files_of("uuid:first") == {"门 1.jpg": b"\xff\xd8photo"}
    [row] = house.rows(Submission)
    assert (row["division"], row["device_id"], row["review_state"]) == ("632223202200", "collect:abc", "received")


def test_the_message_is_in_the_language_of_the_phone(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    assert message_of(phone.send(a_visit(), **{"Accept-Language": "en-US,en;q=0.8"})) == "Received, thank you: full submission upload was successful!"
    assert "没有表单" in message_of(phone.send(a_visit(form_id="other")))


def test_the_same_submission_again_is_201_and_nothing_is_doubled(house: House) -> None:
    house.publish(visit_form())
    phone, xml = house.new_phone(), a_visit(door="a.jpg")
    assert [phone.send(xml, {"a.jpg": b"one"}).status_code for _ in range(3)] == [201] * 3
    assert house.count_submissions() == 1
    assert Counter(row["kind"] for row in house.rows(Change))["submission.created"] == 1


def test_resend_with_one_more_photo_adds_only_the_photo(house: House) -> None:
    house.publish(visit_form())
    phone, xml = house.new_phone(), a_visit("uuid:v", door="door.jpg", stove="stove.jpg")
    phone.send(xml, {"stove.jpg": b"stove"})
    assert phone.send(xml, {"stove.jpg": b"another stove", "door.jpg": b"door"}).status_code == 201
    assert house.files_of("uuid:v") == {"door.jpg": b"door", "stove.jpg": b"stove"}, "the first file stays"


def test_a_split_post_is_complete_once_its_last_part_came(house: House) -> None:
    house.publish(visit_form())
    phone, xml = house.new_phone(), a_visit("uuid:s", door="door.jpg", stove="stove.jpg")
    assert phone.send(xml, {"door.jpg": b"1"}, more_to_come=True).status_code == 201
    assert house.rows(SubmissionVersion)[0]["is_complete"] is False
    assert phone.send(xml, {"stove.jpg": b"2"}).status_code == 201
    assert house.rows(SubmissionVersion)[0]["is_complete"] is True
    assert house.files_of("uuid:s") == {"door.jpg": b"1", "stove.jpg": b"2"}


def test_the_same_id_with_other_answers_is_409_and_changes_nothing(house: House) -> None:
    house.publish(visit_form())
    phone, xml = house.new_phone(), a_visit("uuid:c")
    phone.send(xml)
    answer = phone.send(a_visit("uuid:c", age="71"), {"new.jpg": b"x"})
    assert answer.status_code == 409
    assert "uuid:c" in message_of(answer)
    assert house.stored_xml("uuid:c") == xml
    assert house.files_of("uuid:c") == {}


def test_an_edit_replaces_and_keeps_the_photos_it_still_mentions(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    phone.send(a_visit("uuid:1", door="door.jpg", members=("甲", "乙")), {"door.jpg": b"door"})
    assert phone.send(a_visit("uuid:2", age="71", door="door.jpg", members=("乙", "丙"), replaces="uuid:1")).status_code == 201
    [submission] = house.rows(Submission)
    assert (submission["instance_id"], submission["review_state"]) == ("uuid:1", "edited")
    assert house.files_of("uuid:2") == {"door.jpg": b"door"}
    before, after = ({m["name"]: m["__id"] for m in v["answers"]["members"]} for v in sorted(house.rows(SubmissionVersion), key=lambda v: v["id"]))
    assert after["乙"] == before["乙"], "the key of a person holds although another was struck out"
    assert after["丙"] not in before.values()


def test_an_edit_of_an_older_or_unknown_version_is_refused_with_a_reason(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    phone.send(a_visit("uuid:1"))
    phone.send(a_visit("uuid:2", replaces="uuid:1"))
    outdated, unknown = phone.send(a_visit("uuid:3", replaces="uuid:1")), phone.send(a_visit("uuid:4", replaces="uuid:none"))
    assert (outdated.status_code, unknown.status_code) == (409, 404)
    assert "uuid:1" in message_of(outdated)
    assert phone.send(a_visit("uuid:2", replaces="uuid:1")).status_code == 201, "an edit sent again is a resend"
    assert len(house.rows(SubmissionVersion)) == 2


def test_a_revoked_phone_is_refused_at_once_with_401(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    assert phone.send(a_visit()).status_code == 201
    with transaction(house.engine, write=True) as session:
        revoke_phone(session, house.admin, phone.access.id)
    assert phone.send(a_visit()).status_code == 401
    assert phone.get(phone.base + "/formList").status_code == 401
    assert house.count_submissions() == 1


def test_unknown_forms_versions_and_closed_forms_are_refused(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    assert phone.send(a_visit(version="9")).status_code == 404
    assert phone.send(a_visit(form_id="nothing")).status_code == 404
    for state, expected in (("closing", 201), ("closed", 409)):
        with transaction(house.engine, write=True) as session:
            set_state(session, house.admin, session.query(Form).one(), state)
        assert phone.send(a_visit()).status_code == expected
        assert phone.form_list() == []


def test_a_phone_of_another_project_may_not_send_here(house: House) -> None:
    house.publish(visit_form())
    other = house.new_phone()
    other.base = other.base.replace("/projects/1", "/projects/2")
    assert other.send(a_visit()).status_code in {403, 404}
    assert house.count_submissions() == 0


def test_racing_arrivals_of_the_same_submissions_are_stored_once_each(house: House) -> None:
    house.publish(visit_form())
    phones = [house.new_phone(name=f"手机{n}") for n in range(4)]
    visits = [a_visit(f"uuid:race-{n}") for n in range(12)]
    statuses: list[int] = []

    def send_all(phone) -> None:
        statuses.extend(phone.send(xml).status_code for xml in visits)

    threads = [threading.Thread(target=send_all, args=(phone,)) for phone in phones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 48
    assert house.count_submissions() == 12
    assert Counter(row["kind"] for row in house.rows(Change))["submission.created"] == 12


def test_an_encrypted_envelope_is_stored_as_it_is(house: House) -> None:
    house.publish(visit_form())
    xml = (
        b'<data xmlns="http://www.opendatakit.org/xforms/encrypted" encrypted="yes" id="visit" version="1"><base64EncryptedKey>aa</base64EncryptedKey>'
        b'<meta xmlns="http://openrosa.org/xforms"><instanceID>uuid:enc</instanceID></meta><media><file>door.jpg.enc</file></media>'
        b"<encryptedXmlFile>submission.xml.enc</encryptedXmlFile><base64EncryptedElementSignature>bb</base64EncryptedElementSignature></data>"
    )
    assert house.new_phone().send(xml, {"submission.xml.enc": b"secret"}).status_code == 201
    assert house.stored_xml("uuid:enc") == xml
    assert house.files_of("uuid:enc") == {"submission.xml.enc": b"secret", "door.jpg.enc": None}
    assert house.rows(SubmissionVersion)[0]["is_encrypted"] is True


def test_an_element_called_like_the_key_of_a_repeat_does_not_replace_it(house: House) -> None:
    house.publish(visit_form())
    house.new_phone().send(a_visit("uuid:f", extra="<members><name>甲</name><__id>forged</__id></members>"))
    [member] = house.rows(SubmissionVersion)[0]["answers"]["members"]
    assert len(member["__id"]) == 40
