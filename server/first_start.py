"""The first start on an empty data directory: schema, secret, administrator, project 1 with its forms, one phone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from sqlalchemy import Engine, exists, select, text
from sqlalchemy.orm import Session

from server.access.accounts import assign_role, create_user
from server.access.actor import Actor, system_actor
from server.access.phones import PhoneAccess, create_phone, list_phones
from server.access.sealed import open_server_database
from server.access.secret_key import read_secret_key
from server.access.secrets import Secrets, new_password
from server.forms.catalogue_file import shipped_catalogue
from server.forms.compile import compile_xlsform
from server.forms.drafts import put_attachment, save_draft
from server.forms.fields import read_form_definition
from server.forms.publish import publish_draft
from server.model import Project
from server.model.revision import prepare_schema
from server.settings import Settings
from server.storage import Storage, open_storage
from server.transactions import transaction

PROJECT_NAME = "海晏县民政"


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What the console says: the first password only once, the first phone each time."""

    admin_email: str
    new_password: str | None
    phone: PhoneAccess | None


def start(settings: Settings, *, with_forms: bool = True) -> FirstStart:
    """The database is at this program's schema, and set up if it was empty. Raises: schema_is_newer."""
    Path(settings.data).mkdir(parents=True, exist_ok=True)
    engine = open_server_database(settings, pool_size=2)
    try:
        prepare_schema(engine)
        secrets = Secrets(read_secret_key(settings))
        with transaction(engine) as session:
            if session.scalar(select(exists().select_from(Project))):
                phones = list_phones(session, system_actor(), 1, secrets=secrets, limit=1)
                return FirstStart(settings.admin_email, None, phones[0] if phones else None)
        return _set_up(engine, settings, secrets, with_forms=with_forms)
    finally:
        engine.dispose()


def _set_up(engine: Engine, settings: Settings, secrets: Secrets, *, with_forms: bool) -> FirstStart:
    actor = system_actor("first start")
    storage = open_storage(settings.blob_storage, settings.s3_endpoint, engine)
    compiled = _compile_all() if with_forms else []
    password = settings.admin_password or new_password(14)
    with transaction(engine, write=True) as session:
        # Two first starts on one PostgreSQL: the second finds the first one's work.
        if engine.dialect.name == "postgresql":
            session.execute(text("SELECT pg_advisory_xact_lock(5274625)"))
        if session.scalar(select(exists().select_from(Project))):
            return FirstStart(settings.admin_email, None, None)
        session.add(Project(name=PROJECT_NAME, created_at=datetime.now(UTC)))
        session.flush()
        user_id = create_user(session, actor, email=settings.admin_email, password=password, name="管理员", password_rounds=settings.password_rounds)
        assign_role(session, actor, user_id, "admin")
        for folder, xform, content in compiled:
            _publish(session, actor, storage, folder, xform, content)
        phone = create_phone(session, actor, 1, name="示例手机", division=None, secrets=secrets)
    return FirstStart(settings.admin_email, password, phone)


def form_folders() -> list[Traversable]:
    """The folders of `xlsforms/` that the shipped catalogue names, in its order."""
    folders = (resources.files("xlsforms") / form.form_id for form in shipped_catalogue().forms)
    return [folder for folder in folders if folder.joinpath("form.xlsx").is_file()]


def _compile_all() -> list[tuple[Traversable, bytes, bytes]]:
    # They ship tested with ODK Validate; here only pyxform compiles them, so that the first start takes seconds.
    found = []
    for folder in form_folders():
        content = folder.joinpath("form.xlsx").read_bytes()
        found.append((folder, compile_xlsform(content, file_name=f"{folder.name}.xlsx", validate=False).xform, content))
    return found


def _publish(session: Session, actor: Actor, storage: Storage, folder: Traversable, xform: bytes, content: bytes) -> None:
    form = save_draft(session, actor, 1, xform=xform, definition=read_form_definition(xform), xlsx=storage.keep_bytes(content))
    media = folder.joinpath("media")
    declared = {name for name, _kind in read_form_definition(xform).attachments}
    for file in media.iterdir() if media.is_dir() else ():
        if file.name in declared:
            put_attachment(session, actor, form, file.name, storage.keep_bytes(file.read_bytes()))
    publish_draft(session, actor, form)
