"""The commands, as a user types them."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from server.cli import minqing
from tests.actors.live_server import LiveServer
from tests.databases import empty_database
from tests.factories.questionnaire import a_visit
from tests.factories.xlsform import xlsform
from tests.promises.test_acknowledged_is_durable import missing, prepare

FORM = """
| survey |
| | type | name | label |
| | text | q | Q |
| settings |
| | form_id | form_title | version |
| | small | Small | 1 |
"""


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server.cli", *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "MINQING_DATA": str(folder), **environment},
    )  # fmt: skip


def every_command(group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        found += every_command(command, (*path, name)) if hasattr(command, "commands") else [(*path, name)]
    return found


@pytest.mark.parametrize("command", every_command(minqing), ids=" ".join)
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    from click.testing import CliRunner

    answer = CliRunner().invoke(minqing, [*command, "--help"])
    assert answer.exit_code == 0
    assert len(answer.output.splitlines()) > 3


def test_commands_before_the_first_start_say_what_to_do(tmp_path: Path) -> None:
    answer = run(tmp_path / "none", "sync", "status")
    assert answer.returncode == 1
    assert "minqing serve" in answer.stderr


def test_a_faulty_form_is_refused_with_sheet_row_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "form.xlsx"
    path.write_bytes(xlsform(FORM.replace("| text | q |", "| txet | q |")))
    answer = run(tmp_path, "forms", "compile", str(path))
    assert answer.returncode == 1
    assert "[survey 2]" in answer.stderr


@pytest.mark.slow
def test_a_server_lives_through_stop_backup_and_restore_onto_the_other_database(database_kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "first"
    folder.mkdir()
    url = "" if database_kind == "sqlite" else empty_database("postgresql", tmp_path)
    server = LiveServer(folder, database_url=url)
    prepare(server, tmp_path)
    try:
        xml = a_visit("uuid:kept", door="door.jpg")
        assert server.send(xml, {"door.jpg": b"photo"})[0] == 201
        assert server.stop() == 0
        assert server.start() < 10, "an existing data directory, beside another test on two cores"
        assert server.send(a_visit("uuid:second"))[0] == 201
        settings = {"MINQING_DATABASE_URL": url}
        form = tmp_path / "small.xlsx"
        form.write_bytes(xlsform(FORM))
        assert run(folder, "forms", "publish", str(form), **settings).stdout == "small 1\n"
        assert run(folder, "forms", "publish", str(form), **settings).returncode == 1, "the version is taken"
        assert run(folder, "phone", "create", "二号", "--no-qr", **settings).stdout.startswith("http://127.0.0.1:8080/v1/key/")
        assert "audit entries hold" in run(folder, "audit", "verify", **settings).stdout
        assert run(folder, "backup", str(tmp_path / "b.tar"), **settings).returncode == 0
    finally:
        assert server.stop() == 0
    other = empty_database("sqlite" if database_kind == "postgresql" else "postgresql", tmp_path)
    second = tmp_path / "second"
    assert run(second, "restore", str(tmp_path / "b.tar"), MINQING_DATABASE_URL=other).returncode == 0
    again = run(second, "restore", str(tmp_path / "b.tar"), MINQING_DATABASE_URL=other)
    assert (again.returncode, "不是空的" in again.stderr) == (1, True)
    restored = LiveServer(second, database_url=other)
    restored.phone_path = server.phone_path
    restored.start()
    try:
        restored.phone_path = server.phone_path
        assert missing(restored, {"uuid:kept": (xml, b"photo")}) == []
        assert restored.send(xml, {"door.jpg": b"photo"})[0] == 201, "the phone's token holds, and its resend is known"
        assert restored.send(a_visit("uuid:third"))[0] == 201
    finally:
        restored.stop()


def test_a_damaged_backup_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.tar"
    with tarfile.open(bad, "w"):
        pass
    bad.write_bytes(bad.read_bytes()[:100] + b"garbage" * 50)
    answer = run(tmp_path / "x", "restore", str(bad))
    assert answer.returncode == 1
