"""The server judges answers by the form's rules as the phone does, and says so to staff without refusing anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from lxml import etree

from server.forms.rules.check import FormRules, check_rules
from server.forms.rules.reading import read_rules
from tests.actors.javarosa import OpenForm
from tests.factories.filled_forms import (
    GOOD_ID,
    NEW_EVENT,
    Opener,
    child_seen,
    handed_out,
    registered,
    reported,
    reviewed,
    stocked,
    verified,
    visited,
)
from tests.factories.questionnaire import form_xml
from tests.factories.shipped_forms import FORMS, xform

TRIED = (
    "-1", "0", "1", "2", "12", "13", "31", "100", "150", "1000", "99999", "3.5", "0.001", "abc", "甲", "下雪了",
    "夜间大雪，积雪二十厘米，棚圈倒塌，道路中断，需要饲草和帐篷。", GOOD_ID, "999999196001010013", "13900000000", "12345",
    "2020-01-01", "2030-01-01", "1890-01-01", "2026-01-02T02:00:00.000+08:00", "2026-01-02T05:00:00.000+08:00",
    "none injuries", "injuries fear", "none", "yes", "no",
)  # fmt: skip


def filled(opened: Opener, form_id: str) -> OpenForm:
    if form_id == "household_register":
        return registered(opened)
    if form_id == "household_verification":
        return verified(opened)
    if form_id == "wubao_visit":
        form = visited(opened, 1)
        form.fill({"risk": "medium"})
        return form
    if form_id == "disaster_report":
        return reported(opened, **NEW_EVENT)
    return {"orphan_visit": child_seen, "community_review": reviewed, "relief_distribution": handed_out, "relief_stock": stocked}[form_id](opened)


def broken(rules: FormRules, instance: etree._Element) -> set[tuple[str, str]]:
    return {(found.path, found.rule) for found in check_rules(rules, instance, received_at=datetime.now(UTC))}


def questions(instance: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    """Path and element of every answer, with the numbers of repeated groups."""
    for element in instance.iter():
        if not isinstance(element.tag, str) or len(element):
            continue
        parts, node = [], element
        while node is not instance:
            alike = [one for one in node.getparent() if one.tag == node.tag]
            name = etree.QName(node).localname
            parts.append(f"{name}[{alike.index(node) + 1}]" if len(alike) > 1 else name)
            node = node.getparent()
        yield "/".join(reversed(parts)), element


@pytest.mark.parametrize("form_id", FORMS)
def test_what_a_phone_finished_breaks_no_rule(opened: Opener, form_id: str) -> None:
    instance = etree.fromstring(filled(opened, form_id).finalise())
    assert broken(read_rules(xform(form_id)), instance) == set()


@pytest.mark.parametrize("form_id", FORMS)
def test_an_answer_is_judged_on_the_server_as_on_the_phone(opened: Opener, form_id: str) -> None:
    """Thirty answers to every question: JavaRosa's verdict on each against the server's on the same XML."""
    form = filled(opened, form_id)
    instance = etree.fromstring(form.finalise())
    rules = read_rules(xform(form_id))
    differing, refused, compared = [], 0, 0
    for path, element in list(questions(instance)):
        own = element.text or ""
        if path.startswith("meta/") or form.answer(path, own) != "ok":
            continue
        for value in ("", *TRIED):
            verdict = form.answer(path, value)
            if verdict not in {"ok", "constraint", "required"}:
                continue
            element.text = value
            found = {rule for at, rule in broken(rules, instance) if at == path}
            compared += 1
            refused += verdict != "ok"
            if found != (set() if verdict == "ok" else {verdict}):
                differing.append((path, value, verdict, found))
        element.text = own
        assert form.answer(path, own) == "ok"
    assert differing == []
    assert refused > 10
    assert compared > 100


SIMPLE = """
| survey | | | | | | |
| | type | name | label | relevant | constraint | required |
| | begin repeat | members | Members | | | |
| | integer | age | Age | | . < 120 and count(../../members/age) >= 1 | yes |
| | end repeat | | | | | |
| | text | phone | Phone | count(${members}) > 1 | regex(., '1[0-9]{10}') | |
| | text | odd | Odd | | unheard-of(.) | |
"""


def sent(inside: str) -> etree._Element:
    return etree.fromstring(f"<data>{inside}<meta><instanceID>uuid:1</instanceID></meta></data>")


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<members><age>30</age></members>", set()),
        ("<members><age>130</age></members>", {("members/age", "constraint")}),
        ("<members><age>30</age></members><members/>", {("members[2]/age", "required")}),
        ("<members><age>1</age></members><phone>abc</phone>", set()),
        ("<members><age>1</age></members><members><age>2</age></members><phone>abc</phone>", {("phone", "constraint")}),
        ("<odd>x</odd>", set()),
        ("<unknown><members/></unknown>", set()),
    ],
    ids=["kept", "broken", "left out", "not relevant", "relevant", "a function we do not know", "not of the form"],
)  # fmt: skip
def test_only_what_can_be_judged_is_judged(inside: str, expected: set[tuple[str, str]]) -> None:
    assert broken(read_rules(form_xml(SIMPLE)), sent(inside)) == expected


def test_a_submission_whose_rules_grow_with_its_square_ends_soon() -> None:
    many = "<members><age>1</age></members>" * 20_000
    started = datetime.now(UTC)
    check_rules(read_rules(form_xml(SIMPLE)), sent(many), received_at=started)
    assert (datetime.now(UTC) - started).total_seconds() < 15
