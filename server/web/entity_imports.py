"""Files of rows into a register: uploaded, columns mapped, checked, imported, undone; progress by a page that asks again for itself."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from flask import Response, redirect, request, url_for

from server import problems
from server.entities.imports import records
from server.entities.imports.mapping import ID, ImportSettings, read_label
from server.entities.imports.reading import ReadFile, read_register
from server.entities.imports.telling import errors_csv
from server.entities.lists import get_list, list_properties
from server.entities.reading import actors_of
from server.http.downloads import file_headers
from server.http.parts import parts
from server.model import EntityImport
from server.transactions import transaction
from server.web import blueprint
from server.web.pages import page
from server.web.visitor import visitor

_IMPORTS = "/projects/<int:project_id>/entity-lists/<name>/imports"
_ONE = _IMPORTS + "/<int:import_id>"
_COLUMN = "column."
_SHOWN_ERRORS = 100
_SHOWN_SAMPLES = 5


@blueprint.get(_IMPORTS)
def list_entity_imports(project_id: int, name: str) -> Response:
    """What was imported into the list, the newest first, and the form for one more file."""
    actor = visitor().actor
    with transaction(parts().engine) as session:
        entity_list = get_list(session, actor, project_id, name, verb=records.VERB)
        rows = records.list_imports(session, actor, entity_list)
        senders = actors_of(session, {row.actor_id for row in rows})
    return page("entity_imports.html", entity_list=entity_list, rows=rows, senders=senders)


@blueprint.post(_IMPORTS)
def upload_entity_import(project_id: int, name: str) -> Response:
    """The file is read and kept; what becomes of it is asked next."""
    file = request.files.get("file")
    if file is None or not file.filename:
        raise problems.missing_part("file")
    _require_import(project_id, name)
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        path = Path(folder) / "upload"
        file.save(path)
        # Reading takes seconds: outside any transaction.
        read = read_register(parts().storage, path, file.filename)
    return _made(project_id, name, read)


@blueprint.post(f"{_ONE}/sheet")
def choose_import_sheet(project_id: int, name: str, import_id: int) -> Response:
    """The same file again with another of its sheets."""
    found = _find(project_id, name, import_id)
    if found.blob_sha256 is None:
        raise problems.not_found()
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        path = Path(folder) / "upload"
        with path.open("wb") as target:
            target.writelines(parts().storage.open(found.blob_sha256))
        read = read_register(parts().storage, path, found.file_name, sheet=request.form.get("sheet", ""))
    return _made(project_id, name, read)


def _require_import(project_id: int, name: str) -> None:
    with transaction(parts().engine) as session:
        actor = visitor().actor
        records.require_import(session, actor, get_list(session, actor, project_id, name, verb=records.VERB))


def _made(project_id: int, name: str, read: ReadFile) -> Response:
    actor = visitor().actor
    with transaction(parts().engine, write=True) as session:
        made = records.create_import(session, actor, get_list(session, actor, project_id, name, verb=records.VERB), read)
    return _to_import(project_id, name, made.id)


def _to_import(project_id: int, name: str, import_id: int) -> Response:
    return redirect(url_for("web.show_entity_import", project_id=project_id, name=name, import_id=import_id), 303)  # type: ignore[return-value]


def _find(project_id: int, name: str, import_id: int) -> EntityImport:
    actor = visitor().actor
    with transaction(parts().engine) as session:
        entity_list = get_list(session, actor, project_id, name, verb=records.VERB)
        return records.find_import(session, actor, import_id, entity_list=entity_list)


@blueprint.get(_ONE)
def show_entity_import(project_id: int, name: str, import_id: int) -> Response:
    """The import as it stands: its columns to be mapped, its progress, its errors, or what it did."""
    actor = visitor().actor
    with transaction(parts().engine) as session:
        entity_list = get_list(session, actor, project_id, name, verb=records.VERB)
        found = records.find_import(session, actor, import_id, entity_list=entity_list)
        properties = list_properties(session, entity_list)
    settings = ImportSettings.from_json(found.settings)
    return page(
        "entity_import.html", entity_list=entity_list, found=found, settings=settings, properties=properties, id_property=ID,
        samples=[_cells(found, row) for row in found.samples[:_SHOWN_SAMPLES]], errors=found.errors[:_SHOWN_ERRORS],
        left_alone=found.left_alone[:_SHOWN_ERRORS], is_at_work=found.state in records.AT_WORK, progress=_progress(found),
    )  # fmt: skip


def _cells(found: EntityImport, row: list[Any]) -> list[str]:
    return [*row[1], *[""] * (len(found.columns) - len(row[1]))]


def _progress(found: EntityImport) -> tuple[int, int]:
    """Rows done, and rows in all, of what is being done."""
    if found.state == "checking":
        return found.rows_checked, found.rows_total
    if found.state == "importing":
        return found.position, found.rows_good
    return found.undone_count + found.left_count, found.created_count + found.updated_count


@blueprint.post(f"{_ONE}/check")
def check_entity_import(project_id: int, name: str, import_id: int) -> Response:
    """The file is checked with the mapping of the page; nothing goes into the list."""
    actor = visitor().actor
    with transaction(parts().engine, write=True) as session:
        entity_list = get_list(session, actor, project_id, name, verb=records.VERB)
        found = records.find_import(session, actor, import_id, entity_list=entity_list, lock=True)
        records.set_up(session, actor, found, _sent_settings(found))
    return _to_import(project_id, name, import_id)


def _sent_settings(found: EntityImport) -> ImportSettings:
    """Raises: import_settings_wrong."""
    given = {key.removeprefix(_COLUMN): value for key, value in request.form.items() if key.startswith(_COLUMN) and value}
    columns = {int(number): value for number, value in given.items() if number.isdecimal() and int(number) < len(found.columns)}
    label, pattern = request.form.get("label", type=int), request.form.get("pattern", "").strip()
    return ImportSettings(columns, read_label(found.columns, pattern) if pattern else label, request.form.get("key") or None)


@blueprint.post(f"{_ONE}/start")
def start_entity_import(project_id: int, name: str, import_id: int) -> Response:
    """The rows go into the list; with `skip`, those that are right alone."""
    actor, skip = visitor().actor, bool(request.form.get("skip"))
    with transaction(parts().engine, write=True) as session:
        entity_list = get_list(session, actor, project_id, name, verb=records.VERB)
        found = records.find_import(session, actor, import_id, entity_list=entity_list, lock=True)
        records.start(session, actor, found, skip_errors=skip, user_agent=request.user_agent.string)
    return _to_import(project_id, name, import_id)


@blueprint.post(f"{_ONE}/undo")
def undo_entity_import(project_id: int, name: str, import_id: int) -> Response:
    """What the import did is undone as a whole, but for what was changed since."""
    actor = visitor().actor
    with transaction(parts().engine, write=True) as session:
        entity_list = get_list(session, actor, project_id, name, verb=records.VERB)
        found = records.find_import(session, actor, import_id, entity_list=entity_list, lock=True)
        records.start_undo(session, actor, found, user_agent=request.user_agent.string)
    return _to_import(project_id, name, import_id)


@blueprint.get(f"{_ONE}/errors.csv")
def import_errors(project_id: int, name: str, import_id: int) -> Response:
    """The errors by row and column, the first thousand."""
    found = _find(project_id, name, import_id)
    response = Response(errors_csv(found))
    file_headers(response, f"{Path(found.file_name).stem}-errors.csv", content_type="text/csv")
    return response
