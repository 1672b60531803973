"""Submissions, their versions, files and comments as programs use them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server.forms.publish import publish_draft, set_state
from server.model import Attachment, Form, Submission, SubmissionVersion
from server.submissions.trash import purge_submissions
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.program import Program, problem_of
from tests.factories.questionnaire import a_visit, visit_form

ALL = "/projects/1/forms/visit/submissions"
DRAFT = "/projects/1/forms/visit/draft/submissions"
XML = "application/xml"
HIS, HERS = "632223202200", "632223203200"


def send(program: Program, xml: bytes, *, to: str = ALL, status: int = 200) -> dict:
    answer = program.ask("POST", to, xml, Content_Type=XML)
    assert answer.status_code == status, answer.text
    return answer.json or {}


def test_a_program_makes_lists_and_reads_submissions(house: House) -> None:
    house.publish(visit_form())
    admin = Program.signed_in(house)
    xml = a_visit("uuid:1", meta="<instanceName>王家</instanceName>")
    made = admin.ask("POST", ALL + "?deviceID=desk", xml, Content_Type=XML, ODK_Client="pyodk/1", User_Agent="requests/2").json or {}
    assert (made["instanceId"], made["deviceId"], made["userAgent"], made["reviewState"]) == ("uuid:1", "desk", "pyodk/1 requests/2", None)
    assert (made["currentVersion"]["instanceName"], made["currentVersion"]["current"]) == ("王家", True)
    send(admin, a_visit("uuid:2"))
    assert [one["instanceId"] for one in admin.reads(ALL)] == ["uuid:2", "uuid:1"]
    assert [one["instanceId"] for one in admin.reads(ALL + "?limit=1&offset=1")] == ["uuid:1"]
    assert admin.reads(ALL + "?deleted=true") == []
    [_newest, first] = admin.reads(ALL, X_Extended_Metadata="true")
    assert (first["submitter"]["displayName"], first["currentVersion"]["submitter"]["displayName"]) == ("孙干事", "孙干事")
    assert admin.get(ALL + "/uuid:1.xml").data == xml
    assert [one["displayName"] for one in admin.reads(ALL + "/submitters")] == ["孙干事"]
    assert admin.reads(ALL + "/keys") == []


@pytest.mark.parametrize(
    ("xml", "problem"),
    [
        (a_visit("uuid:1"), (409, 409.3)), (a_visit(version="9"), (404, 404.6)), (a_visit(form_id="other"), (400, 400.8)), (b"<a", (400, 400.2)),
        (b"", (400, 400.2)), (b"<data id='visit'", (400, 400.1)), (b"\xff\xfe\x00", (400, 400.2)),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused_with_a_number(house: House, xml: bytes, problem: tuple[int, float]) -> None:
    house.publish(visit_form())
    admin = Program.signed_in(house)
    send(admin, a_visit("uuid:1"))
    assert problem_of(admin.ask("POST", ALL, xml, Content_Type=XML)) == problem
    assert house.count_submissions() == 1


def test_an_edit_names_the_version_it_replaces(house: House) -> None:
    house.publish(visit_form())
    admin = Program.signed_in(house)
    send(admin, a_visit("uuid:1", division=HIS))

    def put(xml: bytes, to: str = "uuid:1") -> tuple[int, float]:
        answer = admin.ask("PUT", f"{ALL}/{to}", xml, Content_Type=XML)
        return (200, 0) if answer.status_code == 200 else problem_of(answer)

    assert put(a_visit("uuid:2")) == (400, 400.19)
    assert put(a_visit("uuid:2", replaces="uuid:1"), to="uuid:none") == (404, 404.1)
    assert put(a_visit("uuid:2", replaces="uuid:1", division="")) == (200, 0)
    assert put(a_visit("uuid:3", replaces="uuid:1")) == (409, 409.9)
    assert put(a_visit("uuid:1", replaces="uuid:2")) == (409, 409.8)
    [row] = house.rows(Submission)
    assert (row["instance_id"], row["review_state"], row["division"]) == ("uuid:1", "edited", HIS)
    assert [one["instanceId"] for one in admin.reads(ALL + "/uuid:1/versions")] == ["uuid:2", "uuid:1"]
    assert admin.reads(ALL + "/uuid:1/versions/uuid:1")["current"] is False
    with transaction(house.engine, write=True) as session:
        set_state(session, house.admin, session.query(Form).one(), "closed")
    assert put(a_visit("uuid:4", replaces="uuid:2")) == (409, 409.2)


def test_the_id_of_a_version_leads_to_the_version(house: House) -> None:
    house.publish(visit_form())
    admin = Program.signed_in(house)
    send(admin, a_visit("uuid:1"))
    admin.ask("PUT", ALL + "/uuid:1", a_visit("uuid:2", replaces="uuid:1"), Content_Type=XML)
    for tail in ("", ".xml", "/attachments", "/attachments/a.jpg"):
        answer = admin.get(f"{ALL}/uuid:2{tail}")
        assert (answer.status_code, answer.headers["Location"]) == (301, f"/v1{ALL}/uuid%3A1/versions/uuid:2{tail}")
    assert problem_of(admin.get(ALL + "/uuid:3")) == (404, 404.1)


def test_a_review_and_its_reason_are_in_the_submissions_own_log(house: House) -> None:
    house.publish(visit_form())
    admin = Program.signed_in(house)
    send(admin, a_visit("uuid:1"))
    patched = admin.patch(ALL + "/uuid:1", {"reviewState": "rejected"}, X_Action_Notes="no%20photo")
    assert (patched.json or {})["reviewState"] == "rejected"
    assert problem_of(admin.patch(ALL + "/uuid:1", {"reviewState": "perfect"})) == (400, 400.8)
    assert problem_of(admin.patch(ALL + "/uuid:1", {"reviewState": 7})) == (400, 400.11)
    update, create = admin.reads(ALL + "/uuid:1/audits", X_Extended_Metadata="true")
    assert (update["action"], update["details"]["reviewState"], update["notes"]) == ("submission.update", "rejected", "no photo")
    assert (create["action"], create["actor"]["displayName"], set(create["details"])) == (
        "submission.create", "孙干事", {"submissionId", "instanceId", "submissionDefId"},
    )  # fmt: skip
    admin.patch(ALL + "/uuid:1", {"reviewState": None})
    assert admin.reads(ALL + "/uuid:1")["reviewState"] is None


def test_a_reviewer_decides_by_program_as_on_the_page(house: House) -> None:
    house.publish(visit_form())
    send(Program.signed_in(house), a_visit("uuid:1", division=HIS))
    township = Program.signed_in(house, "township-reviewer", division="632223202")
    assert problem_of(township.patch(ALL + "/uuid:1", {"reviewState": "hasIssues"})) == (400, 400.71)
    assert township.patch(ALL + "/uuid:1", {"reviewState": "hasIssues"}, X_Action_Notes="x").status_code == 200
    assert township.patch(ALL + "/uuid:1", {"reviewState": "approved"}).status_code == 200
    [row] = house.rows(Submission)
    assert (row["review_state"], row["review_level"]) == ("received", "township")


def test_a_file_is_given_read_with_its_etag_and_cleared(house: House) -> None:
    house.publish(visit_form())
    admin = Program.signed_in(house)
    send(admin, a_visit("uuid:1", door="门.jpg"))
    assert admin.reads(ALL + "/uuid:1/attachments") == [{"name": "门.jpg", "exists": False}]
    assert problem_of(admin.post(ALL + "/uuid:1/attachments/other.jpg", b"x")) == (404, 404.1)
    assert admin.post(ALL + "/uuid:1/attachments/门.jpg", b"\xff\xd8", Content_Type="image/jpeg").json == {"success": True}
    got = admin.get(ALL + "/uuid:1/attachments/门.jpg")
    assert (got.data, got.content_type, got.headers["Content-Disposition"].partition(";")[0]) == (b"\xff\xd8", "image/jpeg", "inline")
    assert admin.get(ALL + "/uuid:1/attachments/门.jpg", If_None_Match=got.headers["ETag"]).status_code == 304
    assert admin.delete(ALL + "/uuid:1/attachments/门.jpg").status_code == 200
    assert problem_of(admin.get(ALL + "/uuid:1/attachments/门.jpg")) == (404, 404.1)
    assert [entry["details"]["oldBlobId"] is None for entry in admin.actions("submission.attachment.update")] == [False, True]


def test_a_page_that_was_sent_as_a_photo_runs_nowhere(house: House) -> None:
    house.publish(visit_form())
    admin = Program.signed_in(house)
    send(admin, a_visit("uuid:1", door="a.html"))
    admin.post(ALL + "/uuid:1/attachments/a.html", b"<script>", Content_Type="text/html")
    headers = admin.get(ALL + "/uuid:1/attachments/a.html").headers
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]


def test_comments_are_read_newest_first_with_their_authors(house: House) -> None:
    house.publish(visit_form())
    admin = Program.signed_in(house)
    send(admin, a_visit("uuid:1"))
    assert problem_of(admin.post(ALL + "/uuid:1/comments", {})) == (400, 400.2)
    assert (admin.post(ALL + "/uuid:1/comments", {"body": "一"}).json or {})["body"] == "一"
    admin.post(ALL + "/uuid:1/comments", {"body": "二"})
    assert [one["body"] for one in admin.reads(ALL + "/uuid:1/comments")] == ["二", "一"]
    assert admin.reads(ALL + "/uuid:1/comments?limit=1", X_Extended_Metadata="true")[0]["actor"]["displayName"] == "孙干事"


def test_whoever_is_bound_to_a_division_meets_no_other_submission_anywhere(house: House) -> None:
    house.publish(visit_form())
    admin = Program.signed_in(house)
    send(admin, a_visit("uuid:his", division=HIS, door="a.jpg"))
    send(admin, a_visit("uuid:hers", division=HERS))
    bound = Program.signed_in(house, "manager", division="632223203")
    assert [one["instanceId"] for one in bound.reads(ALL)] == ["uuid:hers"]
    assert bound.get(ALL + "/uuid:hers").status_code == 200
    for path in ("", ".xml", "/attachments", "/attachments/a.jpg", "/versions", "/versions/uuid:his", "/diffs", "/audits", "/comments"):
        assert problem_of(bound.get(f"{ALL}/uuid:his{path}"))[0] in {403, 404}, path
    edit = a_visit("uuid:his2", division=HERS, replaces="uuid:his")
    assert bound.ask("PUT", ALL + "/uuid:his", edit, Content_Type=XML).status_code == 403
    for answer in (
        bound.delete(ALL + "/uuid:his"), bound.patch(ALL + "/uuid:his", {"reviewState": "approved"}), bound.post(ALL + "/uuid:his/comments", {"body": "x"}),
        bound.post(ALL + "/uuid:his/attachments/a.jpg", b"x"),
    ):  # fmt: skip
        assert problem_of(answer) == (403, 403.1)
    admin.delete(ALL + "/uuid:his")
    assert bound.reads(ALL + "?deleted=true") == []
    assert problem_of(bound.post(ALL + "/uuid:his/restore")) == (403, 403.1)


def test_what_was_tried_on_a_draft_goes_with_the_draft(house: House) -> None:
    form = house.save_draft(visit_form())
    admin = Program.signed_in(house)
    send(admin, a_visit("uuid:1", door="a.jpg"), to=DRAFT)
    assert admin.post(DRAFT + "/uuid:1/attachments/a.jpg", b"1").status_code == 200
    assert [one["instanceId"] for one in admin.reads(DRAFT)] == ["uuid:1"]
    assert [one["action"] for one in admin.reads(DRAFT + "/uuid:1/audits")] == ["submission.attachment.update", "submission.create"]
    house.save_draft(visit_form("2"))
    assert admin.reads(DRAFT) == []
    assert problem_of(admin.get(DRAFT + "/uuid:1")) == (404, 404.1)
    assert problem_of(admin.ask("POST", DRAFT, a_visit("uuid:1"), Content_Type=XML)) == (409, 409.18), "it is in the trash, as in Central"
    with transaction(house.engine, write=True) as session:
        assert purge_submissions(session, datetime.now(UTC) + timedelta(days=31)) == 1
    send(admin, a_visit("uuid:1"), to=DRAFT)
    assert (len(house.rows(SubmissionVersion)), house.rows(Attachment)) == (1, []), "the former draft's rows are gone"
    with transaction(house.engine, write=True) as session:
        publish_draft(session, house.admin, session.get_one(Form, form.id))
    assert problem_of(admin.get(DRAFT)) == (404, 404.1)
    assert admin.reads(ALL) == []


def test_a_test_address_takes_submissions_by_its_token_alone(house: House) -> None:
    house.save_draft(visit_form())
    admin, nobody = Program.signed_in(house), Program(house)
    token = admin.reads("/projects/1/forms/visit/draft")["draftToken"]
    send(nobody, a_visit("uuid:1"), to=f"/test/{token}{DRAFT}")
    assert admin.reads(DRAFT + "/uuid:1")["submitterId"] is None
    answer = nobody.ask("POST", f"/test/wrong{DRAFT}", a_visit(), Content_Type=XML)
    assert problem_of(answer) == (404, 404.1)


def test_no_page_to_edit_on_is_said_plainly(house: House) -> None:
    house.publish(visit_form())
    admin = Program.signed_in(house)
    send(admin, a_visit("uuid:1"))
    assert problem_of(admin.get(ALL + "/uuid:1/edit")) == (409, 409.11)
