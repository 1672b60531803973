"""Comments on a submission."""

from __future__ import annotations

from flask import Response, redirect, request, url_for

from server.http.parts import parts
from server.submissions.comments import add_comment
from server.submissions.queries import find_submission
from server.transactions import transaction
from server.web import blueprint
from server.web.visitor import visitor


@blueprint.post("/projects/<int:project_id>/submissions/<int:submission_id>/comments")
def comment_on_submission(project_id: int, submission_id: int) -> Response:
    """The comment stands under the submission."""
    body = request.form.get("comment", "")
    with transaction(parts().engine, write=True) as session:
        found = find_submission(session, visitor().actor, project_id, submission_id)
        add_comment(session, visitor().actor, found, body=body)
    return redirect(url_for("web.show_submission", project_id=project_id, submission_id=submission_id), 303)  # type: ignore[return-value]
