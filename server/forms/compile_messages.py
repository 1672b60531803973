"""pyxform's and ODK Validate's sentences -> sheet, row, and a reason in Chinese and English."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ROW = re.compile(r"\[row : (\d+)\]\s*")
_SHEET = re.compile(r"On the '([\w ]+)' sheet|in the (survey|choices|settings|entities) sheet", re.IGNORECASE)
_QUOTED = re.compile(r"'([^']+)'|\[([^\]]+)\]")
_PATH = re.compile(r"(?:/[\w.\-]+(?:\[\d+\])?){2,}")
_CARRIER = re.compile(r"(?:bind attached to \"|bind for |expression for )((?:/[\w.\-]+(?:\[\d+\])?){2,})")
_MOST = 600

# The first that is found counts; {1}, {2}: what its brackets hold.
_PYXFORM: tuple[tuple[str, str], ...] = (
    (r"Unknown question type '([^']*)'", "题型“{1}”不认识，请检查 type 列的拼写。"),
    (r"Question with no type", "这一行没有写题型（type 列）。"),
    (r"Question or group with no name", "这一行没有写名称（name 列）。"),
    (r"'name' value '([^']*)' is invalid\. Questions, groups, and repeats must be unique", "名称“{1}”在同一分组里重复了。"),
    (r"'name' value '([^']*)' is problematic", "名称“{1}”与另一名称只有大小写不同，容易混淆。"),
    (r"'name' value '([^']*)' is invalid\. Repeat names must", "重复组的名称“{1}”与其他名称重复了。"),
    (r"The name 'meta' is reserved", "名称 meta 由系统使用，请换一个。"),
    (r"List name not in choices sheet: (\S+)", "choices 表里没有名为“{1}”的选项列表。"),
    (r"There should be a choices sheet", "题目用到了选项，但没有 choices 表；它应有 list_name、name 和 label 列。"),
    (r"Could not find the name '([^']*)'", "引用的 ${{{1}}} 不存在，survey 表里没有这个名称。"),
    (r"The name '([^']*)' appears more than once", "引用的 ${{{1}}} 有多个同名题目，无法确定是哪一个。"),
    (r"Reference variables must start with", "引用写法不对，应写成 ${{名称}}。"),
    (r"Unmatched 'begin_(\w+)'.*name '([^']*)'", "“{2}”的 begin_{1} 没有对应的 end_{1}。"),
    (r"Unmatched 'end_(\w+)'", "end_{1} 没有对应的 begin_{1}。"),
    (r"Names must begin with a letter", "名称只能用英文字母、数字、下划线、连字符和点，并以字母或下划线开头。"),
    (r"Names used here must not be 'name' or 'label'", "实体属性不能叫 name 或 label，请换一个名称。"),
    (r"Names used here must not", "实体的名称不能以两个下划线开头，也不能有点号。"),
    (r"element named '([^']*)' has no label", "题目“{1}”没有写标签（label 列）。"),
    (r"Choices should have a label", "选项没有写标签（label 列）。"),
    (r"Choices must have a name", "选项没有写名称（name 列）。"),
    (r"Choice names must be unique", "同一选项列表里有重复的名称（name 列）。"),
    (r"Choice names with spaces.*?\[([^\]]*)\]", "多选题的选项名称“{1}”里不能有空格。"),
    (r"Missing calculation", "calculate 题没有写公式（calculation 列）。"),
    (r"must have a sheet named 'survey'", "文件里没有名为 survey 的工作表。"),
    (r"Duplicate column header: (.*)", "有两列的标题相同：{1}。"),
    (r"'list_name' value is invalid", "实体列表的名称有误：找不到、为空或重复。"),
    (r"too much memory", "表单过大，内存不够。请把长的选项表改为 CSV 文件。"),
    (r"max-pixels parameter", "建议给照片题设置 max-pixels（如 1600），以加快发送并节省流量。"),
    (r"has no label in the language|missing translation|translations? (?:are|is) missing", "有的语言缺少译文。"),
)
_VALIDATE: tuple[tuple[str, str], ...] = (
    (r"Cycle detected|Self-reference", "公式互相循环引用，无法计算。"),
    (r"cannot handle function '([^']*)'", "公式用到了不认识的函数 {1}()。"),
    (r"Mismatched brackets", "公式的括号不配对。"),
    (r"invalid constraint expression \[(.*)\]", "限制条件（constraint）写法不对：{1}"),
    (r"Invalid calculate", "公式（calculation）写法不对。"),
    (r"[Ii]nvalid relevan", "显示条件（relevant）写法不对。"),
    (r"XPath evaluation: type mismatch|type mismatch", "公式里值的类型不对，例如拿空值当数字或日期来算。"),
    (r"XPath evaluation", "公式算不出结果。"),
)


def explain(message: str, rows: Mapping[str, int]) -> dict[str, Any]:
    """`{"sheet", "row", "zh", "en"}` of one sentence of pyxform. `rows`: survey row by name, or by `type TYPE`."""
    plain = " ".join(message.split())
    numbered, named = _ROW.search(plain), _SHEET.search(plain)
    english = _ROW.sub("", plain).strip()[:_MOST]
    row = int(numbered.group(1)) if numbered else _row_of(plain, rows)
    sheet = (named.group(1) or named.group(2)).lower() if named else ("survey" if row else None)
    return {"sheet": sheet, "row": row, "zh": _chinese(plain, _PYXFORM) or f"表单有误：{english}", "en": english}


def explain_validation(complaint: str, rows: Mapping[str, int]) -> list[dict[str, Any]]:
    """One entry per question that ODK Validate names on stderr; one without a row where it names none."""
    about = complaint.split("The following files failed validation", maxsplit=1)[0]
    lines = [line.strip() for line in about.splitlines() if line.strip()]
    spoken = [line for line in lines if not line.startswith(("at ", "...", ">>", "Caused by"))]
    said = [re.sub(r"^[\w.$]+(Exception|Error): ", "", line) for line in spoken]
    english = re.sub(r"@[0-9a-f]{6,}", "", " ".join(dict.fromkeys(said)))
    # The question that carries the formula counts, not those that the formula mentions.
    carriers = _CARRIER.findall(english) or _PATH.findall(english)
    names = list(dict.fromkeys(path.rsplit("/", 1)[-1].split("[")[0] for path in carriers))
    # Only names of the form: a path of this machine must not leave it.
    known = [name for name in names if name in rows]
    english = _PATH.sub(lambda path: "${" + path.group().rsplit("/", 1)[-1].split("[")[0] + "}", english)[:_MOST]
    chinese = _chinese(english, _VALIDATE) or f"ODK Validate 未通过：{english}"
    english = english or "ODK Validate refused the form."
    known.sort(key=rows.__getitem__)
    return [{"sheet": "survey", "row": rows[name], "zh": f"题目“{name}”：{chinese}", "en": english} for name in known] or [
        {"sheet": None, "row": None, "zh": chinese, "en": english}
    ]


def _chinese(message: str, table: tuple[tuple[str, str], ...]) -> str | None:
    for pattern, sentence in table:
        found = re.search(pattern, message)
        if found:
            return sentence.format(found.group(0), *(group or "" for group in found.groups()))
    return None


def _row_of(message: str, rows: Mapping[str, int]) -> int | None:
    for first, second in _QUOTED.findall(message):
        name = first or second
        row = rows.get(name) or rows.get(f"type {name}")
        if row:
            return row
    if "choices sheet" in message:
        # The whole sheet is missing: the first question that needs it is where to look.
        return next((row for name, row in rows.items() if name.startswith("type select")), None)
    return None
