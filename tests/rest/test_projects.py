"""Projects, who may do what in them, and the phones that programs make."""

from __future__ import annotations

import pytest

from tests.actors.house import House
from tests.actors.phone import CollectPhone
from tests.actors.program import Program, problem_of
from tests.factories.questionnaire import a_visit, visit_form
from tests.rest.test_users import find_id
from tests.web.clerk import hire


def test_a_project_is_made_changed_archived_and_gone(house: House) -> None:
    admin = Program.signed_in(house)
    made = admin.post("/projects", {"name": "高寒牧区"}).json or {}
    assert made["name"] == "高寒牧区"
    assert admin.patch(f"/projects/{made['id']}", {"archived": True, "description": "旧"}).json["archived"] is True  # type: ignore[index]
    assert [project["name"] for project in admin.reads("/projects")] == ["示例项目", "高寒牧区"], "archived ones come last"
    assert admin.delete(f"/projects/{made['id']}").json == {"success": True}
    assert problem_of(admin.get(f"/projects/{made['id']}")) == (404, 404.1)
    assert [entry["action"] for entry in admin.actions("project")] == ["project.delete", "project.update", "project.create"]


@pytest.mark.parametrize(("path", "code"), [("1a", 400.11), ("10000000000", 400.22), ("-10000000000", 400.22), ("%C3%A9", 400.11), ("99", 404.1)])
def test_what_is_no_project_is_a_4xx(house: House, path: str, code: float) -> None:
    assert problem_of(Program.signed_in(house).get(f"/projects/{path}"))[1] == code


def test_a_project_counts_what_is_in_it(house: House) -> None:
    house.publish(visit_form())
    house.new_phone().send(a_visit("uuid:a"))
    [listed] = Program.signed_in(house).reads("/projects", X_Extended_Metadata="true")
    assert (listed["forms"], listed["appUsers"], listed["datasets"]) == (1, 1, 0)
    assert listed["lastSubmission"].endswith("Z")
    assert "form.update" in listed["verbs"]
    bound = Program.signed_in(house, "township-reviewer", division="632223203")
    assert bound.reads("/projects", X_Extended_Metadata="true")[0]["lastSubmission"] is None


def test_a_role_is_given_once_only_by_who_has_it_and_taken_back(house: House) -> None:
    manager, email = Program.signed_in(house, "manager"), hire(house, "viewer")
    someone = find_id(house, email)
    assert manager.post(f"/projects/1/assignments/formfill/{someone}").status_code == 200
    assert problem_of(manager.post(f"/projects/1/assignments/formfill/{someone}")) == (409, 409.3)
    assert problem_of(manager.post(f"/projects/1/assignments/admin/{someone}")) == (403, 403.1)
    assert problem_of(manager.post(f"/assignments/viewer/{someone}")) == (403, 403.1)
    assert problem_of(manager.post(f"/projects/1/assignments/nonsense/{someone}")) == (404, 404.1)
    assert [one["id"] for one in manager.reads("/projects/1/assignments/formfill")] == [someone]
    assert manager.delete(f"/projects/1/assignments/8/{someone}").status_code == 200
    assert problem_of(manager.delete(f"/projects/1/assignments/8/{someone}")) == (404, 404.1)


def test_a_phone_made_by_program_uses_the_forms_it_was_given_and_no_other(house: House) -> None:
    house.publish(visit_form())
    manager = Program.signed_in(house, "manager")
    made = manager.post("/projects/1/app-users", {"displayName": "走访员"}).json or {}
    phone = CollectPhone(house.app.test_client(), house.phone_access())
    phone.base = f"/v1/key/{made['token']}/projects/1"
    assert phone.form_list() == []
    assert phone.send(a_visit()).status_code == 403
    assert manager.post(f"/projects/1/forms/visit/assignments/app-user/{made['id']}").status_code == 200
    assert [form["formID"] for form in phone.form_list()] == ["visit"]
    assert phone.send(a_visit()).status_code == 201
    assert manager.delete(f"/projects/1/forms/visit/assignments/app-user/{made['id']}").status_code == 200
    assert phone.send(a_visit()).status_code == 403, "at once, though it sent a moment ago"
    [listed] = [one for one in manager.reads("/projects/1/app-users", X_Extended_Metadata="true") if one["id"] == made["id"]]
    assert listed["lastUsed"].endswith("Z")
    assert listed["createdBy"]["displayName"] == "孙干事"
    assert manager.delete(f"/projects/1/app-users/{made['id']}").status_code == 200
    assert phone.send(a_visit()).status_code == 401
    assert problem_of(manager.get(f"/projects/1/app-users/{made['id']}")) == (404, 404.1)


def test_properties_of_phones_are_declared_first(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    made = manager.post("/projects/1/app-users", {"displayName": "村"}).json or {}
    path = f"/projects/1/app-users/{made['id']}"
    assert problem_of(manager.patch(path, {"properties": {"village": "达玉"}})) == (400, 400.8)
    assert manager.post("/projects/1/actor-properties", {"name": "village"}).status_code == 200
    assert problem_of(manager.post("/projects/1/actor-properties", {"name": "village"})) == (409, 409.3)
    for wrong in (None, 1, "", "name", "a b", "__x", "x" * 300):
        assert problem_of(manager.post("/projects/1/actor-properties", {"name": wrong}))[0] == 400
    assert manager.patch(path, {"properties": {"village": " 达玉 "}}).json["properties"] == {"village": "达玉"}  # type: ignore[index]
    assert manager.reads("/projects/1/actor-properties", X_Extended_Metadata="true") == [{"name": "village", "values": ["达玉"]}]
    assert manager.patch(path, {"properties": {"village": None}}).json["properties"] is None  # type: ignore[index]


def test_a_township_sees_its_own_phones_and_no_tokens(house: House) -> None:
    house.phone_access(name="甲", division="632223202200")
    reviewer = Program.signed_in(house, "township-reviewer", division="632223202")
    assert problem_of(reviewer.get("/projects/1/app-users")) == (403, 403.1)
