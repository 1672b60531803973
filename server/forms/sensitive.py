"""The column `bind::sensitive` of an XLSForm: which answers are masked for those without the right to read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree

from server import problems
from server.forms.xform_reader import XFormReader

_YES, _NO = {"yes", "true", "true()"}, {"", "no", "false", "false()"}


def check_sensitive(xform: bytes, rows: Mapping[str, int]) -> None:
    """What the column says is yes or no, and nothing sensitive goes into an entity list, which phones download. `rows`: of the survey sheet by name.

    Raises: form_invalid.
    """
    reader = XFormReader(xform)
    wrong: list[dict[str, Any]] = []
    sensitive = {field.path for field in reader.definition().fields if field.sensitive}
    for path, bind in reader.binds().items():
        said, saved = _attribute(bind, "sensitive"), _attribute(bind, "saveto")
        place = {"sheet": "survey", "row": rows.get(path[-1])}
        if said.lower() not in _YES | _NO:
            zh = f"“{path[-1]}”的 bind::sensitive 列只能填 yes 或 no，不能填“{said[:50]}”。"
            wrong.append({**place, "zh": zh, "en": f"bind::sensitive of {path[-1]} is yes or no, not {said[:50]!r}."})
        elif path in sensitive and saved:
            wrong.append({
                **place, "zh": f"“{path[-1]}”是敏感信息，不能存入名册属性“{saved}”：名册会下载到手机。请另用公式存入遮盖后的值。",
                "en": f"{path[-1]} is sensitive and cannot be saved to the property {saved}: phones download entity lists. Save a masked value by a calculation.",
            })  # fmt: skip
    if wrong:
        raise problems.form_invalid(wrong)


def _attribute(bind: etree._Element, name: str) -> str:
    return next((value.strip() for key, value in bind.attrib.items() if str(key).rsplit("}", 1)[-1] == name), "")
