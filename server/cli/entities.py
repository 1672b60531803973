"""`minqing entities`: files of rows into entity lists, as county staff do it on the import page."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from server.cli.group import minqing, open_data

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from server.entities.imports.mapping import ImportSettings
    from server.entities.imports.reading import ReadFile
    from server.model import EntityImport, EntityList
    from server.storage import Storage

_SHOWN_ERRORS = 50
_WAIT_SECONDS = 0.5


@minqing.group()
def entities() -> None:
    """Entity lists: import files of rows, undo an import."""


@entities.command("import")
@click.argument("list_name", metavar="LIST")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--project", default=1, show_default=True)
@click.option("--map", "maps", multiple=True, metavar="COLUMN=PROPERTY", help="Map a column, named by its heading or letter. `COLUMN=` leaves it out.")
@click.option("--label", help="The column that is the label, or a text with {column} in it.")
@click.option("--key", help="The property (or __id) whose value tells that a row is an entity that is there. `--key ''`: every row is new.")
@click.option("--sheet", default="", help="Sheet of an .xlsx (default: the first).")
@click.option("--dry-run", is_flag=True, help="Check only.")
@click.option("--skip-errors", is_flag=True, help="Import the rows that are right, leave out those with errors.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def entities_import(
    list_name: str, file: Path, project: int, maps: tuple[str, ...], label: str | None, key: str | None, sheet: str, dry_run: bool, skip_errors: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Import an .xlsx or .csv; nothing is imported unless every row is right, or --skip-errors is given. Exit code 1: rows have errors."""
    from server.access.actor import system_actor
    from server.entities.imports import records
    from server.entities.imports.reading import read_register
    from server.storage import open_storage
    from server.transactions import transaction

    with open_data() as (settings, engine):
        storage, actor = open_storage(settings.blob_storage, settings.s3_endpoint, engine), system_actor("command line")
        with transaction(engine) as session:
            _list_named(session, project, list_name)
        read = read_register(storage, file, file.name, sheet=sheet)
        with transaction(engine, write=True) as session:
            made = records.create_import(session, actor, _list_named(session, project, list_name), read)
            records.set_up(session, actor, made, _settings(read, made, maps, label, key))
        _follow(engine, storage, made, "检查 checking", read.count, until="checked")
        found = _now(engine, made.id)
        refused = bool(found.rows_bad and not skip_errors)
        if not dry_run and not refused:
            with transaction(engine, write=True) as session:
                records.start(session, actor, records.find_import(session, actor, made.id, lock=True), skip_errors=skip_errors, user_agent="minqing")
            _follow(engine, storage, made, "导入 importing", found.rows_good, until="done")
            found = _now(engine, made.id)
    _tell(found, as_json=as_json)
    if refused:
        raise SystemExit(1)


def _list_named(session: Session, project_id: int, name: str) -> EntityList:
    """Raises: click's own, with the name."""
    from server.access.actor import system_actor
    from server.entities.imports import records
    from server.entities.lists import get_list
    from server.problems import Problem

    try:
        return get_list(session, system_actor("command line"), project_id, name, verb=records.VERB)
    except Problem as problem:
        if problem.status != 404:
            raise
        raise click.ClickException(f"项目 {project_id} 中没有登记表 {name}。/ No entity list {name} in project {project_id}.") from None


def _settings(read: ReadFile, made: EntityImport, maps: tuple[str, ...], label: str | None, key: str | None) -> ImportSettings:
    """The proposal with what the options say otherwise. Raises: import_settings_wrong; click's own, for a --map without `=`."""
    from dataclasses import replace

    from server import problems
    from server.entities.imports import mapping

    settings = mapping.ImportSettings.from_json(made.settings)
    columns = dict(settings.columns)
    said: list[str] = []
    for one in maps:
        column, sign, name = one.rpartition("=")
        if not sign:
            raise click.BadParameter(f"{one}: COLUMN=PROPERTY", param_hint="--map")
        number = mapping.find_column(read.columns, column)
        if number is None:
            raise problems.import_settings_wrong([mapping.no_such_column(column)])
        # Who says where a property comes from takes it from the column that was proposed for it.
        columns = {at: other for at, other in columns.items() if at != number and (other != name or other in said)}
        if name:
            columns[number] = name
            said.append(name)
    chosen = settings.key if key is None else key or None
    if key is None and chosen not in columns.values():
        chosen = None
    # The proposal's id column is of use as the key alone.
    columns = {at: name for at, name in columns.items() if name != mapping.ID or chosen == mapping.ID or name in said}
    return replace(settings, columns=columns, key=chosen, label=settings.label if label is None else mapping.read_label(read.columns, label))


