"""community_review on the phone: the meeting and its vote, the notice and its objections."""

from __future__ import annotations

import pytest
from lxml import etree

from tests.actors.village import Village
from tests.factories.filled_forms import Opener, noticed, registered, reviewed


def test_a_household_is_reviewed_by_its_village_and_put_on_notice(village: Village) -> None:
    village.publish("community_review")
    village.sends(registered(village.opened))
    household = village.entities()["王二 塔列村 9 号"]["uuid"]
    form = reviewed(village.opened, household)
    assert form.value("head_name") == "王二"
    village.sends(form)
    village.sends(noticed(village.opened, household))
    tables = village.central()
    by_stage = {row["stage"]: row for row in tables["community_review"]}
    review, notice = by_stage["review"], by_stage["notice"]
    assert (review["meeting_present"], review["votes_votes_for"], review["passed"], review["result"]) == (10, 7, "yes", "approved")
    assert (str(notice["notice_notice_from"])[:10], notice["meeting_present"], notice["household"]) == ("2026-01-11", None, household)
    assert [row["objector"] for row in tables["community_review_objections"]] == ["李*"]


@pytest.mark.parametrize(
    ("question", "wrong", "said", "right"),
    [
        ("meeting/present", "7", "三分之二", "8"),
        ("meeting/present", "13", "应到人数", "12"),
        ("meeting/called", "2", "至少 3 人", "15"),
        ("meeting/met_on", "2099-01-01", "不能晚于今天", "2026-01-09"),
        ("votes/votes_abstain", "2", "实到人数", "1"),
    ],
)
def test_a_meeting_that_cannot_decide_is_refused(opened: Opener, question: str, wrong: str, said: str, right: str) -> None:
    form = reviewed(opened)
    form.refuses(question, wrong, said)
    form.fill({question: right})


def test_a_result_against_the_vote_takes_a_reason(opened: Opener) -> None:
    form = reviewed(opened)
    assert form.value("passed") == "yes"
    assert not form.relevant("result_reason")
    form.fill({"result": "refused"})
    assert form.answer("result_reason", "") == "required"
    form.fill({"result_reason": "会后发现申请人隐瞒车辆"})
    assert form.finalise()


def test_a_cadres_relative_is_declared(opened: Opener) -> None:
    form = reviewed(opened)
    form.fill({"meeting/related": "yes"})
    assert form.answer("meeting/related_who", "") == "required"


def test_a_notice_stands_for_a_week_and_names_nobody(opened: Opener) -> None:
    form = noticed(opened)
    form.refuses("notice/notice_to", "2026-01-17", "天数不足")
    form.fill({"notice/notice_to": "2026-01-18"})
    form.refuses("objections[1]/objector", "李四", "*")
    instance = etree.fromstring(form.finalise())
    assert instance.find("{*}meeting") is None
    assert instance.findtext("{*}objections/{*}objector") == "李*"
