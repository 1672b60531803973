"""Each route of `/v1`, walked as nobody, as each role, as those of another project, form or division. A route without a rule fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from server.access.accounts import assign_role, create_user
from server.access.actor import Grant
from server.access.roles import LISTED_ROLES, ROLES
from server.forms.definitions import forget_definitions
from server.submissions.known_forms import forget_forms
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.program import Program
from tests.factories.questionnaire import a_visit, visit_form
from tests.rest.route_rules import ANYONE, FILTERED, OWN, RULES, SIGNED_IN, TOKEN
from tests.rest.test_hostile_input import VALUES, filled_in
from tests.web.clerk import PASSWORD

SECRET = "632223203299"  # the other township's village, which is in every answer about its case
DENIED = {401, 403}
# Roles that no person is given.
SYSTEM_ROLES = {"pwreset", "formview", "pub-link", "app-user"}
CASES = "submission"


def routes(house: House) -> Iterator[tuple[str, str, str, set[str]]]:
    """Endpoint, method, rule and argument names of each route of /v1."""
    for rule in house.app.url_map.iter_rules():
        if rule.rule.startswith("/v1/"):
            for method in sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"}):
                yield rule.endpoint, method, rule.rule, {name for name in rule.arguments if f"{name}>" in rule.rule}


class Town:
    """A house with a form, two cases of two townships, and accounts; put back to how it was after each thing done."""

    def __init__(self, house: House) -> None:
        self.house = house
        for form in ("visit", "other"):
            house.publish(visit_form().replace("| visit |", f"| {form} |"))
        house.save_draft(visit_form("draft"))
        house.new_phone().send(a_visit("uuid:first", door="a.jpg"), {"a.jpg": b"\xff\xd8"})
        house.new_phone().send(a_visit("uuid:secret", division=SECRET))
        with transaction(house.engine, write=True) as session:
            self.admin_id = create_user(session, house.admin, email="x@example.com", password=PASSWORD, name="x", password_rounds=1)
        self.programs: dict[str, tuple[Program, tuple[Grant, ...]]] = {}
        for role in LISTED_ROLES:
            if role.system not in SYSTEM_ROLES:
                self.hire(role.system, Grant(role.system, None if role.system == "admin" else 1))
        self.hire("manager of another project", Grant("manager", 2))
        self.hire("viewer of another form", Grant("viewer", 1, 2))
        self.hire("no one in particular")
        admin = self.programs["admin"][0]
        phone = admin.post("/projects/1/app-users", {"displayName": "p"}).json or {}
        assert admin.post(f"/projects/1/forms/other/assignments/app-user/{phone['id']}").status_code == 200
        link = admin.post("/projects/1/forms/other/public-links", {"displayName": "l"}).json or {}
        for name, token, role_name in (("phone of another form", phone["token"], "app-user"), ("public link of another form", link["token"], "pub-link")):
            self.programs[name] = (KeyProgram(house, token), (Grant(role_name, 1, 2),))
        self.path = Path(str(house.engine.url.database))
        self.kept = self.path.with_suffix(".kept")
        with sqlite3.connect(self.path) as source, sqlite3.connect(self.kept) as kept:
            source.backup(kept)

    def hire(self, name: str, *grants: Grant, division: str | None = None) -> None:
        house, email = self.house, f"{len(self.programs)}@example.com"
        with transaction(house.engine, write=True) as session:
            if not session.connection().exec_driver_sql("SELECT 1 FROM projects WHERE id = 2").first():
                session.connection().exec_driver_sql("INSERT INTO projects (id, name, created_at) VALUES (2, '别的', '2026-01-01 00:00:00.000000')")
            user = create_user(session, house.admin, email=email, password=PASSWORD, name=name, division=division, password_rounds=1)
            for grant in grants:
                assign_role(session, house.admin, user, grant.role, grant.project_id, grant.form_pk)
        self.programs[name] = (Program.of_account(house, email), grants)

    def put_back(self) -> None:
        with sqlite3.connect(self.kept) as kept, sqlite3.connect(self.path, timeout=20, isolation_level=None) as target:
            kept.backup(target)
        forget_forms(self.house.engine)
        forget_definitions(self.house.engine)

    def ask(self, program: Program, method: str, rule: str, arguments: set[str]) -> TestResponse:
        values = {name: VALUES.get(name, "x") for name in arguments} | {"user_id": str(self.admin_id), "actor_id": str(self.admin_id)}
        body = b"" if method in {"GET", "DELETE"} else b"{}"
        return program.ask(method, filled_in(rule, values), body, Content_Type="application/json", X_OpenRosa_Version="1.0")


class KeyProgram(Program):
    """A program that comes with a phone's or a link's token in the path."""

    def __init__(self, house: House, token: str) -> None:
        super().__init__(house)
        self._prefix = f"/key/{token}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        return super().ask(method, self._prefix + path, body, **headers)


@pytest.fixture
def town(house: House) -> Town:
    return Town(house)


def needed_for(endpoint: str, method: str, rule: str) -> str:
    """The endpoint's rule, or that of the method alone; a draft is for who may change the form."""
    needed = RULES.get(f"{endpoint} {method}", RULES.get(endpoint, ""))
    return "form.update" if needed in {"open_form.read", "dataset.list"} and "/draft" in rule else needed


