"""submissions.csv and submissions.csv.zip: a form's tables, its submissions' files and what phones logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, and_, func, or_, select, true
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, visible
from server.access.audit import record_audit
from server.exports.client_audits import HEADER, read_events
from server.exports.csv_tables import ROOT_TAIL, CsvLines, Layout, RepeatTable, add_lines, add_rows, lay_out
from server.exports.decrypt import Decryptor, open_decryptor
from server.exports.encrypted_rows import EncryptedRows
from server.exports.file_names import safe_name
from server.exports.json_paths import text_answer
from server.exports.rows import Row, Selection, attachment_counts, read_rows, select_by, selection_etag, version_names
from server.exports.sources import Source, open_source, with_former_fields
from server.exports.tables import Path
from server.exports.zip_stream import Spooled, ZipStream
from server.forms.definitions import form_definition
from server.forms.fields import FormDefinition
from server.model import Attachment, FormVersion, Submission, SubmissionVersion
from server.storage import Storage
from server.transactions import transaction

_S: Any = Submission.__table__
_V: Any = SubmissionVersion.__table__
_F: Any = Attachment.__table__
_BOM = b"\xef\xbb\xbf"
_MOST_VALUES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """ODK Central's options by its names; `for_spreadsheets`: a byte-order mark first, and no cell that runs as a formula."""

    filter_text: str | None = None
    group_paths: bool = True
    deleted_fields: bool = False
    split_selects: bool = False
    for_spreadsheets: bool = False


@dataclass(frozen=True, slots=True)
class CsvExport:
    """An export that was allowed and can begin. `etag` changes with what it would hold."""

    source: Source
    selection: Selection
    options: CsvOptions
    decryptor: Decryptor
    etag: str

    @property
    def file_name(self) -> str:
        """The form's ID as a file name, without an ending."""
        return safe_name(self.source.form.form_id)


def prepare_csv(
    session: Session, actor: Actor, project_id: int, form_id: str, *, options: CsvOptions, passphrases: Mapping[int, str], is_draft: bool = False
) -> CsvExport:
    """The export of a form's submissions. Raises: not_found, insufficient_rights, undecryptable, those of the filter."""
    source = open_source(session, actor, project_id, form_id, is_draft=is_draft)
    if options.deleted_fields and not is_draft:
        source = with_former_fields(session, source)
    selection = select_by(session, source, filter_text=options.filter_text)
    decryptor = open_decryptor(session, passphrases)
    etag = selection_etag(session, source, selection, options, sorted(passphrases))
    return CsvExport(source, _of_keys(selection, decryptor, asked=bool(passphrases)), options, decryptor, etag)


def record_export(session: Session, source: Source) -> None:
    """The audit log says who took the form's submissions out, and that ID numbers were among them. Drafts' are nobody's."""
    if source.is_draft:
        return
    place = {"project_id": source.form.project_id, "form_pk": source.form.id}
    record_audit(session, source.actor, "form.submission.export", **place)
    if not source.hidden and any(field.sensitive for field in source.fields):
        record_audit(session, source.actor, "submission.unmask", **place, what="export")


def _of_keys(selection: Selection, decryptor: Decryptor, *, asked: bool) -> Selection:
    """With passphrases given, what other keys encrypted is left out."""
    if not asked:
        return selection
    versions: Any = FormVersion.__table__
    keyless = select(versions.c.id).where(or_(versions.c.key_id.is_(None), versions.c.key_id.in_(decryptor.keys)))
    condition = _V.c.form_version_id.in_(keyless)
    return Selection(condition if selection.condition is None else and_(selection.condition, condition), says_deleted=selection.says_deleted,
                     is_scan=selection.is_scan)  # fmt: skip


def root_csv(export: CsvExport, engine: Engine, storage: Storage) -> Iterator[bytes]:
    """submissions.csv: the submissions' own table."""
    with transaction(engine) as session:
        yield from _Writing(session, export, storage).root_lines(with_repeats=False)


