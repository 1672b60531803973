"""The file of divisions that a county brings is taken whole, or refused with the line to correct."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from server.access.divisions import read_divisions
from server.problems import Problem

HEAD = "code,name,level,parent,source\n632223000000,County,county,,x\n632223202000,Town,township,632223000000,x\n"


def test_the_divisions_that_come_with_the_forms_are_sound():
    divisions = read_divisions(Path(str(files("xlsforms") / "divisions.csv")))
    levels = [division.level for division in divisions.values()]
    assert (levels.count("county"), levels.count("township"), levels.count("village")) == (1, 6, 30)
    assert divisions["632223202204"].name == "塔列村"
    assert divisions["632223202204"].parent == "632223202000"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("63222320220,Village,village,632223202000,x", "12 digits"),
        ("63222320220x,Village,village,632223202000,x", "12 digits"),
        ("632223202000,Village,village,632223000000,x", "twice"),
        ("632223202200,Village,hamlet,632223202000,x", "level"),
        ("632223202200,,village,632223202000,x", "no name"),
        ("632223202200,Village,village,632223209000,x", "not in the file"),
        ("632223209200,Village,village,632223202000,x", "within"),
        ("632223202200,Village,village,,x", "no parent"),
        ("632223202201,Town,township,632223000000,x", "more digits"),
    ],
)
def test_a_wrong_line_is_named_with_its_reason(tmp_path, line, reason):
    path = tmp_path / "divisions.csv"
    path.write_text(HEAD + line + "\n", encoding="utf-8")
    with pytest.raises(Problem) as caught:
        read_divisions(path)
    assert "line 4" in caught.value.en
    assert reason in caught.value.en


@pytest.mark.parametrize("content", [b"", b"code,name\n1,2\n", b"\xff\xfe\x00"])
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "divisions.csv"
    path.write_bytes(content)
    with pytest.raises(Problem):
        read_divisions(path)
