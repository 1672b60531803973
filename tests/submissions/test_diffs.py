"""What a version changed, as programs read it."""

from __future__ import annotations

from tests.actors.house import House
from tests.actors.program import Program
from tests.factories.questionnaire import a_visit, visit_form

SENSITIVE = """
| survey | | | | |
| | type | name | label | bind::sensitive |
| | text | id_number | ID | yes |
| settings | | | |
| | form_title | form_id | version |
| | 证件 | papers | 1 |
"""
DIFFS = "/projects/1/forms/visit/submissions/uuid%3A1/diffs"


def test_each_version_says_what_it_changed_and_rows_are_told_by_content(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    phone.send(a_visit("uuid:1", members=("甲", "乙", "丙")))
    phone.send(a_visit("uuid:2", age="71", members=("甲", "丙"), replaces="uuid:1"))
    phone.send(a_visit("uuid:3", age="71", members=("甲", "丁", "戊"), replaces="uuid:2"))
    found = Program.signed_in(house).reads(DIFFS)
    assert list(found) == ["uuid:3", "uuid:2"]
    assert found["uuid:2"] == [
        {"old": "70", "new": "71", "path": ["age"]},
        {"old": {"name": "乙"}, "path": [["members", 1]]},
        {"old": "uuid:1", "new": "uuid:2", "path": ["meta", "instanceID"]},
        {"new": "uuid:1", "path": ["meta", "deprecatedID"]},
    ]
    assert found["uuid:3"][:2] == [
        {"old": "丙", "new": "丁", "path": [["members", 1], "name"]},
        {"new": {"name": "戊"}, "path": [["members", 2]]},
    ]


def test_a_submission_that_was_never_edited_has_no_diffs(house: House) -> None:
    house.publish(visit_form())
    house.new_phone().send(a_visit("uuid:1"))
    assert Program.signed_in(house).reads(DIFFS) == {}
