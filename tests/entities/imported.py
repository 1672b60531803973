"""What the tests of imports share: a register, files of rows, the work that the jobs would do."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from server.access.sealed import sealer_of
from server.entities.imports import work
from server.entities.imports.mapping import ImportSettings
from server.entities.imports.reading import read_register
from server.entities.imports.records import create_import, find_import, set_up, start, start_undo
from server.entities.lists import add_property, create_list, get_list
from server.model import Entity, EntityImport, EntityVersion
from server.transactions import transaction
from tests.actors.house import House

PEOPLE = ("id_number", "division", "birth_date", "members")
VILLAGE, OTHER_VILLAGE, TOWNSHIP = "632223202200", "632223202201", "632223202"
HEADER = ("姓名", "身份证号", "行政区划")


def xlsx(rows: Sequence[Sequence[Any]], *, sheet: str = "名册") -> bytes:
    """A workbook with one sheet of these rows."""
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = sheet
    for row in rows:
        page.append(list(row))
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def as_csv(rows: Sequence[Sequence[Any]], encoding: str = "utf-8") -> bytes:
    return "\n".join(",".join(str(cell) for cell in row) for row in rows).encode(encoding)


def id_number(sequence: int) -> str:
    """A synthetic person's, with the right check character."""
    body = f"99999919600101{sequence:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]


def person(sequence: int, division: str = VILLAGE) -> tuple[str, str, str]:
    return (f"王{sequence}", id_number(sequence), division)


class Office:
    """A county office with the list `people`."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house, self.folder = house, folder
        self.actor = house.admin
        with transaction(house.engine, write=True) as session:
            people = create_list(session, house.admin, 1, name="people")
            for name in PEOPLE:
                add_property(session, house.admin, people, name)

    def uploads(self, content: bytes, name: str = "名册.csv", *, sheet: str = "", actor: Any = None, **changes: Any) -> int:
        """The import's id, once it is checked; `changes` of its settings."""
        path = self.folder / "upload"
        path.write_bytes(content)
        read = read_register(self.house.storage, path, name, sheet=sheet)
        actor = actor or self.actor
        with transaction(self.house.engine, write=True) as session:
            made = create_import(session, actor, get_list(session, actor, 1, "people", verb="entity.import"), read)
            settings = ImportSettings.from_json(made.settings)
            set_up(session, actor, made, ImportSettings(**{**{n: getattr(settings, n) for n in ("columns", "label", "key", "skip_errors")}, **changes}))
        self.works()
        return made.id

    def runs(self, import_id: int, *, skip_errors: bool = False) -> EntityImport:
        with transaction(self.house.engine, write=True) as session:
            start(session, self.actor, find_import(session, self.actor, import_id, lock=True), skip_errors=skip_errors)
        self.works()
        return self.now(import_id)

    def undoes(self, import_id: int) -> EntityImport:
        with transaction(self.house.engine, write=True) as session:
            start_undo(session, self.actor, find_import(session, self.actor, import_id, lock=True))
        self.works()
        return self.now(import_id)

    def works(self) -> None:
        """As the jobs do, until nothing is left."""
        while work.work_on_any(self.house.engine, self.house.storage, "test"):
            pass

    def now(self, import_id: int) -> EntityImport:
        with transaction(self.house.engine) as session:
            return find_import(session, self.actor, import_id)

    def errors(self, import_id: int) -> list[tuple[int, str, str]]:
        return [(error["row"], error["column"], error["zh"]) for error in self.now(import_id).errors]

    def people(self, **where: Any) -> list[dict[str, Any]]:
        found = [row for row in self.house.rows(Entity) if all(row[name] == value for name, value in where.items())]
        return sorted((self.opened(row) for row in found), key=lambda row: row["id"])

    def opened(self, row: dict[str, Any]) -> dict[str, Any]:
        unseal = sealer_of(self.house.engine.dialect).unseal
        return {**row, **{column: {name: unseal(value) for name, value in row[column].items()} for column in ("data", "received") if row.get(column)}}

    def living(self) -> dict[str, dict[str, Any]]:
        """Values by label of the entities that are not in the trash."""
        return {row["label"]: row["data"] for row in self.people() if row["deleted_at"] is None}

    def versions(self, entity_id: int) -> list[dict[str, Any]]:
        found = self.house.rows(EntityVersion, EntityVersion.entity_id == entity_id)
        return sorted((self.opened(row) for row in found), key=lambda row: row["version"])


@pytest.fixture
def office(house: House, tmp_path: Path) -> Iterator[Office]:
    return Office(house, tmp_path)
