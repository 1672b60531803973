"""A form's workbook as text, and what changed between two of them, in words."""

from __future__ import annotations

from collections.abc import Iterator

from server.forms.workbook import SHEETS, Sheet, as_records, read_sheets

_RULES = (
    ("required", "必填", "required"),
    ("relevant", "显示条件", "relevant"),
    ("constraint", "限制条件", "constraint"),
    ("calculation", "公式", "calculation"),
    ("choice_filter", "选项筛选", "choice_filter"),
    ("default", "默认值", "default"),
    ("appearance", "外观", "appearance"),
    ("parameters", "参数", "parameters"),
    ("save_to", "存入属性", "save_to"),
    ("read_only", "只读", "read_only"),
)
_LABELS = ("label", "hint", "constraint_message", "required_message")
Record = dict[str, str]


def form_as_text(content: bytes) -> str:
    """Markdown tables of survey, choices, settings and entities of an .xlsx. Raises: form_invalid, too_large."""
    sheets = read_sheets(content)
    return "\n".join(_table(name, sheets[name]) for name in SHEETS if sheets.get(name))


def _table(name: str, sheet: Sheet) -> str:
    header, *rows = sheet
    lines = [f"## {name}", "", _line(header), "|" + " --- |" * len(header)]
    lines += [_line(row) for row in rows if any(row)]
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", "<br>") for cell in cells) + " |"


def form_difference(old: bytes, new: bytes) -> str:
    """What `new` changed, a line each, Chinese first; "没有变化 / no changes" where nothing did.

    Raises: form_invalid, too_large.
    """
    before, after = read_sheets(old), read_sheets(new)
    lines = [
        *_survey_changes(_questions(before.get("survey", [])), _questions(after.get("survey", []))),
        *_choice_changes(_choices(before.get("choices", [])), _choices(after.get("choices", []))),
        *_row_changes("settings", before, after),
        *_row_changes("entities", before, after),
    ]
    return "\n".join(lines or ["没有变化 / no changes"]) + "\n"


def _questions(sheet: Sheet) -> dict[str, Record]:
    """Question by path (groups/name), in order; rows without a name (ends of groups) only close the path."""
    found: dict[str, Record] = {}
    above: list[str] = []
    for record in as_records(sheet):
        kind = record.get("type", "").replace("_", " ")
        if kind.startswith("end "):
            above = above[:-1]
            continue
        # Metadata questions go without a name: their type names them.
        name = record.get("name") or record.get("type", "")
        found["/".join([*above, name])] = record
        if kind.startswith("begin "):
            above = [*above, name]
    return found


def _survey_changes(before: dict[str, Record], after: dict[str, Record]) -> Iterator[str]:
    for path, record in after.items():
        if path not in before:
            title, kind = _title(record), record.get("type", "")
            yield f"+ 新增题目 {path}（{kind}）{title} / added {path} ({kind})"
    for path, record in before.items():
        if path not in after:
            yield f"- 删除题目 {path}（{record.get('type', '')}）{_title(record)} / removed {path}"
    for path, record in after.items():
        if path in before:
            yield from _question_changes(path, before[path], record)


def _question_changes(path: str, before: Record, after: Record) -> Iterator[str]:
    if before.get("type") != after.get("type"):
        yield f"~ 题型改变 {path}：{before.get('type')} → {after.get('type')} / retyped {path}"
    for column in dict.fromkeys([*before, *after]):
        plain = column.split("::")[0]
        if plain in _LABELS and before.get(column) != after.get(column):
            yield f"~ 文字改变 {path} [{column}]：{_or_none(before, column)} → {_or_none(after, column)} / reworded {path}"
    for column, chinese, english in _RULES:
        if before.get(column) == after.get(column):
            continue
        if column not in before:
            yield f"~ 新增{chinese} {path}：{after[column]} / {english} added to {path}"
        elif column not in after:
            yield f"~ 取消{chinese} {path}：{before[column]} / {english} removed from {path}"
        else:
            yield f"~ {chinese}改变 {path}：{before[column]} → {after[column]} / {english} of {path} changed"


def _title(record: Record) -> str:
    return next((record[column] for column in record if column.split("::")[0] == "label"), "")


def _or_none(record: Record, column: str) -> str:
    return f"“{record[column]}”" if column in record else "（无）"


def _choices(sheet: Sheet) -> dict[str, Record]:
    return {f"{record.get('list_name', '')}/{record.get('name', '')}": record for record in as_records(sheet)}


def _choice_changes(before: dict[str, Record], after: dict[str, Record]) -> Iterator[str]:
    for key in [key for key in after if key not in before]:
        yield f"+ 新增选项 {key} {_title(after[key])} / added choice {key}"
    for key in [key for key in before if key not in after]:
        yield f"- 删除选项 {key} {_title(before[key])} / removed choice {key}"
    for key, record in after.items():
        for column in record if key in before else ():
            if column != "row" and before[key].get(column) != record[column]:
                change = f"{_or_none(before[key], column)} → “{record[column]}”"
                yield f"~ 选项改变 {key} [{column}]：{change} / choice {key} changed"


def _row_changes(name: str, before: dict[str, Sheet], after: dict[str, Sheet]) -> Iterator[str]:
    """Changes of settings and entities, which are few rows: cell by cell."""
    old, new = as_records(before.get(name, [])), as_records(after.get(name, []))
    for index in range(max(len(old), len(new))):
        was, now = (rows[index] if index < len(rows) else {} for rows in (old, new))
        for column in dict.fromkeys([*was, *now]):
            if column != "row" and was.get(column) != now.get(column):
                change = f"{_or_none(was, column)} → {_or_none(now, column)}"
                yield f"~ {name} 的 {column} 改变：{change} / {name}.{column} changed"
