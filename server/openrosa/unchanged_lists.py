"""A phone that asks whether its entity list has changed, on the shortest way: three small reads, past the web framework.

Each phone asks this of each list at each look, and the answer is nearly always no. Whatever is not plainly that is left to
the views.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from email.utils import formatdate
from typing import Any

from server.access.actor import Actor, Place
from server.access.phones import find_phone_by_driver
from server.direct import DirectWriter
from server.entities.lists import LIST_LIMIT
from server.entities.sums import list_digest, sums_by_driver
from server.http.credentials import note_phone
from server.http.parts import Parts
from server.problems import Problem
from server.transactions import Statement

# A name that needs no escape in the answer's header.
_PATH = re.compile(r"/v1/key/([A-Za-z0-9!$_-]{64})/projects/([1-9]\d{0,8})/forms/([^/]{1,500})/attachments/([\w.-]{1,255}\.csv)", re.ASCII)
_TAG = re.compile(rb'(?:W/)?"([0-9a-f]{32})"')
_LIST = Statement(
    "SELECT f.id, f.state, l.id, l.owner_only OR l.access_rules IS NOT NULL, p.name FROM forms f"
    " JOIN form_attachments a ON a.form_version_id = f.current_version_id AND a.name = :name AND a.blob_sha256 IS NULL"
    " JOIN entity_lists l ON l.id = a.list_id LEFT JOIN entity_properties p ON p.list_id = l.id"
    f" WHERE f.project_id = :project_id AND f.form_id = :form_id AND f.deleted_at IS NULL ORDER BY p.id LIMIT {LIST_LIMIT}"
)


class UnchangedLists:
    """Answers for one app."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reader = DirectWriter(parts.engine)

    def headers(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]] | None:
        """The 304's, for a phone that has the list as it is; None if the views must see to it. `headers`: names in lower case."""
        if not path.startswith("/v1/key/") or (found := _PATH.fullmatch(path)) is None:
            return None
        asked = [value for name, value in headers if name == b"if-none-match"]
        tag = _TAG.fullmatch(asked[0]) if len(asked) == 1 else None
        if tag is None:
            return None
        digest = tag[1].decode()
        try:
            phone = self._reader.read(lambda cursor: self._phone_that_has(cursor, found, digest))
        except Problem:
            return None
        if phone is None:
            return None
        with suppress(Problem):
            note_phone(self._parts, phone.id)
        return _unchanged(found[4], digest)

    def _phone_that_has(self, cursor: Any, found: re.Match[str], digest: str) -> Actor | None:
        postgresql, project_id = self._reader.is_postgresql, int(found[2])
        phone = find_phone_by_driver(cursor, self._parts.secrets.lookup_key(found[1]), postgresql=postgresql)
        asked = {"project_id": project_id, "form_id": found[3], "name": found[4]}
        rows = _LIST.by_driver(cursor, asked, postgresql=postgresql).fetchall() if phone is not None and "\0" not in found[3] else []
        if phone is None or not rows:
            return None
        form_pk, state, list_id, is_restricted = rows[0][:4]
        can_read = phone.can("open_form.read", Place(project_id, form_pk)) and phone.can("dataset.download", Place(project_id))
        if is_restricted or state == "closed" or not can_read:
            return None
        properties = tuple(row[4] for row in rows if row[4] is not None)
        division = phone.division if "division" in properties else None
        # Read after the properties: what the phone has was all there is at the time when they were read, or it would have another sum.
        known = list_digest(list_id, properties, *sums_by_driver(cursor, list_id, division, postgresql=postgresql))
        return phone if known == digest else None


def _unchanged(name: str, digest: str) -> list[tuple[bytes, bytes]]:
    disposition = f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
    return [
        (b"content-disposition", disposition.encode()), (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"sandbox; default-src 'none'"), (b"cache-control", b"private, no-cache"),
        (b"vary", b"Authorization, Accept-Language"), (b"etag", f'"{digest}"'.encode()), (b"date", formatdate(usegmt=True).encode()),
    ]  # fmt: skip
