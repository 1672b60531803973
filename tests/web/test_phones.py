"""Phones: made, shown as a QR code, revoked, by those who may."""

from __future__ import annotations

from server.access.phones import get_phone, phone_settings, qr_text
from server.model import Phone
from server.transactions import transaction
from tests.actors.house import House
from tests.web.clerk import Clerk, words


def test_a_new_phone_is_set_up_by_its_code(house: House) -> None:
    clerk = Clerk.signed_in(house, "admin")
    made = clerk.posts("/projects/1/phones", name="达玉五谷村 张书记", division="632223202200")
    page = clerk.get(made.headers["Location"])
    assert "青海湖乡 达玉五谷村" in words(page)
    code = clerk.get(made.headers["Location"] + "/qr.svg")
    assert code.content_type == "image/svg+xml"
    assert code.headers["Content-Security-Policy"].startswith("sandbox")
    assert code.headers["Cache-Control"] == "no-store"
    assert b"<svg" in code.data


def test_a_phone_needs_a_name_and_a_real_division(house: House) -> None:
    clerk = Clerk.signed_in(house, "admin")
    assert clerk.posts("/projects/1/phones", name=" ").status_code == 400
    assert clerk.posts("/projects/1/phones", name="x", division="6322%").status_code == 400
    assert house.rows(Phone) == []


def test_a_revoked_phone_has_no_code_and_opens_nothing(house: House) -> None:
    phone, clerk = house.new_phone(), Clerk.signed_in(house, "admin")
    path = f"/projects/1/phones/{phone.access.id}"
    assert phone.get(phone.base + "/formList").status_code == 200
    assert clerk.posts(path + "/revoke", page=path).status_code == 303
    assert phone.get(phone.base + "/formList").status_code == 401
    assert clerk.get(path + "/qr.svg").status_code == 404
    assert "已停用" in clerk.get(path).text


def test_who_may_list_phones_still_gets_no_code(house: House) -> None:
    phone = house.new_phone(division="632223202200")
    reviewer = Clerk.signed_in(house, "township-reviewer", division="632223202")
    path = f"/projects/1/phones/{phone.access.id}"
    page = reviewer.get(path).text
    assert "达玉五谷村手机" in page
    assert phone.access.password not in page
    assert reviewer.get(path + "/qr.svg").status_code == 403
    assert reviewer.posts(path + "/revoke", page=path).status_code == 403
    assert reviewer.posts("/projects/1/phones", name="x").status_code == 403
    elsewhere = Clerk.signed_in(house, "township-reviewer", division="6322231901")
    assert elsewhere.get(path).status_code == 403
    assert "达玉五谷村手机" not in elsewhere.get("/projects/1/phones").text


def test_the_code_is_what_the_phone_reads(house: House) -> None:
    """The SVG holds the settings and nothing else: the same text gives the same picture."""
    from server.web.phones import svg

    access = house.phone_access()
    with transaction(house.engine) as session:
        phone = get_phone(session, house.admin, access.id, secrets=house.secrets)
    expected = svg(qr_text(phone_settings("http://localhost", phone, project_name="示例项目"))).data
    assert Clerk.signed_in(house, "admin").get(f"/projects/1/phones/{access.id}/qr.svg").data == expected
