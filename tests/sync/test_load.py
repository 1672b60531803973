"""Rows as the central database has them: types, what fits no type, and rows that the database itself refuses."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from server.problems import Problem
from server.transactions import transaction
from sync.load import _Target, load_batch
from sync.sources import Batch, FormState, Purged, SubmissionState
from sync.tables import CentralTables
from sync.values import Unfit, point_wkbs, read_points, reader_of, shape_wkb
from tests.sync.central_tables import a_form, a_submission, tables_of


def load(target: Engine, *submissions: SubmissionState, forms: tuple[FormState, ...] = (), purged: tuple[Purged, ...] = (), position: int = 1) -> None:
    with transaction(target, write=True) as session:
        connection = session.connection()
        load_batch(connection, CentralTables(connection), Batch(position, position, 1, list(forms), list(purged), list(submissions)))


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("int", "about 70"), ("int", 2**63), ("int", {"a": 1}), ("decimal", "1e400"), ("decimal", "NaN"), ("decimal", "12345678901234567890.5"),
        ("decimal", "1.2.3"), ("date", "2026-02-30"), ("date", "2026-11-24 or so"), ("dateTime", "yesterday"), ("dateTime", "0001-01-01T00:00:00+08:00"),
        ("time", "25:00"), ("boolean", "perhaps"), ("geopoint", "91 0 0 0"), ("geopoint", "1 1;2 2"), ("geopoint", "nan 1"), ("geopoint", "1 1 inf 0"),
        ("geopoint", "1"), ("geotrace", "1 1 0 0"), ("geoshape", "1 1;2 2;3 3;4 4"), ("string", {"a": 1}), ("geopoint", [1, 2]),
    ],
)  # fmt: skip
def test_what_does_not_fit_its_type_leaves_null_and_its_text(target: Engine, kind: str, answer: Any) -> None:
    load(target, a_submission(a_form(("a", kind), ("g/b", "string")), "uuid:1", {"a": answer, "g": {"b": "fits"}}))
    [row] = tables_of(target)["f"]
    assert (row["a"], row["g_b"]) == (None, "fits")
    assert row["unparsed"] == {"a": answer}


@pytest.mark.parametrize(
    ("kind", "answer", "value"),
    [
        ("int", 42, 42), ("decimal", 3, 3.0), ("decimal", "0.12345678901234567", 0.12345678901234567), ("date", "2026-11-24", date(2026, 11, 24)),
        ("date", "2026-11-24T00:00:00.000+08:00", date(2026, 11, 24)), ("time", "08:30:00.000+08:00", "08:30:00.000+08:00"), ("select", "a b", "a b"),
        ("boolean", "true", True), ("string", 7, "7"), ("barcode", "690", "690"), ("binary", "door.jpg", "door.jpg"), ("int", None, None),
    ],
)  # fmt: skip
def test_what_fits_is_typed(target: Engine, kind: str, answer: Any, value: Any) -> None:
    load(target, a_submission(a_form(("a", kind)), "uuid:1", {"a": answer}))
    [row] = tables_of(target)["f"]
    assert row["a"] == value
    assert row["unparsed"] is None


@pytest.mark.parametrize(("answer", "there"), [("2026-11-24T08:30:00.000+08:00", "00:30"), ("2026-11-24T08:30", "00:30"), ("2026-11-24T00:30Z", "00:30")])
def test_an_instant_is_utc_and_without_a_zone_it_is_chinas(target: Engine, answer: str, there: str) -> None:
    load(target, a_submission(a_form(("a", "dateTime")), "uuid:1", {"a": answer}))
    value: datetime = tables_of(target)["f"][0]["a"]
    assert value.replace(tzinfo=None) == datetime.fromisoformat(f"2026-11-24T{there}")


LATITUDES, LONGITUDES = st.floats(-90, 90), st.floats(-180, 180)


@given(st.lists(st.tuples(LATITUDES, LONGITUDES, st.floats(-500, 9000)), min_size=3, max_size=8, unique_by=lambda p: p[:2]))
def test_geometry_comes_back_as_it_was_written(points: list[tuple[float, float, float]]) -> None:
    text = ";".join(f"{latitude!r} {longitude!r} {altitude!r} 0" for latitude, longitude, altitude in points)
    expected = [(longitude, latitude, altitude) for latitude, longitude, altitude in points]
    line = shapely.from_wkb(shape_wkb("geotrace", read_points("geotrace", text), srid=0))
    assert list(line.coords) == expected
    ring = shapely.from_wkb(shape_wkb("geoshape", read_points("geoshape", f"{text};{text.split(';')[0]}"), srid=4326))
    assert list(ring.exterior.coords) == [*expected, expected[0]]
    assert shapely.get_srid(ring) == 4326
    assert [shapely.from_wkb(wkb).coords[0] for wkb in point_wkbs(expected, srid=0)] == expected


@given(st.sampled_from(["int", "decimal", "date", "dateTime", "time", "boolean", "string"]), st.one_of(st.text(), st.integers(), st.floats(), st.lists(st.none())))
def test_no_answer_breaks_a_reader(kind: str, answer: Any) -> None:
    for dialect in ("sqlite", "postgresql"):
        with suppress(Unfit):
            reader_of(kind, dialect)(answer)


def test_a_row_that_the_database_refuses_is_there_as_text_and_holds_up_no_other(target: Engine) -> None:
    form = a_form(("a", "string"), ("n", "int"))
    load(target, *(a_submission(form, f"uuid:{n}", {"a": "\ud800" if n == 13 else "fits", "n": n}) for n in range(30)))
    rows = {row["instance_id"]: row for row in tables_of(target)["f"]}
    assert len(rows) == 30
    assert (rows["uuid:13"]["a"], rows["uuid:13"]["n"]) == (None, None)
    assert rows["uuid:13"]["unparsed"] == {"a": "?", "n": "13"}
    assert (rows["uuid:14"]["a"], rows["uuid:14"]["n"]) == ("fits", 14)


@pytest.mark.parametrize("many", [1, 40])
def test_a_made_up_repeat_key_takes_no_other_submissions_row(target: Engine, many: int) -> None:
    form = a_form(("m", "repeat"), ("m/name", "string"))
    load(target, a_submission(form, "uuid:honest", {"m": [{"__id": "k1", "name": "honest"}]}))
    forged = [{"__id": "k1", "name": f"forged {n}"} for n in range(many)] + [{"__id": None, "name": "keyless"}, {"__id": "x" * 99, "name": "long"}]
    load(target, a_submission(form, "uuid:forger", {"m": forged}), position=2)
    rows = tables_of(target)["f_m"]
    assert [row["name"] for row in rows if row["row_id"] == "k1"] == ["honest"]
    assert len(rows) == many + 3


def test_an_encrypted_submission_has_its_system_columns_alone(target: Engine) -> None:
    load(target, a_submission(a_form(("a", "string")), "uuid:1", {"a": "not to be trusted"}, is_encrypted=True, submitter="手机"))
    [row] = tables_of(target)["f"]
    assert (row["is_encrypted"], row["submitter"], row["a"]) == (True, "手机", None)


def test_a_form_made_again_with_the_same_version_has_its_columns(target: Engine) -> None:
    first, second = a_form(("a", "int"), version_key=1), a_form(("a", "string"), ("b", "string"), version_key=2)
    load(target, a_submission(first, "uuid:1", {"a": 1}))
    load(target, a_submission(second, "uuid:2", {"a": "one", "b": "new"}), position=2)
    one, two = tables_of(target)["f"]
    assert (one["a"], one["a_text"]) == (1, None)
    assert (two["a"], two["a_text"], two["b"]) == (None, "one", "new")


def test_a_type_that_changes_back_has_its_first_column_again(target: Engine) -> None:
    versions = [a_form(("a", kind), version_key=n) for n, kind in enumerate(["int", "string", "int", "decimal", "select1"])]
    for n, (form, answer) in enumerate(zip(versions, [1, "x", 2, 2.5, "y"], strict=True)):
        load(target, a_submission(form, f"uuid:{n}", {"a": answer}), position=n)
    rows = tables_of(target)["f"]
    assert [(row["a"], row["a_text"], row["a_decimal"]) for row in rows] == [
        (1, None, None), (None, "x", None), (2, None, None), (None, None, 2.5), (None, "y", None),
    ]  # fmt: skip


def test_a_group_that_becomes_a_repeat_and_a_repeat_in_it(target: Engine) -> None:
    group = a_form(("g", "structure"), ("g/a", "string"), version_key=1)
    repeat = a_form(("g", "repeat"), ("g/a", "string"), ("g/r", "repeat"), ("g/r/b", "int"), version_key=2)
    load(target, a_submission(group, "uuid:1", {"g": {"a": "in the group"}}))
    load(target, a_submission(repeat, "uuid:2", {"g": [{"__id": "1", "a": "in the repeat", "r": [{"__id": "2", "b": 3}]}]}), position=2)
    load(target, a_submission(group, "uuid:3", {"g": {"a": "late"}}), position=3)
    found = tables_of(target)
    assert [row["g_a"] for row in found["f"]] == ["in the group", None, "late"]
    assert [(row["row_id"], row["a"]) for row in found["f_g"]] == [("1", "in the repeat")]
    assert [(row["parent_row_id"], row["b"]) for row in found["f_g_r"]] == [("1", 3)]


def test_many_edits_in_one_batch_keep_what_others_added_to_the_table(target: Engine) -> None:
    form = a_form(("a", "int"), ("m", "repeat"), ("m/b", "int"))
    load(target, *(a_submission(form, f"uuid:{n}", {"a": n, "m": [{"__id": f"{n}", "b": n}, {"__id": f"{n}x", "b": n}]}) for n in range(50)))
    with target.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE f ADD COLUMN theirs INTEGER")
        connection.exec_driver_sql("UPDATE f SET theirs = 5")
    load(target, *(a_submission(form, f"uuid:{n}", {"a": -n, "m": [{"__id": f"{n}x", "b": -n}]}) for n in range(25, 75)), position=2)
    found = tables_of(target)
    assert {row["instance_id"]: row["a"] for row in found["f"]} == {f"uuid:{n}": n if n < 25 else -n for n in range(75)}
    assert sum(row["theirs"] == 5 for row in found["f"]) == 50
    assert {row["row_id"]: row["b"] for row in found["f_m"]} == {
        **{f"{n}": n for n in range(25)}, **{f"{n}x": n if n < 25 else -n for n in range(75)},
    }  # fmt: skip


def test_a_purge_and_a_later_arrival_of_the_same_submission_in_one_batch(target: Engine) -> None:
    form = a_form(("a", "string"), ("m", "repeat"), ("m/b", "string"))
    load(target, a_submission(form, "uuid:1", {"a": "old", "m": [{"__id": "1", "b": "old"}]}))
    load(target, a_submission(form, "uuid:1", {"a": "new"}), purged=(Purged(1, "f", "uuid:1"), Purged(1, "unknown", "uuid:9")), position=2)
    found = tables_of(target)
    assert [row["a"] for row in found["f"]] == ["new"] and found["f_m"] == []


def test_a_crash_at_any_statement_leaves_nothing_behind(target: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    form = a_form(("a", "string"), ("m", "repeat"), ("m/b", "string"))
    first = [a_submission(form, f"uuid:{n}", {"a": "old", "m": [{"__id": f"{n}", "b": "old"}]}) for n in range(3)]
    second = [a_submission(form, f"uuid:{n}", {"a": "new", "m": [{"__id": f"{n}", "b": "new"}]}) for n in range(1, 5)]
    load(target, *first)
    before = tables_of(target)
    real, crashes = _Target.run, 0
    for crash_at in range(1, 100):
        left = [crash_at]

        def run(self: Any, *arguments: Any, left: list[int] = left, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return real(self, *arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(_Target, "run", run)
            try:
                load(target, *second, position=2)
            except KeyboardInterrupt:
                crashes += 1
                assert tables_of(target) == before
            else:
                break
    assert crashes > 5
    found = tables_of(target)
    assert [row["a"] for row in found["f"]] == ["old", "new", "new", "new", "new"]
    assert [row["b"] for row in found["f_m"]] == ["old", "new", "new", "new", "new"]
    assert found["minqing_cursor"][0]["position"] == 2


def test_a_database_that_goes_away_in_the_middle_is_a_problem_to_try_again(target: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def execute(self, *_: Any) -> None:
            raise target.dialect.loaded_dbapi.OperationalError("gone")

    real = _Target.__init__

    def without_a_server(self: Any, connection: Any) -> None:
        real(self, connection)
        self._cursor = Away()

    monkeypatch.setattr(_Target, "__init__", without_a_server)
    with pytest.raises(Problem) as caught:
        load(target, a_submission(a_form(("a", "string")), "uuid:1", {}))
    assert caught.value.status == 503
