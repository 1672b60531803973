"""Seconds to read, check, import and undo a file of rows with 12 columns, as CSV and as XLSX, and the peak memory of either process.

    python -m benchmarks.import_rows [--database URL] [--rows 100000] [--kinds csv,xlsx]

The bar is 100,000 rows read, checked and imported within a minute. --database names an empty PostgreSQL database; without it, SQLite.
"""

from __future__ import annotations

import argparse
import csv
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from openpyxl import Workbook
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from benchmarks.running_server import prepare
from server.access.actor import system_actor
from server.access.sealed import open_server_database
from server.entities.imports import work
from server.entities.imports.mapping import ImportSettings, read_label
from server.entities.imports.reading import read_register
from server.entities.imports.records import VERB, create_import, find_import, set_up, start, start_undo
from server.entities.lists import add_property, create_list, get_list
from server.exports.entity_files import entity_csv
from server.exports.entity_rows import select_entities
from server.model import EntityImport
from server.settings import Settings
from server.storage import Storage, open_storage
from server.transactions import transaction

PROPERTIES = ("id_number", "division", "birth_date", "sex", "phone", "address", "members", "category", "income", "disability", "remark")
HEADER = ("name", *PROPERTIES)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_BAR_SECONDS = 60


def rows(count: int) -> Iterator[tuple[str, ...]]:
    """Synthetic people: a name, an ID number of no division that exists, a village, and ten more columns."""
    for number in range(count):
        born = date(1930, 1, 1) + timedelta(days=number % 30_000)
        body = f"999999{born:%Y%m%d}{number // 30_000:03d}"
        check = "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]
        yield (
            f"村民{number}", body + check, "632223202200", born.isoformat(), "男" if number % 2 else "女", f"139{number:08d}",
            f"三角城镇西岔村{number % 40}社{number % 900}号", str(number % 9 + 1), ("低保", "特困", "低边", "无")[number % 4], str(number % 9000),
            ("", "肢体", "视力")[number % 3], "" if number % 5 else "行动不便，需上门探访",
        )  # fmt: skip


def write_file(path: Path, count: int) -> None:
    """The rows as CSV or XLSX, by the path's ending."""
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows(count)])
        return
    book = Workbook(write_only=True)
    sheet = book.create_sheet("名册")
    for row in (HEADER, *rows(count)):
        sheet.append(row)
    book.save(path)


class Stopwatch:
    """Prints how long a step took, and the most resident megabytes of this process during it and of the reading child so far."""

    def __init__(self, name: str) -> None:
        self.name, self.total = name, 0.0

    def takes(self, step: str, begun: float, note: str = "") -> None:
        """One line; the next step's peak begins here."""
        seconds = time.monotonic() - begun
        self.total += seconds
        child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        print(f"{self.name:5} {step:16} {seconds:7.2f} s  peak {_peak_mb()} MB, reader {child} MB  {note}", flush=True)
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def _works(engine: Engine, storage: Storage, import_id: int, state: str) -> EntityImport:
    """As the jobs do. Raises RuntimeError unless it comes to this state."""
    while work.work_on_any(engine, storage, "benchmark"):
        pass
    with transaction(engine) as session:
        found = find_import(session, system_actor(), import_id)
    if found.state != state:
        raise RuntimeError(f"{found.state}: {found.errors[:3]}")
    return found


def _set_up(engine: Engine, list_name: str) -> None:
    with transaction(engine, write=True) as session:
        made = create_list(session, system_actor(), 1, name=list_name)
        for name in PROPERTIES:
            add_property(session, system_actor(), made, name)


def measure(engine: Engine, storage: Storage, path: Path) -> None:
    """All steps of one file, in a list of its own."""
    actor, kind = system_actor(), path.suffix[1:]
    _set_up(engine, kind)
    watch, begun = Stopwatch(kind), time.monotonic()
    read = read_register(storage, path, path.name)
    watch.takes("read", begun, f"{path.stat().st_size / 1e6:.1f} MB, {read.count} rows")
    begun = time.monotonic()
    with transaction(engine, write=True) as session:
        made = create_import(session, actor, get_list(session, actor, 1, kind, verb=VERB), read)
        import_id = made.id
    with transaction(engine, write=True) as session:
        found = find_import(session, actor, import_id, lock=True)
        _map(session, found)
    checked = _works(engine, storage, import_id, "checked")
    watch.takes("check", begun, f"{checked.rows_good} right, {checked.rows_bad} wrong")
    begun = time.monotonic()
    with transaction(engine, write=True) as session:
        start(session, actor, find_import(session, actor, import_id, lock=True), skip_errors=False)
    done = _works(engine, storage, import_id, "done")
    watch.takes("import", begun, f"{done.created_count} created")
    print(f"{kind:5} {'in all':16} {watch.total:7.2f} s  {_BAR_SECONDS / watch.total * read.count / 100_000:.1f} x the bar of 100,000 rows a minute")
    _read_back(engine, kind, watch)
    begun = time.monotonic()
    with transaction(engine, write=True) as session:
        start_undo(session, actor, find_import(session, actor, import_id, lock=True))
    undone = _works(engine, storage, import_id, "undone")
    watch.takes("undo", begun, f"{undone.undone_count} undone")


def _map(session: Session, found: EntityImport) -> None:
    """Each column is its property, the name is the label, the ID number is the key."""
    settings = ImportSettings.from_json(found.settings)
    columns = {number: name for number, name in enumerate(HEADER) if number}
    label = read_label(list(HEADER), "name")
    set_up(session, system_actor(), found, replace(settings, columns=columns, label=label, key="id_number"))


def _read_back(engine: Engine, kind: str, watch: Stopwatch) -> None:
    for step, as_of in (("CSV now", None), ("CSV as of now", datetime.now(UTC))):
        begun = time.monotonic()
        with transaction(engine) as session:
            selection = select_entities(session, system_actor(), get_list(session, system_actor(), 1, kind, verb="entity.list"), as_of=as_of)
        size = sum(len(piece) for piece in entity_csv(selection, engine))
        watch.takes(step, begun, f"{size / 1e6:.1f} MB")


def main() -> None:
    """Print one line a step."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--database", default="")
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--kinds", default="csv,xlsx")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder) / "data", database_url=given.database)
        prepare(settings, [])
        engine = open_server_database(settings)
        storage = open_storage(settings.blob_storage, settings.s3_endpoint, engine)
        for kind in given.kinds.split(","):
            path = Path(folder) / f"register.{kind}"
            write_file(path, given.rows)
            measure(engine, storage, path)
        engine.dispose()


if __name__ == "__main__":
    main()
