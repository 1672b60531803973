"""A program that reads a form's data over /v1, signed in as a user with a role; and a household form to read."""

from __future__ import annotations

import csv
import io
import uuid
import zipfile
from typing import Any

from server.access.accounts import assign_role, create_user
from server.access.sessions import sign_in
from server.transactions import transaction
from tests.actors.house import House

PASSWORD = "correct horse battery staple 9"

HOUSEHOLD = """
| survey | | | |
| | type | name | label::中文 (zh) | label::English (en) |
| | text | division | 行政区划 | Division |
| | text | head | 户主 | Head |
| | integer | people | 人数 | People |
| | decimal | income | 收入 | Income |
| | select_multiple heating | heating | 取暖 | Heating |
| | geopoint | place | 位置 | Place |
| | dateTime | visited | 时间 | Visited |
| | text | id_number | 身份证 | ID number |
| | image | door | 门 | Door |
| | begin group | home | 房屋 | Home |
| | text | roof | 屋顶 | Roof |
| | begin repeat | members | 成员 | Members |
| | text | name | 姓名 | Name |
| | integer | age | 年龄 | Age |
| | begin repeat | animals | 牲畜 | Animals |
| | text | kind | 种类 | Kind |
| | end repeat | | | |
| | end repeat | | | |
| | end group | | | |
| choices | | | |
| | list_name | name | label::中文 (zh) | label::English (en) |
| | heating | coal | 煤 | Coal |
| | heating | dung | 牛粪 | Dung |
| settings | | | |
| | form_title | form_id | version |
| | 住户 | household | 1 |
"""


def a_household(instance_id: str | None = None, *, replaces: str | None = None, extra: str = "", members: str = "", **answers: str) -> bytes:
    """A filled-in household form; `members` and `extra` as XML."""
    given = {"division": "632223202200", "head": "卓玛", "people": "3", "income": "12.5", "heating": "coal", **answers}
    told = "".join(f"<{name}>{value}</{name}>" for name, value in given.items() if name != "roof")
    deprecated = f"<deprecatedID>{replaces}</deprecatedID>" if replaces else ""
    return (
        f'<data id="household" version="1">{told}<home><roof>{answers.get("roof", "tin")}</roof>{members}</home>{extra}'
        f"<meta><instanceID>{instance_id or f'uuid:{uuid.uuid4()}'}</instanceID>{deprecated}</meta></data>"
    ).encode()


def a_member(name: str, age: int | str = 30, animals: tuple[str, ...] = ()) -> str:
    """One row of the members, as XML."""
    return f"<members><name>{name}</name><age>{age}</age>{''.join(f'<animals><kind>{kind}</kind></animals>' for kind in animals)}</members>"


class Program:
    """Signed in; every method is one request."""

    def __init__(self, house: House, *, role: str = "manager", division: str | None = None, project_id: int | None = 1) -> None:
        email = f"{uuid.uuid4().hex}@example.org"
        with transaction(house.engine, write=True) as session:
            user = create_user(session, house.admin, email=email, password=PASSWORD, name="程序", division=division, password_rounds=1)
            if role != "none":
                assign_role(session, house.admin, user, role, None if role == "admin" else project_id)
        found = sign_in(house.engine, email=email, password=PASSWORD, address="127.0.0.1", user_agent="program", password_rounds=1)
        self.client, self._headers = house.app.test_client(), {"Authorization": f"Bearer {found.token}"}

    def get(self, path: str, form: str = "household", **parameters: str) -> Any:
        """GET below the form's address; `_` in parameters' names stands for `$` at the start."""
        query = {f"${name[1:]}" if name.startswith("_") else name: value for name, value in parameters.items()}
        return self.client.get(f"/v1/projects/1/forms/{form}{path}", query_string=query, headers=self._headers)

    def post(self, path: str, form: str = "household", **body: Any) -> Any:
        """POST below the form's address."""
        return self.client.post(f"/v1/projects/1/forms/{form}{path}", headers=self._headers, **body)

    def table(self, path: str = "/submissions.csv", **parameters: str) -> list[dict[str, str]]:
        """A CSV's rows by column."""
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))

    def files(self, **parameters: str) -> dict[str, bytes]:
        """What submissions.csv.zip holds, by name."""
        answer = self.get("/submissions.csv.zip", **parameters)
        assert answer.status_code == 200, answer.text
        return unzipped(answer.data)

    def rows(self, table: str = "Submissions", **parameters: str) -> list[dict[str, Any]]:
        """An OData table's rows."""
        answer = self.get(f".svc/{table}", **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json["value"]  # type: ignore[no-any-return]


def unzipped(content: bytes) -> dict[str, bytes]:
    """An archive's files by name, each checked against its sum."""
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}
