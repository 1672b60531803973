"""pyodk's calls for entity lists and entities."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyodk.client import Client

from tests.actors.odk_client import odk_client


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with odk_client(tmp_path_factory.mktemp("pyodk")) as made:
        yield made


@pytest.mark.slow
def test_a_register_is_made_filled_changed_merged_and_emptied(client: Client) -> None:
    made = client.entity_lists.create(entity_list_name="people")
    assert made.name == "people"
    assert client.entity_lists.add_property("age", entity_list_name="people")
    assert [one.name for one in client.entity_lists.get(entity_list_name="people").properties or []] == ["age"]
    assert [one.name for one in client.entity_lists.list()] == ["people"]
    one = client.entities.create("张三", {"age": "5"}, entity_list_name="people")
    assert client.entities.create_many([{"label": "李四", "age": "6"}, {"label": "王五", "age": "7"}], entity_list_name="people")
    changed = client.entities.update(one.uuid, entity_list_name="people", data={"age": "8"}, base_version=1)
    assert changed.currentVersion.version == 2
    table = client.entities.get_table("people", count=True, top=2)
    assert (table["@odata.count"], len(table["value"])) == (3, 2)
    client.entities.merge(
        [{"label": "张三", "age": "9"}, {"label": "赵六", "age": "1", "village": "达玉"}], entity_list_name="people", match_keys=["label"], delete_not_matched=True
    )
    rows = {row["label"]: (row["age"], row["village"]) for row in client.entities.get_table("people")["value"]}
    assert rows == {"张三": ("9", ""), "赵六": ("1", "达玉")}
    assert client.entities.delete(one.uuid, entity_list_name="people")
    assert [entity.currentVersion.label for entity in client.entities.list("people")] == ["赵六"]