def _follow(engine: Engine, storage: Storage, made: EntityImport, label: str, length: int, *, until: str) -> None:
    """Work on the import, or wait for the server that does, until it has come to that state."""
    from server.entities.imports import work

    holder = f"{socket.gethostname()}:{os.getpid()}:command"
    with click.progressbar(length=length, label=label, file=click.get_text_stream("stderr")) as bar:
        show = _progress_of(bar)
        while (state := (found := _now(engine, made.id)).state) not in {until, "failed"}:
            more = work.work_on(engine, storage, made.project_id, made.id, holder, show)
            if not more and _now(engine, made.id).state == state:
                show(found.rows_checked if state == "checking" else found.position if state == "importing" else found.undone_count)
                time.sleep(_WAIT_SECONDS)


def _progress_of(bar: Any) -> Callable[[int], None]:
    return lambda count: bar.update(max(0, count - bar.pos))


def _now(engine: Engine, import_id: int) -> EntityImport:
    from server.access.actor import system_actor
    from server.entities.imports.records import find_import
    from server.transactions import transaction

    with transaction(engine) as session:
        return find_import(session, system_actor("command line"), import_id)


def _tell(found: EntityImport, *, as_json: bool) -> None:
    from server.entities.imports.telling import import_shape

    if as_json:
        import json

        click.echo(json.dumps(import_shape(found), ensure_ascii=False, indent=1))
        return
    click.echo(f"{found.id} {found.file_name} {found.state}")
    click.echo(f"正确 right: {found.rows_good}  有误 with errors: {found.rows_bad}  共 of: {found.rows_total}")
    if found.state in {"done", "undone"}:
        click.echo(
            f"新建 created: {found.created_count}  更新 updated: {found.updated_count}  无变化 unchanged: {found.unchanged_count}"
            f"  跳过 skipped: {found.skipped_count}"
        )
    if found.state == "undone":
        click.echo(f"已撤销 undone: {found.undone_count}  其后有改动、未撤销 left because changed since: {found.left_count}")
        for one in found.left_alone[:_SHOWN_ERRORS]:
            click.echo(f"  {one['uuid']} {one['label']}", err=True)
    for error in found.errors[:_SHOWN_ERRORS]:
        click.echo(f"  [{error['row']} {error['column']}] {error['zh']} / {error['en']}", err=True)
    if found.errors_total > _SHOWN_ERRORS:
        click.echo(f"  … {found.errors_total}", err=True)


@entities.command("imports")
@click.argument("list_name", metavar="LIST")
@click.option("--project", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def entities_imports(list_name: str, project: int, as_json: bool) -> None:
    """What was imported into a list, the newest first."""
    import json

    from server.access.actor import system_actor
    from server.entities.imports import records
    from server.entities.imports.telling import listed_shape
    from server.transactions import transaction

    actor = system_actor("command line")
    with open_data() as (_data, engine), transaction(engine) as session:
        rows = records.list_imports(session, actor, _list_named(session, project, list_name))
    if as_json:
        click.echo(json.dumps([listed_shape(row) for row in rows], ensure_ascii=False, indent=1))
        return
    for row in rows:
        click.echo(f"{row.id} {row.created_at:%Y-%m-%d %H:%M} {row.state} +{row.created_count} ~{row.updated_count} {row.file_name}")


@entities.command("undo")
@click.argument("import_id", metavar="IMPORT", type=int)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def entities_undo(import_id: int, as_json: bool) -> None:
    """Undo an import as a whole; what was changed since is left and listed."""
    from server.access.actor import system_actor
    from server.entities.imports import records
    from server.storage import open_storage
    from server.transactions import transaction

    actor = system_actor("command line")
    with open_data() as (settings, engine):
        storage = open_storage(settings.blob_storage, settings.s3_endpoint, engine)
        with transaction(engine, write=True) as session:
            found = records.find_import(session, actor, import_id, lock=True)
            # One that was interrupted is gone on with.
            if found.state != "undoing":
                records.start_undo(session, actor, found, user_agent="minqing")
        _follow(engine, storage, found, "撤销 undoing", found.created_count + found.updated_count, until="undone")
        _tell(_now(engine, import_id), as_json=as_json)
