"""`minqing entities`, as whoever runs the server types it: with no server at work, and beside one that is."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from server.access.actor import system_actor
from server.access.sealed import open_server_database
from server.entities.imports.mapping import ImportSettings
from server.entities.lists import add_property, create_list
from server.model import AuditEntry, EntityImport
from server.transactions import transaction
from tests.actors.live_server import LiveServer
from tests.databases import empty_database
from tests.entities.imported import HEADER, OTHER_VILLAGE, PEOPLE, Office, as_csv, id_number, office, person, xlsx
from tests.test_command_line import run

__all__ = ["office"]
ROWS = [HEADER, person(1), person(2), person(3, OTHER_VILLAGE)]
BAD = ("李四", "x", OTHER_VILLAGE)


class Operator:
    """At the command line of the office's server."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.office, self.folder = office, folder

    def types(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        settings = self.office.house.settings
        # With the office's own secret: without it the numbers in its register are no numbers.
        return run(self.folder, "entities", *arguments, MINQING_DATABASE_URL=settings.database_url, MINQING_SECRET_KEY=settings.secret_key or "")

    def imports(self, content: bytes, *options: str, name: str = "名册.csv", code: int = 0) -> Any:
        """The command's JSON."""
        path = self.folder / name
        path.write_bytes(content)
        answer = self.types("import", "people", str(path), "--json", *options)
        assert answer.returncode == code, answer.stdout + answer.stderr
        return json.loads(answer.stdout)


@pytest.fixture
def operator(office: Office, tmp_path: Path) -> Operator:
    return Operator(office, tmp_path)


def mapped(*columns: str) -> Sequence[str]:
    return [part for column in columns for part in ("--map", column)]


def test_a_file_is_imported_listed_and_undone(operator: Operator) -> None:
    path = operator.folder / "名册.xlsx"
    path.write_bytes(xlsx(ROWS))
    done = operator.types("import", "people", str(path), "--key", "id_number")
    assert done.returncode == 0, done.stderr
    assert "新建 created: 3  更新 updated: 0" in done.stdout
    assert set(operator.office.living()) == {"王1", "王2", "王3"}
    import_id = done.stdout.split()[0]
    listed = operator.types("imports", "people")
    assert listed.stdout.startswith(import_id)
    assert "done +3 ~0 名册.xlsx" in listed.stdout
    [told] = json.loads(operator.types("imports", "people", "--json").stdout)
    assert (told["id"], told["state"], told["created"]) == (import_id, "done", 3)
    undone = operator.types("undo", import_id)
    assert (undone.returncode, "已撤销 undone: 3" in undone.stdout) == (0, True), undone.stderr
    assert operator.office.living() == {}
    assert [row["action"] for row in operator.office.house.rows(AuditEntry) if "import" in row["action"]] == ["entity.import", "entity.import.undo"]


def test_what_was_changed_since_is_left_and_named(operator: Operator) -> None:
    made = operator.imports(as_csv(ROWS))
    [one] = operator.office.people(label="王1")
    operator.imports(as_csv([("__id", "label", "members"), (one["uuid"], "王一", "5")]), name="其后.csv")
    undone = operator.types("undo", made["id"])
    assert "已撤销 undone: 2  其后有改动、未撤销 left because changed since: 1" in undone.stdout
    assert one["uuid"] in undone.stderr
    assert set(operator.office.living()) == {"王一"}
    again = operator.types("undo", made["id"])
    assert (again.returncode, "Traceback" in again.stderr) == (1, False)
    assert "已撤销" in again.stderr


def test_errors_are_told_row_by_row_with_exit_code_1_and_nothing_is_imported(operator: Operator) -> None:
    path = operator.folder / "名册.csv"
    path.write_bytes(as_csv([*ROWS, BAD]))
    refused = operator.types("import", "people", str(path))
    assert refused.returncode == 1
    assert "正确 right: 3  有误 with errors: 1  共 of: 4" in refused.stdout
    assert "[5 身份证号]" in refused.stderr
    assert operator.office.people() == []
    done = operator.imports(as_csv([*ROWS, BAD]), "--skip-errors")
    assert (done["created"], done["skipped"]) == (3, 1)
    assert "李四" not in operator.office.living()


def test_a_dry_run_checks_only(operator: Operator) -> None:
    told = operator.imports(as_csv([*ROWS, BAD]), "--dry-run", "--skip-errors")
    assert (told["state"], told["rowsGood"], told["rowsBad"], told["created"]) == ("checked", 3, 1, 0)
    assert operator.office.people() == []
    assert operator.imports(as_csv(ROWS), "--dry-run")["rowsBad"] == 0
    operator.imports(as_csv([*ROWS, BAD]), "--dry-run", code=1)


def test_columns_are_mapped_by_heading_or_letter_and_left_out(operator: Operator) -> None:
    rows = [("谁", "证件", "村", "口数"), ("王1", id_number(1), OTHER_VILLAGE, "4")]
    content, options = as_csv(rows), [*mapped("证件=id_number", "C=division", "口数=members"), "--label", "{谁}（{D}）"]
    operator.imports(content, *options, "--key", "id_number")
    assert operator.office.living() == {"王1（4）": {"id_number": id_number(1), "division": OTHER_VILLAGE, "members": "4"}}
    again = operator.imports(content, *options, *mapped("口数="), "--key", "")
    assert (again["created"], again["key"]) == (1, None)
    [second] = operator.office.people()[1:]
    assert "members" not in second["data"]
    [first, _last] = operator.office.house.rows(EntityImport)
    assert ImportSettings.from_json(first["settings"]).key == "id_number"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("import", "nobody", "名册.csv"), "nobody"),
        (("import", "people", "名册.csv", "--map", "无此列=members"), "无此列"),
        (("import", "people", "名册.csv", "--map", "members"), "COLUMN=PROPERTY"),
        (("import", "people", "名册.csv", "--key", "nothing"), "nothing"),
        (("import", "people", "坏.xlsx"), "文件"),
        (("undo", "12345"), "找不到"),
        (("imports", "people", "--project", "77"), "项目 77 中没有登记表 people"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(operator: Operator, arguments: tuple[str, ...], told: str) -> None:
    for name, content in (("名册.csv", as_csv(ROWS)), ("坏.xlsx", b"PK\x03\x04 broken")):
        (operator.folder / name).write_bytes(content)
    answer = operator.types(*(str(operator.folder / one) if one.endswith((".csv", ".xlsx")) else one for one in arguments))
    assert answer.returncode in {1, 2}
    assert "Traceback" not in answer.stderr
    assert told in answer.stderr
    assert operator.office.people() == []


@pytest.mark.slow
def test_a_command_beside_a_running_server_does_each_row_once(database_kind: str, tmp_path: Path) -> None:
    url = "" if database_kind == "sqlite" else empty_database("postgresql", tmp_path)
    server = LiveServer(tmp_path, database_url=url)
    server.start("--no-forms")
    try:
        engine = open_server_database(server.settings)
        with transaction(engine, write=True) as session:
            people = create_list(session, system_actor(), 1, name="people")
            for name in PEOPLE:
                add_property(session, system_actor(), people, name)
        engine.dispose()
        path = tmp_path / "名册.csv"
        path.write_bytes(as_csv([HEADER, *(person(number) for number in range(900))]))
        begun = time.monotonic()
        done = run(tmp_path, "entities", "import", "people", str(path), "--json", MINQING_DATABASE_URL=url)
        assert done.returncode == 0, done.stderr
        assert time.monotonic() - begun < 60
        told = json.loads(done.stdout)
        assert (told["state"], told["created"], told["rowsDone"]) == ("done", 900, 900)
        again = json.loads(run(tmp_path, "entities", "import", "people", str(path), "--key", "id_number", "--json", MINQING_DATABASE_URL=url).stdout)
        assert (again["created"], again["unchanged"]) == (0, 900)
        undone = run(tmp_path, "entities", "undo", told["id"], "--json", MINQING_DATABASE_URL=url)
        assert json.loads(undone.stdout)["undone"] == 900
    finally:
        assert server.stop() == 0
