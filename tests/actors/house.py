"""A whole app with what a test needs to look inside: its database, its phones, its forms."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from server.access.actor import Actor, system_actor
from server.access.phones import PhoneAccess, create_phone
from server.app import create_app
from server.forms.drafts import put_attachment, save_draft
from server.forms.fields import read_form_definition
from server.forms.publish import publish_draft
from server.model import Attachment, EntityVersion, Form, Project, Submission, SubmissionVersion
from server.settings import Settings
from server.transactions import transaction
from tests.actors.phone import CollectPhone
from tests.factories.questionnaire import form_xml


class House:
    """The app, and the administrator who set it up."""

    def __init__(self, database_url: str, central_url: str, folder: Path) -> None:
        self.settings = Settings(
            data=folder, database_url=database_url, central_url=central_url, secret_key="a secret of the tests", password_rounds=1
        )
        self.app = create_app(self.settings)
        parts = self.app.extensions["minqing"]
        self.engine, self.storage, self.secrets = parts.engine, parts.storage, parts.secrets
        self.admin: Actor = system_actor("test")
        with transaction(self.engine, write=True) as session:
            session.add(Project(name="示例项目", created_at=datetime.now(UTC)))

    def close(self) -> None:
        self.engine.dispose()

    def publish(self, markdown: str, *, media: dict[str, bytes] | None = None, project_id: int = 1) -> str:
        """The form's ID, once it is published."""
        form = self.save_draft(markdown, media=media, project_id=project_id)
        with transaction(self.engine, write=True) as session:
            publish_draft(session, self.admin, session.get(Form, form.id))  # type: ignore[arg-type]
        return form.form_id

    def save_draft(self, markdown: str, *, media: dict[str, bytes] | None = None, project_id: int = 1) -> Form:
        xform = form_xml(markdown)
        kept = {name: self.storage.keep_bytes(content) for name, content in (media or {}).items()}
        with transaction(self.engine, write=True) as session:
            form = save_draft(session, self.admin, project_id, xform=xform, definition=read_form_definition(xform))
            for name, blob in kept.items():
                put_attachment(session, self.admin, form, name, blob)
        return form

    def new_phone(self, *, name: str = "达玉五谷村手机", division: str | None = None, project_id: int = 1) -> CollectPhone:
        """A phone as its QR code sets it up."""
        return CollectPhone(self.app.test_client(), self.phone_access(name=name, division=division, project_id=project_id))

    def phone_access(self, *, name: str = "手机", division: str | None = None, project_id: int = 1) -> PhoneAccess:
        with transaction(self.engine, write=True) as session:
            return create_phone(session, self.admin, project_id, name=name, division=division, secrets=self.secrets)

    def rows(self, table: Any, *conditions: Any) -> list[dict[str, Any]]:
        """All rows of a table, as dicts."""
        with transaction(self.engine) as session:
            found = session.execute(select(table.__table__).where(*conditions)).mappings()
            return [dict(row) for row in found]

    def said(self, *conditions: Any) -> dict[tuple[int, int], dict[str, Any]]:
        """What versions of entities say, by entity and version."""
        with transaction(self.engine) as session:
            return {(one.entity_id, one.version): one.received for one in session.scalars(select(EntityVersion).where(*conditions))}

    def stored_xml(self, instance_id: str) -> bytes:
        [row] = self.rows(SubmissionVersion, SubmissionVersion.instance_id == instance_id)
        return bytes(row["xml"])

    def count_submissions(self) -> int:
        return len(self.rows(Submission))

    def files_of(self, instance_id: str) -> dict[str, bytes | None]:
        """The version's expected and sent files by name; None where the bytes are not there."""
        [version] = self.rows(SubmissionVersion, SubmissionVersion.instance_id == instance_id)
        rows = self.rows(Attachment, Attachment.version_id == version["id"])
        return {row["name"]: b"".join(self.storage.open(row["blob_sha256"])) if row["blob_sha256"] else None for row in rows}
