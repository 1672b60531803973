"""A form that says of entities what cannot work is refused when it is uploaded, in words that say what to change."""

from __future__ import annotations

from typing import Any

import pytest

from tests.actors.house import House
from tests.actors.program import Program, problem_of
from tests.factories.questionnaire import form_xml

_FORMS = "/projects/1/forms"
_PEOPLE = "/projects/1/datasets/people"
_ONE = """
| survey | | | | |
| | type | name | label | save_to |
| | text | first | First name | first_name |
| | int | age | Age | age |
| settings | | | |
| | form_title | form_id | version |
| | 登记 | {form_id} | 1 |
| entities | | | |
| | list_name | label |
| | people | ${{first}} |
"""
_MEMBERS = """
| survey | | | | |
| | type | name | label | save_to |
| | begin repeat | member | Member | |
| | text | who | Name | full_name |
| | end repeat | | | |
| settings | | | |
| | form_title | form_id | version |
| | 家庭 | members | 1 |
| entities | | | |
| | list_name | label | repeat |
| | people | ${who} | ${member} |
"""


def one(form_id: str = "register", *changes: tuple[str, str]) -> bytes:
    """A form that makes a person, its XML with these changes."""
    return _changed(form_xml(_ONE.format(form_id=form_id)).decode(), changes)


def _changed(xml: str, changes: tuple[tuple[str, str], ...]) -> bytes:
    for old, new in changes:
        assert old in xml, old
        xml = xml.replace(old, new)
    return xml.encode()


def upload(staff: Program, xml: bytes, path: str = _FORMS) -> Any:
    return staff.post(path, xml, Content_Type="application/xml")


@pytest.fixture
def staff(house: House) -> Program:
    return Program.signed_in(house)


def reason(answer: Any) -> str:
    assert problem_of(answer) == (400, 400.25)
    return answer.json["details"]["reason"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('entities:entities-version="2024.1.0"', "", "Entities specification version is missing."),
        ("2024.1.0", "2021.1.0", "Entities specification version [2021.1.0] is not supported."),
        ("2024.1.0", "2025.2.0", "Entities specification version [2025.2.0] is not supported."),
        ("2024.1.0", "newest", "Entities specification version [newest] is not supported."),
        ('dataset="people"', "", "Dataset name is missing."),
        ('dataset="people"', 'dataset="peo.ple"', "Invalid dataset name."),
        ('dataset="people"', 'dataset="__people"', "Invalid dataset name."),
        ('saveto="first_name"', 'saveto="name"', "Invalid entity property name."),
        ('saveto="first_name"', 'saveto="Label"', "Invalid entity property name."),
        ('saveto="first_name"', 'saveto=" first_name "', "Invalid entity property name."),
        ('saveto="first_name"', 'saveto="age"', "Multiple Form Fields cannot be saved to a single property."),
        ('saveto="first_name"', 'saveto="AGE"', "Multiple Form Fields cannot be saved to a single property."),
        ('create="1"', "", "The form must specify at least one entity action, for example, create or update."),
    ],
)
def test_what_a_form_may_not_say(staff: Program, old: str, new: str, why: str) -> None:
    assert reason(upload(staff, one("register", (old, new)))) == why
    assert upload(staff, one()).status_code == 200
    assert reason(upload(staff, one("register", (old, new)), f"{_FORMS}/register/draft")) == why


def test_lists_of_repeats_need_the_specification_that_has_them(staff: Program) -> None:
    xml = form_xml(_MEMBERS).decode()
    assert "2025.1.0" in xml
    assert "2025.1.0 or later" in reason(upload(staff, _changed(xml, (("2025.1.0", "2024.1.0"),))))
    assert upload(staff, xml.encode()).status_code == 200


def test_a_value_of_many_is_no_property_of_one(staff: Program) -> None:
    xml = form_xml(_MEMBERS).decode()
    start, end = xml.index("<meta>", xml.index("<member")), xml.index("</meta>") + len("</meta>")
    declaration = xml[start:end]
    # The declaration leaves the repeat for the form's own meta group.
    entity = declaration[declaration.index("<entity") : declaration.index("</meta>")]
    moved = xml.replace(declaration, "").replace("</instanceID>", "</instanceID>" + entity) if "</instanceID>" in xml else xml.replace(declaration, "").replace("<instanceID/>", "<instanceID/>" + entity)
    assert reason(upload(staff, moved.encode())) == "Cannot save properties from a repeat on an entity outside of a repeat."


def test_an_old_specification_is_warned_of_once(staff: Program) -> None:
    old = one("register", ("2024.1.0", "2022.1.0"))
    answer = upload(staff, old)
    assert problem_of(answer) == (400, 400.16)
    [warning] = answer.json["details"]["warnings"]["workflowWarnings"]
    assert (warning["type"], warning["details"]) == ("oldEntityVersion", {"version": "2022.1.0"})
    assert upload(staff, old, f"{_FORMS}?ignoreWarnings=true&publish=true").status_code == 200


def test_names_that_differ_in_case_alone_are_refused_with_the_draft_and_at_its_publication(staff: Program) -> None:
    other_list, other_property = ('dataset="people"', 'dataset="People"'), ('saveto="first_name"', 'saveto="First_Name"')
    # Drafts bind nobody.
    for form_id, changes in (("second", (other_list,)), ("third", (other_property,)), ("first", ())):
        assert upload(staff, one(form_id, *changes)).status_code == 200
    assert staff.post(f"{_FORMS}/first/draft/publish").status_code == 200
    assert problem_of(staff.post(f"{_FORMS}/second/draft/publish")) == (409, 409.16)
    assert problem_of(staff.post(f"{_FORMS}/third/draft/publish")) == (409, 409.17)
    assert problem_of(upload(staff, one("fourth", other_list))) == (409, 409.16)
    assert problem_of(upload(staff, one("fifth", other_property))) == (409, 409.17)
    assert [entity_list["name"] for entity_list in staff.reads("/projects/1/datasets")] == ["people"]


def test_a_form_comes_back_only_while_its_list_is_as_it_was(staff: Program) -> None:
    assert upload(staff, one(), f"{_FORMS}?publish=true").status_code == 200

    def deletes() -> int:
        assert staff.delete(f"{_FORMS}/register").status_code == 200
        return staff.reads(f"{_FORMS}?deleted=true")[0]["id"]  # type: ignore[no-any-return]

    assert staff.post(f"{_FORMS}/{deletes()}/restore").status_code == 200
    number = deletes()
    assert staff.delete(f"{_PEOPLE}/properties/age").status_code == 200
    assert problem_of(staff.post(f"{_FORMS}/{number}/restore")) == (409, 409.23)
    assert staff.post(f"{_PEOPLE}/properties", {"name": "age"}).status_code == 200
    assert staff.post(f"{_FORMS}/{number}/restore").status_code == 200
    number = deletes()
    assert staff.delete(_PEOPLE).status_code == 200
    assert problem_of(staff.post(f"{_FORMS}/{number}/restore")) == (409, 409.23)


def test_a_declaration_that_goes_is_no_question_lost(staff: Program) -> None:
    assert upload(staff, one(), f"{_FORMS}?publish=true").status_code == 200
    plain = _ONE.partition("| entities")[0].replace("| save_to |", "|").replace("| first_name |", "|").replace("| age |\n", "|\n").format(form_id="register")
    assert upload(staff, form_xml(plain), f"{_FORMS}/register/draft").status_code == 200
