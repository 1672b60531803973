"""Public links: one form, for whoever has the address, until it is revoked."""

from __future__ import annotations

from tests.actors.house import House
from tests.actors.program import Program, problem_of
from tests.factories.questionnaire import a_visit, visit_form

_LINKS = "/projects/1/forms/visit/public-links"


def _link(manager: Program, name: str = "村务公开栏", **more: object) -> dict[str, object]:
    answer = manager.post(_LINKS, {"displayName": name, **more})
    assert answer.status_code == 200, answer.text
    return answer.json  # type: ignore[return-value]


def _send(house: House, token: object) -> int:
    program = Program(house)
    return program.client.post(f"/v1/key/{token}/projects/1/forms/visit/submissions", data=a_visit(), content_type="text/xml").status_code


def test_whoever_has_the_link_reads_and_fills_in_its_form_and_no_other(house: House) -> None:
    house.publish(visit_form())
    house.publish(visit_form().replace("visit", "other"))
    token = _link(Program.signed_in(house, "manager"))["token"]
    stranger = Program(house)
    assert stranger.get(f"/key/{token}/projects/1/forms/visit").status_code == 200
    assert stranger.get(f"/projects/1/forms/visit.xml?st={token}").status_code == 200
    assert _send(house, token) == 200
    assert problem_of(stranger.get(f"/key/{token}/projects/1/forms/other")) == (403, 403.1)
    assert problem_of(stranger.get(f"/key/{token}/projects/1/forms/visit/submissions")) == (403, 403.1)
    assert problem_of(stranger.get(f"/key/{token}/projects/1/forms/visit/public-links")) == (403, 403.1)
    assert stranger.client.post(f"/v1/key/{token}/projects/1/forms/other/submissions", data=a_visit(form_id="other")).status_code == 403


def test_a_closed_form_is_shown_to_no_link(house: House) -> None:
    house.publish(visit_form())
    manager = Program.signed_in(house, "manager")
    token = _link(manager)["token"]
    assert manager.patch("/projects/1/forms/visit", {"state": "closed"}).status_code == 200
    for path in ("", ".xml", "/fields", "/attachments", "/versions", "/manifest"):
        assert Program(house).get(f"/key/{token}/projects/1/forms/visit{path}").status_code == 403, path


def test_links_are_listed_newest_first_and_revoked_ones_last_without_their_tokens(house: House) -> None:
    house.publish(visit_form())
    manager = Program.signed_in(house, "manager")
    first, second, third = _link(manager, "一"), _link(manager, "二", once=True), _link(manager, "三")
    assert second["once"] is True
    assert first["once"] is None
    assert manager.delete(f"/sessions/{second['token']}").status_code == 200
    listed = manager.reads(_LINKS)
    assert [link["displayName"] for link in listed] == ["三", "一", "二"]
    assert [link["token"] for link in listed] == [third["token"], first["token"], None]
    assert all("createdBy" not in link for link in listed)
    [extended] = [link for link in manager.reads(_LINKS, X_Extended_Metadata="true") if link["id"] == first["id"]]
    assert (extended["createdBy"]["displayName"], extended["properties"]) == ("孙干事", None)


def test_a_deleted_link_opens_nothing_and_belongs_to_its_own_form(house: House) -> None:
    house.publish(visit_form())
    house.publish(visit_form().replace("visit", "other"))
    manager, viewer = Program.signed_in(house, "manager"), Program.signed_in(house, "viewer")
    link = _link(manager)
    assert problem_of(manager.delete(f"/projects/1/forms/other/public-links/{link['id']}")) == (404, 404.1)
    assert problem_of(viewer.delete(f"{_LINKS}/{link['id']}")) == (403, 403.1)
    assert problem_of(viewer.get(_LINKS)) == (403, 403.1)
    assert manager.delete(f"{_LINKS}/{link['id']}").json == {"success": True}
    assert manager.reads(_LINKS) == []
    assert problem_of(manager.get(f"{_LINKS}/{link['id']}")) == (404, 404.1)
    assert _send(house, link["token"]) == 403
    actions = [entry["action"] for entry in Program.signed_in(house).actions("public_link")]
    assert actions == ["public_link.delete", "public_link.create", "public_link.assignment.create"]


def test_a_link_carries_declared_properties_alone(house: House) -> None:
    house.publish(visit_form())
    manager = Program.signed_in(house, "manager")
    manager.post("/projects/1/actor-properties", {"name": "region"})
    link = _link(manager, properties={"region": "north"})
    path = f"{_LINKS}/{link['id']}"
    assert manager.reads(path, X_Extended_Metadata="true")["properties"] == {"region": "north"}
    assert problem_of(manager.patch(path, {"properties": {"unknown": "x"}})) == (400, 400.8)
    assert manager.patch(path, {"properties": {"region": None}}).json["properties"] is None  # type: ignore[index]
    for wrong in ({}, {"displayName": ""}, {"displayName": 7}, {"displayName": "x", "once": "yes"}, {"displayName": "x", "properties": 3}):
        assert problem_of(manager.post(_LINKS, wrong))[0] == 400, wrong
    assert len(manager.reads(_LINKS)) == 1, "what was refused left nothing behind"
