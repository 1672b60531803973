"""Forms from tables, and submissions to them."""

from __future__ import annotations

import uuid
from functools import cache

from pyxform.xls2xform import convert

VISIT = """
| survey | | | |
| | type | name | label |
| | text | division | Village |
| | integer | age | Age |
| | image | door | Door |
| | image | stove | Stove |
| | begin repeat | members | Members |
| | text | name | Name |
| | end repeat | | |
| settings | | | |
| | form_title | form_id | version |
| | 探访 | visit | {version} |
"""


@cache
def form_xml(markdown: str) -> bytes:
    """The XForm of a table, by pyxform alone: tests of compilation are elsewhere."""
    return convert(markdown, file_type=".md").xform.encode()  # type: ignore[no-any-return]


def visit_form(version: str = "1") -> str:
    return VISIT.format(version=version)


def a_visit(
    instance_id: str | None = None, *, age: str = "70", door: str = "", stove: str = "", members: tuple[str, ...] = (), replaces: str | None = None,
    version: str = "1", form_id: str = "visit", division: str = "632223202200", extra: str = "", meta: str = "",
) -> bytes:  # fmt: skip
    """A filled-in visit; everything that a test is not about is filled in for it."""
    instance_id = instance_id or f"uuid:{uuid.uuid4()}"
    rows = "".join(f"<members><name>{name}</name></members>" for name in members)
    deprecated = f"<orx:deprecatedID>{replaces}</orx:deprecatedID>" if replaces else ""
    return (
        f'<data xmlns:jr="http://openrosa.org/javarosa" xmlns:orx="http://openrosa.org/xforms" id="{form_id}" version="{version}">'
        f"<division>{division}</division><age>{age}</age><door>{door}</door><stove>{stove}</stove>{rows}{extra}"
        f"<orx:meta><orx:instanceID>{instance_id}</orx:instanceID>{deprecated}{meta}</orx:meta></data>"
    ).encode()
