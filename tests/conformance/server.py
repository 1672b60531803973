"""minqing with the fixtures that ODK Central's API tests begin each test with: `python -m tests.conformance.server --port 8380 ...`.

POST /__reset puts back a prepared database; POST /__exhaust waits for background work. Neither address is in the product.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Response, request
from granian.constants import Interfaces
from granian.server.embed import Server
from sqlalchemy import select

from server.access.accounts import assign_role, create_user
from server.access.actor import system_actor
from server.access.sealed import open_server_database
from server.app import create_app
from server.forms.compile import CompiledForm
from server.forms.definitions import forget_definitions
from server.forms.drafts import save_draft
from server.forms.fields import read_form_definition
from server.forms.publish import publish_draft
from server.model import ActorRow, Project
from server.model.revision import prepare_schema
from server.rest import forms as rest_forms
from server.serving import Gateway
from server.settings import Settings
from server.submissions.known_forms import forget_forms
from server.transactions import transaction

PEOPLE = ("Alice", "Bob", "Chelsea")


def people_passwords(central: Path) -> dict[str, str]:
    """The three users' passwords, from the checkout's own test data."""
    text = (central / "test/util/passwords.js").read_text()
    return dict(re.findall(r"const password4(\w+) *= '([^']+)'", text))


def form_sources(central: Path) -> list[bytes]:
    """The XForms `simple` and `withrepeat` of the checkout's test data."""
    text = (central / "test/data/xml.js").read_text()
    return [_template(text, name).encode() for name in ("simple", "withrepeat")]


def _template(text: str, name: str) -> str:
    forms = text[text.index("forms: {") :]
    found = re.search(rf"\b{name}: `(.*?)`", forms, re.DOTALL)
    if found is None:
        raise ValueError(name)
    return found[1]


def use_their_converter(central: Path) -> None:
    """Those tests never convert a workbook: theirs stands for the XForm `simple2`, whatever is in it."""
    compiled = CompiledForm(_template((central / "test/data/xml.js").read_text(), "simple2").encode(), (), None)
    rest_forms.compile_xlsform = lambda *_content, **_options: compiled  # type: ignore[assignment]


def prepare(settings: Settings, central: Path) -> None:
    """The database with users, project and forms."""
    engine = open_server_database(settings)
    prepare_schema(engine)
    actor = system_actor()
    passwords = people_passwords(central)
    with transaction(engine, write=True) as session:
        session.add(Project(name="Default Project", created_at=datetime.now(UTC)))
        session.flush()
        # Alice is actor 5 there.
        now = datetime.now(UTC)
        session.add_all(ActorRow(kind="system", display_name="-", created_at=now, deleted_at=now) for _ in range(4))
        session.flush()
        ids = [
            create_user(session, actor, email=f"{name.lower()}@getodk.org", password=passwords[name.lower()], name=name, password_rounds=1)
            for name in PEOPLE
        ]
        assign_role(session, actor, ids[0], "admin")
        assign_role(session, actor, ids[1], "manager", 1)
        for xform in form_sources(central):
            form = save_draft(session, actor, 1, xform=xform, definition=read_form_definition(xform))
            publish_draft(session, actor, form)
        assert session.scalar(select(Project.id)) == 1
        for table in ("changes", "audit_entries"):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")
    engine.dispose()


class Resetting:
    """The gateway, stopped while the database's file is put back."""

    def __init__(self, settings: Settings, central: Path) -> None:
        prepare(settings, central)
        self.app = create_app(settings)
        self.engine = self.app.extensions["minqing"].engine
        self.path = Path(str(self.engine.url.database))
        with sqlite3.connect(self.path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.engine.dispose()
        self.kept = self.path.with_suffix(".kept")
        shutil.copy(self.path, self.kept)
        self.lock = threading.Lock()
        self.app.add_url_rule("/__reset", view_func=self.reset, methods=["POST"])
        self.app.add_url_rule("/__exhaust", view_func=lambda: Response(status=200), methods=["POST"])

    def reset(self) -> Response:
        with self.lock, sqlite3.connect(self.path, timeout=20, isolation_level=None) as target, sqlite3.connect(self.kept) as kept:
            kept.backup(target)
        parts: Any = self.app.extensions["minqing"]
        for name in ("phones_seen", "known_phones"):
            getattr(parts, name).clear()
        forget_definitions(self.engine)
        forget_forms(self.engine)
        return Response(status=200)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=8380)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--central", type=Path, required=True)
    given = options.parse_args()
    settings = Settings(data=given.data, secret_key="conformance", password_rounds=1, base_url="http://localhost:8989")
    use_their_converter(given.central)
    served = Resetting(settings, given.central)
    gateway = Gateway(served.app, max_body_bytes=settings.max_body_bytes, threads=1)
    import asyncio

    asyncio.run(Server(gateway, address="127.0.0.1", port=given.port, interface=Interfaces.ASGI).serve())


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    assert request is not None
    main()