def csv_zip(export: CsvExport, engine: Engine, storage: Storage, *, with_files: bool) -> Iterator[bytes]:
    """submissions.csv.zip: the submissions' table, one of each repeat; `with_files` the media and the phones' log too."""
    archive, spooled = ZipStream(), []
    try:
        with transaction(engine) as session:
            writing = _Writing(session, export, storage)
            name = export.file_name
            names = _repeat_names(name, writing.layout.repeats)
            spooled = [Spooled(one) for one in names]
            writing.spools = dict(zip((table.path for table in writing.layout.repeats), spooled, strict=True))
            yield from archive.add(f"{name}.csv", writing.root_lines(with_repeats=True))
            for file in spooled:
                yield from archive.add_spooled(file)
            if with_files:
                for media_name, content in writing.media():
                    yield from archive.add(media_name, content)
                yield from writing.merged_audits(archive)
        yield archive.end()
    finally:
        for file in spooled:
            file.close()


def _repeat_names(form_name: str, repeats: list[RepeatTable]) -> list[str]:
    """Repeats of one name are told apart by ~1, ~2 in the form's order."""
    names = [table.name for table in repeats]
    counts: dict[str, int] = {}
    found = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        found.append(safe_name(f"{form_name}-{name}~{counts[name]}.csv" if names.count(name) > 1 else f"{form_name}-{name}.csv"))
    return found


