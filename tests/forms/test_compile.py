"""A form file from anyone: compiled, or refused with the place and the reason; never a stuck or swollen server."""

from __future__ import annotations

import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import Workbook

from server.forms.compile import compile_xlsform
from server.forms.text import form_as_text, form_difference
from server.problems import Problem
from tests.factories.xlsform import xlsform

VISIT = """
| survey |
| | type | name | label::中文 (zh) | label::English (en) | constraint |
| | integer | goats | 羊（只） | Goats | . >= 0 |
| | text | said | 说了什么 | Said | |
"""


def refusal(content: bytes, **how: object) -> dict:
    """The first error of what is refused."""
    with pytest.raises(Problem) as caught:
        compile_xlsform(content, **how)
    assert caught.value.status in {400, 413}
    return caught.value.details["errors"][0]


def question(row: str, header: str = "type | name | label | calculation | relevant") -> bytes:
    return xlsform(f"| survey |\n| | {header} |\n| | text | first | First | | |\n{row}")


def test_a_form_of_two_languages_compiles_without_a_word_of_warning():
    compiled = compile_xlsform(xlsform(VISIT))
    assert b'lang="\xe4\xb8\xad\xe6\x96\x87 (zh)"' in compiled.xform
    assert compiled.warnings == ()
    assert compiled.itemsets is None


def test_the_same_file_compiles_to_the_same_bytes():
    assert compile_xlsform(xlsform(VISIT)).xform == compile_xlsform(xlsform(VISIT)).xform


def test_a_form_without_an_id_takes_the_fallback():
    nameless = xlsform(VISIT + "| settings |\n| | form_title |\n| | Visit |")
    assert b'id="from_name"' in compile_xlsform(nameless, form_id_fallback="from_name", validate=False).xform
    assert b'id="goats"' in compile_xlsform(nameless, file_name="goats.xlsx", validate=False).xform


def test_a_broken_reference_names_sheet_and_row():
    error = refusal(question("| | text | second | Second | | ${nobody} = 1 |"))
    assert (error["sheet"], error["row"]) == ("survey", 3)
    assert "${nobody}" in error["zh"]
    assert "nobody" in error["en"]


@pytest.mark.parametrize(
    ("row", "at", "chinese"),
    [
        ("| | texxt | second | Second | | |", 3, "题型“texxt”不认识"),
        ("| | text | | Second | | |", 3, "没有写名称"),
        ("| | text | first | Second | | |", 3, "重复"),
        ("| | begin group | second | Second | | |\n| | text | third | Third | | |", 3, "没有对应的 end_group"),
        ("| | end repeat | second | Second | | |", 3, "没有对应的 begin_repeat"),
        ("| | text | 2nd one | Second | | |", 3, "名称只能用"),
        ("| | text | second | | | |", 3, "没有写标签"),
        ("| | calculate | second | | | |", 3, "没有写公式"),
        ("| | calculate | second | | ${first} + ( | |", 3, "公式（calculation）写法不对"),
        ("| | calculate | second | | frobnicate(${first}) | |", 3, "frobnicate"),
        ("| | calculate | second | | ${third} + 1 | |\n| | calculate | third | | ${second} + 1 | |", 3, "循环引用"),
    ],
)
def test_each_common_mistake_is_said_in_chinese_with_its_row(row, at, chinese):
    error = refusal(question(row))
    assert (error["sheet"], error["row"]) == ("survey", at)
    assert chinese in error["zh"]
    assert error["en"]


def test_a_missing_choice_list_is_named():
    choices = "| choices |\n| | list_name | name | label |\n| | yes_no | yes | Yes |"
    error = refusal(question(f"| | select_one colours | second | Second | | |\n{choices}"))
    assert error["row"] == 3
    assert "colours" in error["zh"]


def test_a_missing_choices_sheet_names_the_question_that_needs_it():
    error = refusal(question("| | select_one colours | second | Second | | |"))
    assert error["row"] == 3
    assert "choices" in error["zh"]


def test_no_path_of_this_machine_leaves_with_a_refusal():
    error = refusal(question("| | calculate | second | | frobnicate(1) | |"))
    assert "/tmp" not in str(error)
    assert "/data" not in str(error)
    assert "\tat " not in error["en"]


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/workbook.xml", "w", force_zip64=True) as entry:
        for _ in range(300):
            entry.write(bytes(1_000_000))
    started = time.monotonic()
    assert "展开" in refusal(packed.getvalue())["zh"]
    assert time.monotonic() - started < 2


