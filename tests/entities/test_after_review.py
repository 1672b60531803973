"""Lists that wait for approval, and edits that add what the first sending lacked."""

from __future__ import annotations

from tests.actors.house import House
from tests.actors.program import Program

FORM = """
| survey | | | | |
| | type | name | label | save_to |
| | text | full_name | Name | full_name |
| | select_one yn | enrol | Enrol? | |
| choices | | | | |
| | list_name | name | label | |
| | yn | yes | Yes | |
| | yn | no | No | |
| settings | | | | |
| | form_title | form_id | version | |
| | 申请 | apply | 1 | |
| entities | | | | |
| | list_name | label | create_if | |
| | applicants | ${full_name} | ${enrol} = 'yes' | |
"""
UUID = "12345678-1234-4123-8234-123456789abc"


def an_application(instance_id: str, *, enrol: bool, replaces: str | None = None) -> bytes:
    deprecated = f"<orx:deprecatedID>{replaces}</orx:deprecatedID>" if replaces else ""
    entity = f'<entity dataset="applicants" id="{UUID}" create="{"1" if enrol else ""}"><label>张三</label></entity>'
    return (
        '<data xmlns:orx="http://openrosa.org/xforms" id="apply" version="1"><full_name>张三</full_name>'
        f"<enrol>{'yes' if enrol else 'no'}</enrol><meta><orx:instanceID>{instance_id}</orx:instanceID>{deprecated}{entity}</meta></data>"
    ).encode()


def labels(program: Program) -> list[str]:
    return [row["label"] for row in program.reads("/projects/1/datasets/applicants.svc/Entities")["value"]]


def test_an_entity_waits_for_the_approval_of_its_submission(house: House) -> None:
    house.publish(FORM)
    manager, phone = Program.signed_in(house, "manager"), house.new_phone()
    assert manager.patch("/projects/1/datasets/applicants", {"approvalRequired": True}).status_code == 200
    assert phone.send(an_application("uuid:a", enrol=True)).status_code == 201
    assert labels(manager) == []
    path = "/projects/1/forms/apply/submissions/uuid:a"
    assert manager.patch(path, {"reviewState": "hasIssues"}).status_code == 200
    assert labels(manager) == []
    assert manager.patch(path, {"reviewState": "approved"}).status_code == 200
    assert labels(manager) == ["张三"]
    assert manager.patch(path, {"reviewState": "approved"}).status_code == 200
    assert labels(manager) == ["张三"], "once"


def test_an_edit_makes_the_entity_that_the_first_sending_did_not(house: House) -> None:
    house.publish(FORM)
    manager, phone = Program.signed_in(house, "manager"), house.new_phone()
    assert phone.send(an_application("uuid:a", enrol=False)).status_code == 201
    assert labels(manager) == []
    assert phone.send(an_application("uuid:b", enrol=True, replaces="uuid:a")).status_code == 201
    assert labels(manager) == ["张三"]
