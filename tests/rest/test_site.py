"""The site's configuration, audit log and backup."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile

from tests.actors.house import House
from tests.actors.program import Program, problem_of
from tests.factories.questionnaire import a_visit, visit_form


def test_the_sign_in_page_is_configured_and_read_by_anyone(house: House) -> None:
    admin, stranger = Program.signed_in(house), Program(house)
    set_to = admin.post("/config/login-appearance", {"title": "海晏民情", "script": "<b>"}).json or {}
    assert set_to["value"] == {"title": "海晏民情"}
    assert stranger.reads("/config/public")["login-appearance"]["value"] == {"title": "海晏民情"}
    assert problem_of(stranger.get("/config/login-appearance")) == (401, 401.2)
    assert problem_of(stranger.get("/config/public/analytics")) == (403, 403.1)
    assert problem_of(admin.post("/config/nonsense", {})) == (400, 400.8)
    assert problem_of(Program.signed_in(house, "manager").post("/config/login-appearance", {"title": "x"})) == (403, 403.1)
    assert admin.delete("/config/login-appearance").status_code == 200
    assert problem_of(stranger.get("/config/public/login-appearance")) == (404, 404.1)


def test_a_picture_never_runs_and_is_fetched_once(house: House) -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    assert Program.signed_in(house).post("/config/logo", svg, Content_Type="image/svg+xml").json["blobExists"] is True  # type: ignore[index]
    shown = Program(house).get("/config/public/logo")
    assert shown.data == svg
    assert shown.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    again = Program(house).get("/config/public/logo", If_None_Match=f'"{hashlib.md5(svg).hexdigest()}"')
    assert (again.status_code, again.data) == (304, b"")


def test_the_audit_log_is_read_in_pages_by_category_and_time(house: House) -> None:
    admin = Program.signed_in(house)
    for name in ("甲", "乙", "丙"):
        admin.post("/projects", {"name": name})
    entries = admin.actions("project.create")
    assert [entry["details"]["data"]["name"] for entry in entries] == ["丙", "乙", "甲"]
    assert [entry["details"]["data"]["name"] for entry in admin.reads("/audits?action=project.create&limit=1&offset=1")] == ["乙"]
    assert admin.reads(f"/audits?action=project.create&end={entries[-1]['loggedAt']}") == []
    assert len(admin.reads("/audits?action=project.create&start=2020-01-01")) == 3
    [extended, *_] = admin.reads("/audits?action=project", X_Extended_Metadata="true")
    assert (extended["actor"]["displayName"], extended["actee"]["name"]) == ("孙干事", "丙")
    for wrong in ("limit=x", "offset=-1", "start=yesterday", "end=9999999999-01-01"):
        assert problem_of(admin.get(f"/audits?{wrong}")) == (400, 400.11)
    assert problem_of(Program.signed_in(house, "manager").get("/audits")) == (403, 403.1)
    assert problem_of(admin.post("/projects", {"name": "x"}, X_Action_Notes="%FF")) == (400, 400.6)


def test_a_backup_opens_with_openssl_and_the_passphrase(house: House) -> None:
    house.publish(visit_form())
    house.new_phone().send(a_visit("uuid:kept", door="a.jpg"), {"a.jpg": b"photo"})
    answer = Program.signed_in(house).post("/backup", {"passphrase": "yak butter"})
    assert answer.status_code == 200
    assert b"uuid:kept" not in answer.data
    command = ["openssl", "enc", "-d", "-aes-256-ctr", "-pbkdf2", "-pass", "pass:yak butter"]
    opened = subprocess.run(command, input=answer.data, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(opened)) as archive:
        rows = archive.extractfile("rows/submission_versions.jsonl")
        assert rows is not None
        assert b"uuid:kept" in rows.read()
        assert any(name.startswith("blobs/") for name in archive.getnames())
    assert problem_of(Program.signed_in(house, "manager").post("/backup", {"passphrase": "x"})) == (403, 403.1)
