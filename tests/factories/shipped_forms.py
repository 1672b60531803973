"""The forms that the county starts with, compiled once, and published as the first start does."""

from __future__ import annotations

import atexit
import fcntl
import os
import pickle
import shutil
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path

from server.forms.compile import CompiledForm, compile_xlsform
from server.forms.drafts import put_attachment, save_draft
from server.forms.fields import read_form_definition
from server.forms.publish import publish_draft
from server.transactions import transaction
from tests.actors.house import House

FORMS = ("household_register", "household_verification", "wubao_visit", "orphan_visit", "disaster_report", "community_review", "relief_distribution", "relief_stock")


@cache
def compiled(form_id: str) -> CompiledForm:
    """By pyxform and ODK Validate, once for all workers of a run."""
    content = (files("xlsforms") / form_id / "form.xlsx").read_bytes()
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None:
        return compile_xlsform(content)
    folder = Path(tempfile.gettempdir()) / f"minqing-forms-{run}"
    folder.mkdir(exist_ok=True)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with (folder / form_id).open("ab+") as kept:
        # The first worker compiles, the others wait.
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        if found := kept.read():
            return pickle.loads(found)  # type: ignore[no-any-return]
        made = compile_xlsform(content)
        kept.write(pickle.dumps(made))
        return made


def xform(form_id: str) -> bytes:
    return compiled(form_id).xform


def publish_shipped(house: House, form_id: str) -> None:
    """The form with its own media, in project 1."""
    content = (files("xlsforms") / form_id / "media" / "divisions.csv").read_bytes()
    blob = house.storage.keep_bytes(content)
    with transaction(house.engine, write=True) as session:
        form = save_draft(session, house.admin, 1, xform=xform(form_id), definition=read_form_definition(xform(form_id)))
        put_attachment(session, house.admin, form, "divisions.csv", blob)
        publish_draft(session, house.admin, form)
