"""The child process of `compile`: .xlsx on stdin, JSON on stdout. It is meant to be killed at any time.

Arguments: the form ID to fall back on, and seconds of CPU. Answers `{"xform", "warnings", "itemsets", "rows"}` or
`{"error", "rows"}`, where `rows` gives the survey sheet's row of each name, and of each `type TYPE`.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from io import BytesIO
from typing import Any

_MOST_MEMORY = 1_500_000_000


def _limit(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _compile(content: bytes, form_id: str) -> dict[str, Any]:
    # Imported under the limits, and only in this process: it costs a second and much memory.
    from pyxform.builder import create_survey_element_from_dict
    from pyxform.errors import PyXFormError
    from pyxform.utils import external_choices_to_csv, has_external_choices
    from pyxform.xls2json import workbook_to_json
    from pyxform.xls2json_backends import get_xlsform

    rows: dict[str, int] = {}
    warnings: list[str] = []
    try:
        workbook = get_xlsform(xlsform=BytesIO(content), file_type=".xlsx")
        for number, row in enumerate(workbook.survey or [], start=2):
            rows.setdefault(str(row.get("name", "")), number)
            rows.setdefault(f"type {row.get('type', '')}", number)
        read = workbook_to_json(workbook_dict=workbook, fallback_form_name=form_id, warnings=warnings)
        itemsets = external_choices_to_csv(workbook_dict=workbook) if has_external_choices(json_struct=read) else None
        xform = create_survey_element_from_dict(read).to_xml(validate=False, pretty_print=False, warnings=warnings)
    except PyXFormError as error:
        return {"error": str(error), "rows": rows}
    except MemoryError:
        return {"error": "The form needs too much memory.", "rows": {}}
    # A stranger's workbook can trip pyxform anywhere; its own sentence is all that may leave this process.
    except Exception as error:
        return {"error": f"The form cannot be read ({type(error).__name__}: {error}).", "rows": rows}
    return {"xform": xform, "warnings": warnings, "itemsets": itemsets, "rows": rows}


def main() -> None:
    """Reads, compiles, answers."""
    form_id, seconds = sys.argv[1], int(sys.argv[2])
    _limit(seconds)
    logging.disable(logging.CRITICAL)
    json.dump(_compile(sys.stdin.buffer.read(), form_id), sys.stdout, ensure_ascii=True)


if __name__ == "__main__":
    main()
