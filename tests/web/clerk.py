"""A member of staff at the level of HTTP: signs in, carries the page's token with each form."""

from __future__ import annotations

import html
import re
from typing import Any

from werkzeug.test import TestResponse

from server.access.accounts import assign_role, create_user
from server.transactions import transaction
from tests.actors.house import House

PASSWORD = "correct horse 1"


def hire(house: House, role: str, *, name: str = "孙干事", division: str | None = None) -> str:
    """The e-mail of a new account with this role: at the site for administrators, else in project 1."""
    email = f"{role}{len(division or '')}@example.com"
    with transaction(house.engine, write=True) as session:
        user = create_user(session, house.admin, email=email, password=PASSWORD, name=name, division=division, password_rounds=1)
        assign_role(session, house.admin, user, role, None if role == "admin" else 1)
    return email


class Clerk:
    """A browser without a screen."""

    def __init__(self, house: House, *, secure: bool = False) -> None:
        self.client = house.app.test_client()
        self.base = "https://localhost" if secure else "http://localhost"

    @classmethod
    def signed_in(cls, house: House, role: str, *, division: str | None = None) -> Clerk:
        clerk = cls(house)
        assert clerk.signs_in(hire(house, role, division=division)).status_code == 303
        return clerk

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, base_url=self.base, headers=headers)

    def signs_in(self, email: str, password: str = PASSWORD) -> TestResponse:
        return self.posts("/sign-in", page="/sign-in", email=email, password=password)

    def posts(self, path: str, *, page: str | None = None, **fields: Any) -> TestResponse:
        """The form, with the token that `page` carries."""
        text = self.get(page or path).text
        fields["csrf"] = re.search(r'name="csrf" value="([^"]+)"', text)[1]  # type: ignore[index]
        return self.client.post(path, base_url=self.base, data=fields)

    def first_case(self) -> str:
        """The path of the first submission listed."""
        return re.search(r'row-title"><a href="([^"]+)"', self.get("/projects/1/submissions").text)[1]  # type: ignore[index]


def words(response: TestResponse) -> str:
    """The page's text without its tags."""
    return html.unescape(re.sub(r"<[^>]+>", " ", response.text))
