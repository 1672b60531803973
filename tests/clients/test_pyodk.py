"""pyodk, ODK's own client for programs, against `minqing serve` as a user starts it: only the address is another."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyodk.client import Client

from tests.actors.odk_client import odk_client
from tests.factories.xlsform import xlsform

FORM = r"""
| survey | | | |
| | type | name | label |
| | text | name | Name |
| | integer | age | Age |
| | begin repeat | members | Members |
| | text | who | Who |
| | end repeat | | |
| settings | | | |
| | form_id | form_title | version |
| | households | 入户 | 1 |
"""


def a_household(instance_id: str, *, age: int, replaces: str | None = None) -> str:
    deprecated = f"<orx:deprecatedID>{replaces}</orx:deprecatedID>" if replaces else ""
    return (
        '<data xmlns:orx="http://openrosa.org/xforms" id="households" version="1"><name>卓玛</name>'
        f"<age>{age}</age><members><who>甲</who></members><members><who>乙</who></members>"
        f"<orx:meta><orx:instanceID>{instance_id}</orx:instanceID>{deprecated}</orx:meta></data>"
    )


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with odk_client(tmp_path_factory.mktemp("pyodk")) as made:
        yield made


@pytest.fixture(scope="module")
def form_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forms") / "households.xlsx"
    path.write_bytes(xlsform(FORM))
    return path


@pytest.mark.slow
def test_pyodk_publishes_a_form_submits_edits_reviews_and_reads_the_table(client: Client, form_file: Path) -> None:
    assert [project.id for project in client.projects.list()] == [1]
    made = client.forms.create(definition=form_file)
    assert (made.xmlFormId, made.version, made.name) == ("households", "1", "入户")
    assert b"households" in client.forms.get_xml("households").encode()

    [phone] = client.projects.create_app_users(display_names=["走访手机"], forms=["households"])
    assert phone.token

    first, second = f"uuid:{uuid.uuid4()}", f"uuid:{uuid.uuid4()}"
    sent = client.submissions.create(xml=a_household(first, age=70), form_id="households", device_id="laptop")
    assert (sent.instanceId, sent.deviceId) == (first, "laptop")
    client.submissions.edit(first, xml=a_household(second, age=71, replaces=first), form_id="households", comment="年龄更正")
    assert [comment.body for comment in client.submissions.list_comments(first, form_id="households")] == ["年龄更正"]
    client.submissions.review(first, review_state="approved", form_id="households")
    client.submissions.add_comment(first, comment="谢谢", form_id="households")
    assert client.submissions.get(first, form_id="households").reviewState == "approved"

    table = client.submissions.get_table(form_id="households", expand="*", count=True)
    [row] = table["value"]
    assert (table["@odata.count"], row["__id"], row["age"], row["name"]) == (1, first, 71, "卓玛")
    assert [member["who"] for member in row["members"]] == ["甲", "乙"]
    assert row["__system"]["reviewState"] == "approved"
    assert client.submissions.get_table(form_id="households", filter="age gt 80")["value"] == []
    members = client.submissions.get_table(form_id="households", table_name="Submissions.members")
    assert [member["who"] for member in members["value"]] == ["甲", "乙"]


@pytest.mark.slow
def test_pyodk_updates_a_form_and_its_new_version_is_used(client: Client, tmp_path: Path) -> None:
    for version, put in (("1", client.forms.create), ("2", lambda definition: client.forms.update(form_id="herds", definition=definition))):
        file = tmp_path / f"herds-{version}.xlsx"
        file.write_bytes(xlsform(FORM.replace("| households | 入户 | 1 |", f"| herds | 畜群 | {version} |")))
        put(definition=file)
        assert client.forms.get("herds").version == version
