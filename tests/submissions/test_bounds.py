"""What nobody may do with submissions, whoever asks and however much."""

from __future__ import annotations

import io
import os
import random
import time

from server.model import FormVersion, SubmissionVersion
from server.submissions.row_changes import changed_hunks
from tests.actors.house import House
from tests.actors.phone import HEADERS
from tests.actors.program import Program, problem_of
from tests.factories.questionnaire import a_visit, visit_form
from tests.openrosa.test_arrivals import a_post, desk_of

ALL = "/projects/1/forms/visit/submissions"
HIS, HERS = "632223202200", "632223203200"


def test_a_phone_edits_neither_another_townships_submission_nor_learns_that_it_is_there(house: House) -> None:
    house.publish(visit_form())
    his, hers = house.new_phone(name="甲", division=HIS[:9]), house.new_phone(name="乙", division=HERS[:9])
    assert his.send(a_visit("uuid:1", division=HIS)).status_code == 201
    assert hers.send(a_visit("uuid:2", division=HERS, replaces="uuid:1")).status_code == 404
    assert his.send(a_visit("uuid:2", division=HERS, replaces="uuid:1")).status_code == 201
    assert his.send(a_visit("uuid:3", division=HIS, replaces="uuid:2")).status_code == 201, "what it sent itself, also under another division"


def test_a_public_link_that_was_ended_takes_nothing_more(house: House) -> None:
    house.publish(visit_form())
    admin = Program.signed_in(house)
    link = admin.post("/projects/1/forms/visit/public-links", {"displayName": "问卷"}).json or {}

    def send(instance_id: str) -> int:
        parts = {"xml_submission_file": (io.BytesIO(a_visit(instance_id)), "s.xml", "text/xml")}
        path = f"/v1/key/{link['token']}/projects/1/submission"
        return house.app.test_client().post(path, data=parts, content_type="multipart/form-data", headers=HEADERS).status_code

    assert send("uuid:1") == 201
    assert admin.delete(f"/projects/1/forms/visit/public-links/{link['id']}").status_code == 200
    assert send("uuid:2") in {401, 403}, "at once, though it sent a moment ago"
    assert house.count_submissions() == 1


def test_a_file_is_kept_only_of_who_may_give_it(house: House) -> None:
    house.publish(visit_form())
    house.new_phone().send(a_visit("uuid:1", door="a.jpg"))

    def kept() -> int:
        return sum(len(files) for _folder, _folders, files in os.walk(house.settings.data / "blobs"))

    before = kept()
    for role, name in (("viewer", "a.jpg"), ("manager", "unmentioned.jpg")):
        assert Program.signed_in(house, role).post(f"{ALL}/uuid:1/attachments/{name}", b"\xff\xd8 never seen before").status_code in {403, 404}
    assert kept() == before


def test_both_ways_say_the_same_of_the_program_that_sent(house: House) -> None:
    house.publish(visit_form())
    phone, told = house.new_phone(), {"odk-client": "pyodk/1"}
    assert phone.send(a_visit("uuid:long"), **told).status_code == 201
    assert desk_of(house).take(a_post(phone, a_visit("uuid:short"), **told)) is not None
    assert {row["user_agent"] for row in house.rows(SubmissionVersion)} == {f"pyodk/1 {HEADERS['User-Agent']}"}


def test_programs_read_json_where_they_test_a_draft(house: House) -> None:
    house.save_draft(visit_form())
    [token] = [row["draft_token"] for row in house.rows(FormVersion)]
    answer = Program(house).ask("POST", f"/test/{token}/projects/1/forms/visit/draft/submissions", b"<aoeu", Content_Type="application/xml")
    assert problem_of(answer) == (400, 400.2)


def test_who_has_the_list_already_does_not_get_it_again(house: House) -> None:
    house.publish(visit_form())
    phone, admin = house.new_phone(), Program.signed_in(house)
    phone.send(a_visit("uuid:1"))
    for query in ("", "?limit=5", "?deleted=true"):
        answer = admin.get(ALL + query)
        assert admin.get(ALL + query, If_None_Match=answer.headers["ETag"]).status_code == 304
        admin.patch(ALL + "/uuid:1", {"reviewState": "approved"})
        if not query.startswith("?deleted"):
            assert admin.get(ALL + query, If_None_Match=answer.headers["ETag"]).status_code == 200


def test_versions_of_thousands_of_rows_are_compared_in_moments(house: House) -> None:
    house.publish(visit_form())
    phone, admin = house.new_phone(), Program.signed_in(house)
    assert phone.send(a_visit("uuid:1", members=tuple("甲" if n % 2 else f"人{n % 7}" for n in range(4000)))).status_code == 201
    assert phone.send(a_visit("uuid:2", members=tuple("甲" if n % 3 else f"人{n % 5}" for n in range(4000)), replaces="uuid:1")).status_code == 201
    start = time.monotonic()
    [(_id, changes)] = admin.reads(f"{ALL}/uuid:1/diffs").items()
    assert len(changes) > 1000
    assert time.monotonic() - start < 10


def test_hunks_lead_from_the_old_rows_to_the_new_with_the_fewest_changes() -> None:
    chance = random.Random(4)
    for _ in range(500):
        old, new = ([bytes([chance.randrange(4)]) for _ in range(chance.randrange(10))] for _ in range(2))
        made, at, changes = [], 0, 0
        for hunk in changed_hunks(old, new):
            made += old[at : hunk.old_from]
            assert len(made) == hunk.new_from
            made += new[hunk.new_from : hunk.new_to]
            at = hunk.old_to
            changes += hunk.old_to - hunk.old_from + hunk.new_to - hunk.new_from
        assert made + old[at:] == new
        kept = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
        for x, one in enumerate(old):
            for y, other in enumerate(new):
                kept[x + 1][y + 1] = kept[x][y] + 1 if one == other else max(kept[x][y + 1], kept[x + 1][y])
        assert changes == len(old) + len(new) - 2 * kept[-1][-1]