def may(rule: str, grants: tuple[Grant, ...], arguments: set[str]) -> bool:
    """Whether some grant has the verb at the place that the path names: project 1, and form 1 where it names a form."""
    project, form = ("project_id" in arguments), bool({"form_id", "form_pk"} & arguments)
    return any(
        rule in ROLES[grant.role] and (grant.project_id is None or (project and grant.project_id == 1))
        and (grant.form_pk is None or (form and grant.form_pk == 1))
        for grant in grants
    )  # fmt: skip


def test_each_route_has_a_rule_and_each_rule_a_route(house: House) -> None:
    there = {endpoint for endpoint, _method, _rule, _arguments in routes(house)}
    assert there - set(RULES) == set(), "say in route_rules.py who may use these"
    assert {name.partition(" ")[0] for name in RULES} - there == set()


@pytest.mark.slow
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_nobody_gets_in_without_saying_who_they_are(town: Town) -> None:
    let_in = []
    for endpoint, method, rule, arguments in routes(town.house):
        answer = town.ask(Program(town.house), method, rule, arguments)
        if needed_for(endpoint, method, rule) not in {ANYONE, TOKEN} and answer.status_code not in DENIED:
            let_in.append((method, rule, answer.status_code))
    assert let_in == []


@pytest.mark.slow
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_each_role_may_do_what_its_verbs_say_and_no_more(town: Town) -> None:
    wrong = []
    for endpoint, method, rule, arguments in routes(town.house):
        needed = needed_for(endpoint, method, rule)
        if needed in {ANYONE, SIGNED_IN, OWN, TOKEN, FILTERED}:
            continue
        for name, (program, grants) in town.programs.items():
            answer = town.ask(program, method, rule, arguments)
            allowed = may(needed, grants, arguments)
            # 404 is right where the thing is not there, whoever asks; a verb that is lacking must never lead to a 2xx.
            if (not allowed and answer.status_code < 400) or (allowed and answer.status_code in DENIED):
                wrong.append((name, method, rule, answer.status_code, needed))
            if method != "GET" and answer.status_code < 400:
                town.put_back()
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_lists_are_empty_for_who_may_see_none_of_it(town: Town) -> None:
    stranger = town.programs["no one in particular"][0]
    for path in ("/users", "/users?q=1@example", "/projects", "/projects?forms=true"):
        assert stranger.reads(path) == []
    assert b"<formID>" not in stranger.get("/projects/1/formList", X_OpenRosa_Version="1.0").data


@pytest.mark.slow
def test_no_route_tells_a_township_of_anothers_case(house: House) -> None:
    house.publish(visit_form())
    house.save_draft(visit_form("draft"))
    house.new_phone().send(a_visit("uuid:first", door="a.jpg"), {"a.jpg": b"\xff\xd8"})
    house.new_phone().send(a_visit("uuid:secret", division=SECRET, door="secret.jpg"), {"secret.jpg": b"\xff\xd8the secret"})
    bound, unbound = Program.signed_in(house, "county-reviewer", division="632223202"), Program.signed_in(house, "viewer")
    seen_at_all = set()
    for endpoint, method, rule, arguments in routes(house):
        if method != "GET" or (CASES not in rule and ".svc" not in rule and "audits" not in rule):
            continue
        for instance in ("uuid:first", "uuid:secret"):
            values = {name: VALUES.get(name, "x") for name in arguments} | {"instance_id": instance, "root_id": instance, "name": "secret.jpg"}
            values["place"], values["version_id"] = f"'{instance}')", instance
            path = filled_in(rule, {name: value for name, value in values.items() if name in arguments})
            answer = bound.get(path)
            assert b"uuid:secret" not in answer.data and SECRET.encode() not in answer.data and b"the secret" not in answer.data, path
            if b"uuid:secret" in unbound.get(path).data:
                seen_at_all.add(endpoint)
    assert len(seen_at_all) >= 6, "the case is there for who is bound to no township"
