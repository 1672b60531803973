"""Where the central database has PostGIS, geometry is PostGIS's own; tables from before it keep their WKB."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from server.transactions import open_engine, transaction
from sync.load import load_batch
from sync.sources import Batch, SubmissionState
from sync.tables import CentralTables
from tests.databases import empty_database
from tests.sync.central_tables import a_form, a_submission

ANSWERS = {"p": "36.5 100.25 3000 4", "l": "36 100;37 101", "s": "36 100 5 0;36 101 5 0;37 101 5 0;36 100 5 0", "bad": "x"}


def test_geometry_is_postgis_own_where_it_is_installed(tmp_path: Path) -> None:
    engine = open_engine(empty_database("postgresql", tmp_path))

    def load(position: int, *submissions: SubmissionState) -> None:
        with transaction(engine, write=True) as session:
            connection = session.connection()
            load_batch(connection, CentralTables(connection), Batch(position, position, 1, [], [], list(submissions)))

    with engine.connect() as connection:
        if not connection.scalar(text("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'")):
            pytest.skip("this machine's PostgreSQL has no PostGIS")
    before = a_form(("p", "geopoint"), form_id="before")
    load(1, a_submission(before, "uuid:0", ANSWERS))
    with engine.begin() as connection:
        connection.execute(text("CREATE EXTENSION postgis"))
    load(2, a_submission(before, "uuid:1", ANSWERS))
    form = a_form(("p", "geopoint"), ("l", "geotrace"), ("s", "geoshape"), ("bad", "geopoint"))
    load(3, *(a_submission(form, f"uuid:{n}", ANSWERS) for n in range(50)))
    load(4, *(a_submission(form, f"uuid:{n}", {**ANSWERS, "p": "37 101 0 0"}) for n in range(48, 55)))
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT DISTINCT pg_typeof(p)::text FROM before")).all() == ["bytea"]
        found = "SELECT count(*), min(ST_SRID(p)), max(ST_SRID(s)), min(ST_X(p)), min(ST_Y(p)), max(ST_Z(p)), bool_and(ST_IsValid(s)), count(bad) FROM f"
        assert tuple(connection.execute(text(found)).one()) == (55, 4326, 4326, 100.25, 36.5, 3000.0, True, 0)
        points = connection.execute(text("SELECT instance_id, ST_AsText(p) FROM f WHERE instance_id IN ('uuid:1', 'uuid:48', 'uuid:54') ORDER BY 1"))
        assert [tuple(row) for row in points] == [
            ("uuid:1", "POINT Z (100.25 36.5 3000)"), ("uuid:48", "POINT Z (101 37 0)"), ("uuid:54", "POINT Z (101 37 0)"),
        ]  # fmt: skip
    engine.dispose()
