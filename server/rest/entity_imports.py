"""Files of rows into an entity list, for programs, as on the import page: uploaded, checked, started, undone; the server's jobs do the work."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.audit import remember_notes
from server.entities.imports import records
from server.entities.imports.mapping import ImportSettings, find_column, no_such_column, read_label
from server.entities.imports.reading import MOST_BYTES, read_register
from server.entities.imports.telling import errors_csv, import_shape, listed_shape
from server.entities.lists import get_list
from server.http.credentials import authenticate
from server.http.described import described
from server.http.downloads import file_headers
from server.http.json_answers import action_notes, answer_json
from server.http.json_body import flag_of, json_object, text_of
from server.http.parts import parts
from server.model import EntityImport, EntityList
from server.rest import blueprint
from server.transactions import transaction

_IMPORTS = "/projects/<int:project_id>/datasets/<name>/imports"
_ONE = _IMPORTS + "/<int:import_id>"
_MEDIA = ("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
_MOST_PATTERN = 500


def _list(session: Session, actor: Actor, project_id: int, name: str) -> EntityList:
    return get_list(session, actor, project_id, name, verb=records.VERB)


def _found(session: Session, actor: Actor, project_id: int, name: str, import_id: int, *, lock: bool = False) -> EntityImport:
    if lock:
        remember_notes(session, action_notes())
    return records.find_import(session, actor, import_id, entity_list=_list(session, actor, project_id, name), lock=lock)


def _shown(found: EntityImport) -> Response:
    """Without the file's first rows, which have numbers as they are written: whoever uploads it is told them, and nobody later."""
    return answer_json({name: value for name, value in import_shape(found).items() if name != "samples"})


@blueprint.get(_IMPORTS)
def get_entity_imports(project_id: int, name: str) -> Response:
    """What was imported into a list, the newest first, at most 100."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        rows = records.list_imports(session, actor, _list(session, actor, project_id, name))
    return answer_json([listed_shape(row) for row in rows])


@blueprint.post(_IMPORTS)
@described(query={"filename": "string", "sheet": "string"}, media=_MEDIA)
def post_entity_import(project_id: int, name: str) -> Response:
    """Upload an .xlsx or .csv: its columns, first rows and a proposed mapping. Nothing of it is in the list."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        records.require_import(session, actor, _list(session, actor, project_id, name))
    if (request.content_length or 0) > MOST_BYTES:
        raise problems.too_large(MOST_BYTES)
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        path = Path(folder) / "upload"
        with path.open("wb") as target:
            shutil.copyfileobj(request.stream, target)
        # Reading takes seconds: outside any transaction.
        read = read_register(parts().storage, path, request.args.get("filename", ""), sheet=request.args.get("sheet", ""))
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        made = records.create_import(session, actor, _list(session, actor, project_id, name), read)
        return answer_json(import_shape(made))


@blueprint.get(_ONE)
def get_entity_import(project_id: int, name: str, import_id: int) -> Response:
    """An import as it stands: its state and progress, its settings, its errors, what it did."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        return _shown(_found(session, actor, project_id, name, import_id))


@blueprint.post(f"{_ONE}/check")
@described(body={"mapping": "object", "label": "string", "key": "string"})
def post_import_check(project_id: int, name: str, import_id: int) -> Response:
    """Check each row (a dry run), with the proposed mapping where the body says no other; nothing goes into the list."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine, write=True) as session:
        found = _found(session, actor, project_id, name, import_id, lock=True)
        records.set_up(session, actor, found, _settings(found, body))
        return _shown(found)


def _settings(found: EntityImport, body: dict[str, Any]) -> ImportSettings:
    """What was set up or proposed, with what the body says otherwise. Raises: invalid_data_type, value_too_long, import_settings_wrong."""
    known = ImportSettings.from_json(found.settings)
    columns = known.columns if body.get("mapping") is None else _columns(found, body["mapping"])
    label = read_label(found.columns, text_of(body, "label", most=_MOST_PATTERN)) if "label" in body else known.label
    proposed = known.key if known.key in columns.values() else None
    return ImportSettings(columns, label, (text_of(body, "key") or None) if "key" in body else proposed)


def _columns(found: EntityImport, mapping: Any) -> dict[int, str]:
    """Properties by column's number. `mapping`: property by the column's heading or letter; "" or null leaves the column out."""
    if not isinstance(mapping, dict):
        raise problems.invalid_data_type("mapping", None, "object")
    numbers = {heading: find_column(found.columns, heading) for heading in mapping}
    unknown = [no_such_column(heading) for heading, number in numbers.items() if number is None]
    if unknown:
        raise problems.import_settings_wrong(unknown[:50])
    chosen = {heading: text_of(mapping, heading) for heading in mapping}
    return {number: chosen[heading] or "" for heading, number in numbers.items() if number is not None and chosen[heading]}


@blueprint.post(f"{_ONE}/start")
@described(body={"skipErrors": "boolean"})
def post_import_start(project_id: int, name: str, import_id: int) -> Response:
    """The checked rows go into the list, if all are right; with skipErrors those that are."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine, write=True) as session:
        found = _found(session, actor, project_id, name, import_id, lock=True)
        records.start(session, actor, found, skip_errors=bool(flag_of(body, "skipErrors")), user_agent=request.headers.get("User-Agent"))
        return _shown(found)


@blueprint.post(f"{_ONE}/undo")
def post_import_undo(project_id: int, name: str, import_id: int) -> Response:
    """Undo an import as a whole, but for what was changed since."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        found = _found(session, actor, project_id, name, import_id, lock=True)
        records.start_undo(session, actor, found, user_agent=request.headers.get("User-Agent"))
        return _shown(found)


@blueprint.get(f"{_ONE}/errors.csv")
@described(answers="text/csv")
def get_import_errors(project_id: int, name: str, import_id: int) -> Response:
    """An import's errors by row and column, the first thousand."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = _found(session, actor, project_id, name, import_id)
    response = Response(errors_csv(found))
    file_headers(response, f"{Path(found.file_name).stem}-errors.csv", content_type="text/csv")
    return response
