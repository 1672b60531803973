"""A form and the project's entity lists."""

from __future__ import annotations

from typing import Any

from flask import Response

from server import problems
from server.forms.list_differences import ListDifference, list_differences
from server.forms.reading import find_readable
from server.http.credentials import authenticate
from server.http.json_answers import answer_json
from server.http.parts import parts
from server.rest import blueprint
from server.transactions import transaction

_FORM = "/projects/<int:project_id>/forms/<form_id>"


def _shape(difference: ListDifference, *, draft: bool) -> dict[str, Any]:
    """What is new is said of drafts alone."""
    properties = [
        {"name": name, **({"isNew": is_new} if draft else {}), "inForm": in_form} for name, is_new, in_form in difference.properties
    ]
    return {"name": difference.name, **({"isNew": difference.is_new} if draft else {}), "properties": properties}


@blueprint.get(f"{_FORM}/dataset-diff", defaults={"draft": False})
@blueprint.get(f"{_FORM}/draft/dataset-diff", defaults={"draft": True})
def get_dataset_diff(project_id: int, form_id: str, *, draft: bool) -> Response:
    """The entity lists that the form fills in; of a draft, with what publishing it makes."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        row = find_readable(session, actor, project_id, form_id, draft=draft)
        if row.version is None or (row.version.published_at is None and not draft):
            raise problems.not_found()
        found = list_differences(session, actor, row.form, row.version)
    return answer_json([_shape(difference, draft=draft) for difference in found])