class _Writing:
    """One export under way, in one read transaction."""

    def __init__(self, session: Session, export: CsvExport, storage: Storage) -> None:
        self._session, self._export, self._storage = session, export, storage
        self._source, self._selection, self._options = export.source, export.selection, export.options
        self._versions = version_names(session, export.source)
        self._logs = any(_logs(form_definition(session, version_id)) for version_id in self._versions)
        self._encrypted = EncryptedRows(session, export.source, storage, export.decryptor)
        choices = self._choices() if export.options.split_selects else {}
        self.layout: Layout = lay_out(export.source, group_paths=export.options.group_paths, choices=choices)
        self.spools: dict[Path, Spooled] = {}

    def root_lines(self, *, with_repeats: bool) -> Iterator[bytes]:
        """The root table's bytes; the repeats' lines go to their spools meanwhile."""
        layout, lines = self.layout, CsvLines(for_spreadsheets=self._options.for_spreadsheets)
        tables = layout.repeats if with_repeats else []
        bom = _BOM if self._options.for_spreadsheets else b""
        for table in tables:
            self.spools[table.path].write(bom + lines.encode([[*table.columns.header, "PARENT_KEY", "KEY"]]))
        header = bom + lines.encode([["SubmissionDate", *layout.root.header, *ROOT_TAIL]])
        blank = [0 if "/" in title else None for title in layout.root.header]
        read, cells, inner = layout.reader.read, layout.root.cells, layout.inner if with_repeats else []
        # Cells that a spreadsheet would run are changed one by one, in rows of cells.
        add = add_rows if self._options.for_spreadsheets else add_lines
        for chunk in read_rows(self._session, self._source, self._selection, as_text=True):
            rows = []
            for row in chunk:
                answers, status = (row.answers, None) if row.xml is None else self._encrypted.read(row)
                if answers is None:
                    rows.append([row.received_at, *blank, *self._tail(row, status)])
                    continue
                typed = read(answers)
                rows.append([row.received_at, *cells(typed), *self._tail(row, status)])
                if inner:
                    add(typed, row.instance_id, inner)
            yield header + lines.encode(rows)
            header = b""
            for table in tables:
                if table.rows:
                    self.spools[table.path].write(lines.encode(table.rows))
                    table.rows.clear()
                elif table.waiting.rows:
                    self.spools[table.path].write(lines.encode_waiting(table))
        if header:
            yield header

    def _tail(self, row: Row, status: str | None) -> tuple[Any, ...]:
        present, expected = attachment_counts(row)
        return (
            row.instance_id, row.submitter_id, row.submitter, present, expected, status, row.review_state, row.device_id, row.edits,
            self._versions.get(row.form_version),
        )  # fmt: skip

    def _choices(self) -> dict[Path, tuple[str, ...]]:
        """The values that were chosen anywhere, by question: at most so many of each."""
        asked = [field.path for field in self._source.fields if field.kind == "select" and field.path not in self._source.hidden]
        found: dict[Path, set[str]] = {path: set() for path in asked}
        seen: dict[Path, set[str]] = {path: set() for path in asked}
        for chunk in read_rows(self._session, self._source, self._selection) if asked else ():
            for row in chunk:
                for path in asked:
                    _collect(row.answers, path, seen[path], found[path])
        return {path: tuple(sorted(values)[:_MOST_VALUES]) for path, values in found.items()}

    def media(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Name in the archive and content of each file that is here, encrypted ones where their key was opened."""
        for row in self._files(is_audit=False):
            name = row.name
            if row.is_encrypted:
                content = self._encrypted.open_file(row.version_id, row.instance_id, name, row.blob_sha256)
                name = name[:-4] if name.lower().endswith(".enc") else name
            else:
                content = self._storage.open(row.blob_sha256)
            if content is not None:
                yield f"media/{safe_name(name)}", content

    def merged_audits(self, archive: ZipStream) -> Iterator[bytes]:
        """`Form - audit.csv`, if any phone logged anything."""
        if not self._logs:
            return
        rows = self._files(is_audit=True)
        first = next(rows, None)
        if first is not None:
            yield from archive.add(safe_name(f"{self._source.form.form_id} - audit.csv"), self._audit_lines(first, rows))

    def _audit_lines(self, first: Any, rest: Iterator[Any]) -> Iterator[bytes]:
        lines = CsvLines(for_spreadsheets=self._options.for_spreadsheets)
        yield lines.encode([["instance ID", *HEADER]])
        for row in _with_first(first, rest):
            content: Iterator[bytes] | None
            if row.is_encrypted:
                content = self._encrypted.open_file(row.version_id, row.instance_id, row.name, row.blob_sha256)
            else:
                content = self._storage.open(row.blob_sha256)
            if content is not None:
                yield lines.encode([row.instance_id, *event] for event in read_events(content))

    def _files(self, *, is_audit: bool) -> Iterator[Any]:
        """Files that are here, of the selected submissions' current versions, in the order the versions came.

        Which of them phones logged is asked only of forms that let them: it looks into every submission's answers.
        """
        dialect = self._session.get_bind().dialect.name
        audit = or_(
            and_(_V.c.is_encrypted.is_(False), func.coalesce(text_answer(dialect, ("meta", "audit")), "") == _F.c.name),
            and_(_V.c.is_encrypted, _F.c.name == "audit.csv.enc"),
        )
        statement = (
            select(_F.c.name, _F.c.blob_sha256, _F.c.version_id, _S.c.instance_id, _V.c.is_encrypted)
            .select_from(_S.join(_V, and_(_V.c.project_id == _S.c.project_id, _V.c.id == _S.c.current_version_id))
                         .join(_F, and_(_F.c.project_id == _V.c.project_id, _F.c.version_id == _V.c.id)))
            .where(_S.c.project_id == self._source.form.project_id, _S.c.form_pk == self._source.form.id, _S.c.is_draft.is_(self._source.is_draft),
                   _S.c.deleted_at.is_(None), _F.c.blob_sha256.is_not(None), audit if is_audit else ~audit if self._logs else true())
            .order_by(_V.c.received_at, _V.c.id, _F.c.name)
        )  # fmt: skip
        if self._selection.condition is not None:
            statement = statement.where(self._selection.condition)
        statement = visible(statement, self._source.actor, "submission.read", Submission)
        result = self._session.connection().execute(statement, execution_options={"stream_results": True, "yield_per": 200})
        try:
            yield from result
        finally:
            result.close()


def _logs(definition: FormDefinition) -> bool:
    return any(asked.path == ("meta", "audit") for asked in definition.fields)


def _with_first(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _collect(node: Any, path: Path, seen: set[str], found: set[str]) -> None:
    if node.__class__ is list:
        for row in node:
            _collect(row, path, seen, found)
    elif path:
        if node.__class__ is dict:
            _collect(node.get(path[0]), path[1:], seen, found)
    elif node.__class__ is str and node not in seen and len(seen) < _MOST_VALUES * 20:
        seen.add(node)
        found.update(node.split())


def passphrases_of(given: Mapping[str, Any]) -> dict[int, str]:
    """Passphrases by key id, from parameters named by numbers. Raises: undecryptable (one that is no text)."""
    found = {int(name): value for name, value in given.items() if name.isascii() and name.isdigit() and len(name) < 10}
    if not all(isinstance(value, str) and len(value) < 10_000 for value in found.values()):
        raise problems.undecryptable()
    return found
