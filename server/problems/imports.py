"""Imports of files into entity lists: what cannot be read, or not be done now."""

from __future__ import annotations

from typing import Any

from server.problems.problem import Problem


def import_unreadable(zh: str, en: str) -> Problem:
    """`zh`, `en`: whole sentences that say what to do."""
    return Problem("400.76", zh, en, {"reason": en})


def import_settings_wrong(errors: list[dict[str, Any]]) -> Problem:
    """`errors`: dicts with zh and en: what is wrong with the mapping of columns."""
    return Problem("400.77", errors[0]["zh"], errors[0]["en"], {"errors": errors})


def import_has_errors(rows: int, errors: int) -> Problem:
    return Problem(
        "409.76",
        f"有 {rows} 行有误（共 {errors} 处），未导入任何数据。请更正文件后重新上传，或选择“跳过有误的行”。",
        f"{rows} rows have errors ({errors} in all); nothing was imported. Correct the file and upload it again, or choose to skip rows with errors.",
        {"rows": rows, "errors": errors},
    )


def import_not_now(state: str) -> Problem:
    names = {
        "uploaded": ("尚未检查", "has not been checked"), "checking": ("正在检查", "is being checked"), "checked": ("尚未导入", "has not been run"),
        "importing": ("正在导入", "is being run"), "done": ("已导入完毕", "is done"), "undoing": ("正在撤销", "is being undone"),
        "undone": ("已撤销，不能再次进行", "has been undone, which happens once"), "failed": ("已失败，请重新上传", "has failed; upload the file again"),
    }  # fmt: skip
    zh, en = names.get(state, (state, f"is {state}"))
    return Problem("409.77", f"该导入{zh}，现在不能这样操作。", f"This import {en}: that cannot be done now.", {"state": state})
