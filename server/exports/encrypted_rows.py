"""Answers and files of encrypted submissions, where their key was opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.exports.decrypt import Decryptor, Manifest, read_manifest
from server.exports.rows import Row
from server.exports.sources import Source
from server.forms.definitions import form_definition
from server.model import Attachment, FormVersion, SubmissionVersion
from server.problems import Problem
from server.storage import Storage
from server.submissions.answers import Shape, read_answers, shape_of
from server.submissions.envelope import parse_xml

MISSING, CLOSED = "missing encrypted form data", "not decrypted"
_MOST_XML = 10_000_000


class EncryptedRows:
    """Reads them in the session's transaction."""

    def __init__(self, session: Session, source: Source, storage: Storage, decryptor: Decryptor) -> None:
        self._session, self._source, self._storage, self._decryptor = session, source, storage, decryptor
        self._key_ids: dict[int, int | None] = {}
        self._shapes: dict[int, Shape] = {}
        self._manifest: tuple[int, Manifest | None, int] = (0, None, 0)

    def has_data(self, row: Row) -> bool:
        """Whether the file with the encrypted answers is here."""
        manifest = read_manifest(row.xml or b"")
        return manifest is not None and self._blob(row.version_id, manifest.xml_file) is not None

    def read(self, row: Row) -> tuple[dict[str, Any] | None, str | None]:
        """The answers, or None with the status that says why not."""
        manifest = read_manifest(row.xml or b"")
        blob = self._blob(row.version_id, manifest.xml_file) if manifest is not None else None
        if manifest is None or blob is None:
            return None, MISSING
        form_version_id, key_id = self._key_of(row.version_id)
        if key_id not in self._decryptor.keys:
            return None, CLOSED
        # One damaged submission must not keep the others from anyone.
        try:
            xml = b"".join(self._decryptor.open_file(key_id, manifest, row.instance_id, manifest.xml_file, self._storage.open(blob)))
            return read_answers(parse_xml(xml[:_MOST_XML]), self._shape(form_version_id), row.instance_id), None
        except Problem:
            return None, CLOSED

    def open_file(self, version_id: int, instance_id: str, name: str, blob_sha256: str) -> Iterator[bytes] | None:
        """A file's plain bytes; None where its key was not opened or is damaged, and for the encrypted answers themselves."""
        _form_version_id, key_id = self._key_of(version_id)
        if key_id not in self._decryptor.keys:
            return None
        if self._manifest[0] != version_id:
            xml = self._session.scalar(select(SubmissionVersion.xml).where(SubmissionVersion.project_id == self._source.form.project_id, SubmissionVersion.id == version_id))
            self._manifest = (version_id, read_manifest(bytes(xml or b"")), 0)
        manifest = self._manifest[1]
        if manifest is None or name == manifest.xml_file or name not in manifest.files:
            return None
        try:
            return self._decryptor.open_file(key_id, manifest, instance_id, name, self._storage.open(blob_sha256), is_strict=False)
        except Problem:
            return None

    def _blob(self, version_id: int, name: str) -> str | None:
        return self._session.scalar(
            select(Attachment.blob_sha256).where(Attachment.project_id == self._source.form.project_id, Attachment.version_id == version_id, Attachment.name == name)
        )

    def _key_of(self, version_id: int) -> tuple[int, int | None]:
        form_version_id = self._session.scalar(
            select(SubmissionVersion.form_version_id).where(SubmissionVersion.project_id == self._source.form.project_id, SubmissionVersion.id == version_id)
        )
        if form_version_id is None:
            return 0, None
        if form_version_id not in self._key_ids:
            self._key_ids[form_version_id] = self._session.scalar(select(FormVersion.key_id).where(FormVersion.id == form_version_id))
        return form_version_id, self._key_ids[form_version_id]

    def _shape(self, form_version_id: int) -> Shape:
        if form_version_id not in self._shapes:
            self._shapes[form_version_id] = shape_of(form_definition(self._session, form_version_id), None)
        return self._shapes[form_version_id]
