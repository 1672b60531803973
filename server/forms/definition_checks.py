"""What a new definition of a form must not do: change the type of a question, lose its meta group, end its ID as a file name."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from server import problems
from server.forms.definitions import form_definition
from server.forms.entity_checks import check_entities, old_version_warning
from server.forms.fields import Field, FormDefinition, Path
from server.forms.trash import in_trash
from server.model import Form, FormVersion

_FILE_NAME = re.compile(r"\.(xlsx?|xml)$")
_MOST_VERSIONS = 200
_MOST_ID = 64
_MOST_NAME = 255
_MOST_TITLE = 1000


def check_definition(session: Session, form: Form | None, definition: FormDefinition) -> None:
    """Raises: unexpected_value (the form's ID), missing_meta, field_type_conflict, invalid_entity_form."""
    if _FILE_NAME.search(definition.form_id):
        raise problems.unexpected_value("formId", definition.form_id, "The Form ID cannot end in .xls, .xlsx, or .xml.")
    if form is not None and form.form_id != definition.form_id:
        raise problems.unexpected_value("xmlFormId", definition.form_id, "does not match the form you are updating")
    if form is None and len(definition.form_id) > _MOST_ID:
        raise problems.value_too_long("formId", _MOST_ID)
    # Forms from before this was asked may go on without.
    if form is None and not any(field.path[:1] == ("meta",) and len(field.path) > 1 for field in definition.fields):
        raise problems.missing_meta()
    _check_types(_published(session, form), definition)
    check_entities(definition)


def check_sizes(definition: FormDefinition) -> None:
    """What the tables can hold. Raises: value_too_long."""
    if len(definition.version) > _MOST_NAME:
        raise problems.value_too_long("version", _MOST_NAME)
    if len(definition.title) > _MOST_TITLE:
        raise problems.value_too_long("title", _MOST_TITLE)
    if any(len(name) > _MOST_NAME for name, _kind in definition.attachments):
        raise problems.value_too_long("attachment name", _MOST_NAME)


def _check_types(published: list[FormDefinition], definition: FormDefinition) -> None:
    """Answers of a type keep it, or become text; of several earlier types the newest counts. Raises: field_type_conflict."""
    known: dict[Path, Field] = {}
    for earlier in reversed(published):
        known.update({field.path: field for field in earlier.fields})
    for field in definition.fields:
        before = known.get(field.path, field)
        old = before.told_type
        # A definition stored before types were declared can only be compared by kind.
        new = field.told_type if before.declared else replace(field, declared="").told_type
        # Any answer can be read as text, so a question may always become one; a group or a repeat is no answer.
        if old != new and (new != "string" or old in {"structure", "repeat"}):
            raise problems.field_type_conflict("/" + "/".join(field.path), old)


def _published(session: Session, form: Form | None) -> list[FormDefinition]:
    if form is None:
        return []
    statement = select(FormVersion.id).where(FormVersion.form_pk == form.id, FormVersion.published_at.is_not(None))
    return [form_definition(session, key) for key in session.scalars(statement.order_by(FormVersion.published_at.desc()).limit(_MOST_VERSIONS))]


def check_warnings(session: Session, project_id: int, form: Form | None, definition: FormDefinition, compiled: list[dict[str, Any]]) -> None:
    """`compiled`: the compiler's warnings. Raises: form_warnings, with those and our own."""
    workflow = old_version_warning(definition)
    if form is None and _was_deleted(session, project_id, definition.form_id):
        workflow.append({"type": "deletedFormExists", "details": {"xmlFormId": definition.form_id}})
    if form is not None and form.current_version_id is not None:
        current = form_definition(session, form.current_version_id)
        there = {field.path for field in definition.fields}
        removed = [field.name for field in current.fields if field.path not in there and not _is_of_an_entity(field.path)]
        if removed:
            workflow.append({"type": "structureChanged", "details": removed})
    if workflow or compiled:
        found: dict[str, Any] = {}
        if compiled:
            found["xlsFormWarnings"] = [warning["en"] for warning in compiled]
        if workflow:
            found["workflowWarnings"] = workflow
        raise problems.form_warnings(found)


def _is_of_an_entity(path: Path) -> bool:
    """A declaration's own nodes: no answers are lost with them."""
    return path[-1:] == ("meta",) or ("meta" in path and path[path.index("meta") + 1 :][:1] == ("entity",))


def _was_deleted(session: Session, project_id: int, form_id: str) -> bool:
    return bool(session.scalar(select(exists().where(Form.project_id == project_id, Form.form_id == form_id, in_trash()))))
