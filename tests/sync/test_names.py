"""Names survive: whatever a form calls itself and its questions, both databases take it, and it can be read."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from server.transactions import transaction
from sync.load import load_batch
from sync.names import readable_name, unused_name
from sync.sources import Batch
from sync.tables import CentralTables
from tests.sync.central_tables import a_form, a_submission, tables_of

HARD = [
    "姓名", "家庭住址（户籍所在地）", "长" * 80, "长" * 80 + "尾", "n" * 64, "order", "Order", "ORDER", "select", "user", "Name", "name", "İ", "ß", "ss",
    "😀", "😁", "བོད་ཡིག", "xmin", "ctid", "tableoid", "rowid", "oid", "instance_id", "unparsed", "received_at", "place", "place_longitude", "a-b", "a.b",
    "a_b", "9", "_9", "é", "e\u0301", "sqlite_master", "pg_class", "minqing_tables", "minqing_cursor",
]  # fmt: skip
# What an XML name cannot hold (a control character, a slash in a path) never comes; all else may.
ANY = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="/:"), min_size=1, max_size=90)
NAMES = st.lists(st.one_of(st.sampled_from(HARD), ANY), min_size=1, max_size=6, unique=True)


@pytest.mark.parametrize(
    ("asked", "given_name"),
    [("Household Size", "household_size"), ("姓名", "姓名"), ("བོད་ཡིག", "བོད_ཡིག"), ("pg_class", "_pg_class"), ("xmin", "_xmin"), ("😀", "x"), ("9", "_9")],
)
def test_a_name_stays_readable(asked: str, given_name: str) -> None:
    assert readable_name(asked) == given_name


@given(st.lists(st.text(min_size=1, max_size=120), min_size=1, max_size=30))
def test_any_names_give_distinct_names_within_63_bytes(wanted: list[str]) -> None:
    taken: set[str] = set()
    for name in wanted:
        made = unused_name(readable_name(name), taken)
        assert made not in taken
        assert 0 < len(made.encode()) <= 63
        taken.add(made)


@given(form_ids=NAMES, questions=NAMES, kinds=st.lists(st.sampled_from(["string", "geopoint", "int"]), min_size=6, max_size=6))
@example(form_ids=HARD, questions=["甲"], kinds=["string"])
@example(form_ids=["f"], questions=HARD, kinds=["string"] * len(HARD))
@example(form_ids=["f"], questions=["place_longitude", "place", "place_2_latitude"], kinds=["string", "geopoint", "string"])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_answer_is_in_the_column_that_the_registry_names(target: Engine, form_ids: list[str], questions: list[str], kinds: list[str]) -> None:
    fields = list(zip(questions, kinds, strict=False))
    answers = {"string": "text", "geopoint": "36.5 100.5 0 0", "int": 7}
    forms = [a_form(*fields, ("成员", "repeat"), *((f"成员/{name}", kind) for name, kind in fields), form_id=form_id) for form_id in form_ids]
    told = {name: answers[kind] for name, kind in fields}
    sent = [a_submission(form, "uuid:1", {**told, "成员": [{"__id": "k", **told}]}) for form in forms]
    with target.connect() as connection:  # never committed: the next example finds an empty database
        load_batch(connection, CentralTables(connection), Batch(1, 1, 1, forms, [], sent))
        again = CentralTables(connection)
        for form in forms:
            again.grow(connection, form)
        found = tables_of(connection)
    assert len(found["minqing_tables"]) == 2 * len(form_ids)
    assert len(found["minqing_columns"]) == 2 * len(form_ids) * len(fields)
    for entry in found["minqing_columns"]:
        [row] = found[entry["table_name"]]
        assert len(entry["column_name"].encode()) <= 63
        value = row[entry["column_name"]]
        assert value == answers[entry["kind"]] if entry["kind"] != "geopoint" else bytes(value)
        assert row["unparsed"] is None


def test_what_others_made_in_the_central_database_is_left_alone(target: Engine) -> None:
    with transaction(target, write=True) as session:
        session.execute(text("CREATE VIEW visit AS SELECT 1 AS theirs"))
        load_batch(session.connection(), CentralTables(session.connection()), Batch(1, 1, 1, [a_form(("a", "string"), form_id="visit")]))
        assert session.scalar(text("SELECT theirs FROM visit")) == 1
        assert tables_of(session.connection())["visit_2"] == []


def test_long_chinese_form_names_have_all_their_indexes(target: Engine) -> None:
    form = a_form(("甲", "string"), form_id="海南藏族自治州共和县农村牧区住户调查入户登记表")
    with transaction(target, write=True) as session:
        load_batch(session.connection(), CentralTables(session.connection()), Batch(1, 1, 1, [form]))
        catalogue = "SELECT indexname FROM pg_indexes" if target.dialect.name == "postgresql" else "SELECT name FROM sqlite_master WHERE type = 'index'"
        names = [name for name in session.scalars(text(catalogue)) if name.startswith("ix_")]
    assert len(names) == 2
    assert all(len(name.encode()) <= 63 for name in names)