def test_a_zip_of_countless_entries_is_refused():
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(3_000):
            archive.writestr(f"xl/{number}.xml", "")
    assert "展开" in refusal(packed.getvalue())["zh"]


@pytest.mark.parametrize("content", [b"", b"PK", b"not a workbook", xlsform(VISIT)[:2000], b"PK\x05\x06" + bytes(18)])
def test_what_is_no_workbook_is_refused_with_a_sentence(content):
    assert "重新保存" in refusal(content)["zh"]


def test_an_old_xls_is_refused_with_what_to_do():
    assert ".xlsx" in refusal(b"\xd0\xcf\x11\xe0" + bytes(600), file_name="form.xls")["zh"]
    assert ".xlsx" in refusal(b"type,name,label", file_name="form.csv")["en"]


def test_more_bytes_than_allowed_are_too_large():
    with pytest.raises(Problem) as caught:
        compile_xlsform(bytes(20_000_001))
    assert caught.value.status == 413


def children() -> set[str]:
    """Processes that this one has started and not yet heard the end of; other tests have some."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def test_a_form_that_compiles_for_ever_is_stopped():
    workbook = Workbook(write_only=True)
    survey = workbook.create_sheet("survey")
    survey.append(["type", "name", "label", "calculation"])
    for number in range(40_000):
        survey.append(["text", f"question_{number}", f"${{question_{(number + 7) % 40_000}}}", f"${{question_{number // 2}}} + 1"])
    written = BytesIO()
    workbook.save(written)
    started, before = time.monotonic(), children()
    error = refusal(written.getvalue(), seconds=2)
    assert "限定的时间" in error["zh"]
    assert time.monotonic() - started < 10
    assert children() - before == set(), "nothing it started is left, not even a corpse"


def test_a_large_honest_form_compiles():
    workbook = Workbook(write_only=True)
    survey, choices = workbook.create_sheet("survey"), workbook.create_sheet("choices")
    survey.append(["type", "name", "label"])
    survey.append(["select_one villages", "village", "Village"])
    choices.append(["list_name", "name", "label"])
    for number in range(5_000):
        choices.append(["villages", f"v{number}", f"示例村 {number}"])
    for number in range(500):
        survey.append(["text", f"question_{number}", f"问题 {number}"])
    written = BytesIO()
    workbook.save(written)
    assert compile_xlsform(written.getvalue()).xform.count(b"<item>") == 5_000


def test_a_form_is_readable_as_tables():
    text = form_as_text(xlsform(VISIT))
    assert "## survey" in text
    assert "| integer | goats | 羊（只） | Goats | . >= 0 |" in text
    assert "## settings" in text


def test_a_difference_tells_added_removed_retyped_reworded_and_rules():
    later = VISIT.replace("integer", "decimal").replace("说了什么", "怎么说").replace(". >= 0", ". >= 1")
    difference = form_difference(xlsform(VISIT), xlsform(later + "| | date | seen | 日期 | Day | |"))
    assert "新增题目 seen" in difference
    assert "题型改变 goats：integer → decimal" in difference
    assert "“说了什么” → “怎么说”" in difference
    assert "限制条件改变 goats：. >= 0 → . >= 1" in difference
    assert "删除题目 said" in form_difference(xlsform(VISIT), xlsform(VISIT.replace("| | text | said | 说了什么 | Said | |", "")))
    assert form_difference(xlsform(VISIT), xlsform(VISIT)) == "没有变化 / no changes\n"


def test_what_is_sensitive_is_said_with_yes_or_no():
    header = "type | name | label | bind::sensitive"
    assert compile_xlsform(question("| | text | illness | Illness | yes |", header)).xform
    error = refusal(question("| | text | illness | Illness | perhaps |", header))
    assert (error["sheet"], error["row"]) == ("survey", 3)
    assert "yes 或 no" in error["zh"]


@pytest.mark.parametrize("row", ["| | text | illness | Illness | yes | illness |", "| | text | id_number | ID number | | number |"])
def test_what_is_sensitive_is_not_saved_to_a_list_that_phones_download(row: str):
    entities = "\n| entities |\n| | list_name | label |\n| | people | ${first} |"
    error = refusal(question(row + entities, "type | name | label | bind::sensitive | save_to"))
    assert (error["sheet"], error["row"]) == ("survey", 3)
    assert "遮盖" in error["zh"]
