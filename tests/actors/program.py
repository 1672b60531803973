"""A program that speaks `/v1`: signs in by JSON and carries its token."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

from tests.actors.house import House
from tests.web.clerk import PASSWORD, hire


class Program:
    """One client with one session, or with none."""

    def __init__(self, house: House, token: str | None = None) -> None:
        self.client = house.app.test_client(use_cookies=False)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    @classmethod
    def signed_in(cls, house: House, role: str = "admin", *, division: str | None = None) -> Program:
        return cls.of_account(house, hire(house, role, division=division))

    @classmethod
    def of_account(cls, house: House, email: str, password: str = PASSWORD) -> Program:
        answer = cls(house).post("/sessions", {"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        return cls(house, answer.json["token"])  # type: ignore[index]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        """`path` without /v1; `body` as JSON where it is not bytes."""
        sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open(f"/v1{path}", method=method, headers={**self.headers, **named}, **sent)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.ask("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.ask("PUT", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.ask("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> TestResponse:
        return self.ask("DELETE", path, **headers)

    def reads(self, path: str, **headers: str) -> Any:
        """The JSON of a GET that must succeed."""
        answer = self.get(path, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json

    def actions(self, action: str = "") -> list[dict[str, Any]]:
        """What the audit log says, newest first."""
        return self.reads(f"/audits?action={action}" if action else "/audits")  # type: ignore[no-any-return]


def problem_of(answer: TestResponse) -> tuple[int, float]:
    """Status and code of an error, which has Central's shape."""
    body = answer.json
    assert body is not None
    assert {"message", "code"} <= set(body) <= {"message", "code", "details"}
    return answer.status_code, body["code"]
