"""The forms that the county starts with, compiled once, and published as the first start does."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from server.forms.compile import CompiledForm, compile_xlsform
from server.forms.drafts import put_attachment, save_draft
from server.forms.fields import read_form_definition
from server.forms.publish import publish_draft
from server.transactions import transaction
from tests.actors.house import House

FORMS = ("household_register", "household_verification", "wubao_visit", "orphan_visit", "disaster_report", "community_review", "relief_distribution", "relief_stock")


@cache
def compiled(form_id: str) -> CompiledForm:
    return compile_xlsform((files("xlsforms") / form_id / "form.xlsx").read_bytes())


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
