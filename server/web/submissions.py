"""Submissions: the list with its filters, and one in full with its review."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, redirect, request, url_for

from server import problems
from server.access.actor import Place
from server.access.audit import record_audit
from server.forms.definitions import form_definition
from server.forms.queries import list_forms
from server.http.parts import parts
from server.model import Submission
from server.submissions import queries, review
from server.submissions.queries import LIST_LIMIT
from server.submissions.rule_check import violations_of
from server.transactions import transaction
from server.web import blueprint
from server.web.answers import broken_rules, places_of, shown_answers
from server.web.pages import LARGEST_NUMBER, number_argument, page
from server.web.showing import division_names, divisions_within, start_of_day
from server.web.visitor import language, visitor

_FILTERS = ("form", "division", "officer", "state", "from", "to", "broken")


def _filters() -> dict[str, Any]:
    given = request.args
    state = given.get("state")
    return {
        "form_pk": number_argument("form"),
        "division_prefix": given.get("division") or None,
        "submitter_id": number_argument("officer"),
        "review_state": state if state in set(review.ReviewState) else None,
        "received_from": start_of_day(given.get("from")),
        "received_to": start_of_day(given.get("to"), days_later=1),
        "breaks_rules": given.get("broken") == "yes",
    }


def _before() -> tuple[datetime, int] | None:
    at, _, last_id = request.args.get("before", "").partition(",")
    try:
        before = datetime.fromisoformat(at), int(last_id)
    except ValueError:
        return None
    return before if before[0].tzinfo and abs(before[1]) <= LARGEST_NUMBER else None


@blueprint.get("/projects/<int:project_id>/submissions")
def list_submissions(project_id: int) -> Response:
    """The newest first, 50 to a page, narrowed by whatever the address says."""
    actor, filters = visitor().actor, _filters()
    actor.require("submission.list", _some_place(project_id))
    with transaction(parts().engine) as session:
        rows = queries.list_submissions(session, actor, project_id, before=_before(), limit=LIST_LIMIT + 1, **filters)
        forms = list_forms(session, actor, project_id)
        officers = queries.list_submitters(session, actor, project_id)
    older = _list_address(project_id, rows[LIST_LIMIT - 1].submission) if len(rows) > LIST_LIMIT else None
    newest = _list_address(project_id, None) if "before" in request.args else None
    return page(
        "submissions.html", rows=rows[:LIST_LIMIT], forms=forms, officers=officers, divisions=divisions_within(actor), states=list(review.ReviewState),
        chosen=request.args, older=older, newest=newest,
    )  # fmt: skip


def _list_address(project_id: int, last: Submission | None) -> str:
    """The list with the same filters, from the row after `last`, or from the newest."""
    chosen = {name: request.args[name] for name in _FILTERS if request.args.get(name)}
    before = f"{last.received_at.isoformat()},{last.id}" if last is not None else None
    return url_for("web.list_submissions", project_id=project_id, before=before, **chosen)  # type: ignore[arg-type]


def _some_place(project_id: int) -> Place:
    """A form of the project on which the visitor has a right, else the project: rights may hold for one form only."""
    grants = visitor().actor.grants
    return Place(project_id, next((grant.form_pk for grant in grants if grant.project_id == project_id), None))


@blueprint.get("/projects/<int:project_id>/submissions/<int:submission_id>")
def show_submission(project_id: int, submission_id: int) -> Response:
    """One submission; of an earlier version, if `?version=` names it."""
    return _submission_page(project_id, submission_id, number_argument("version"))


@blueprint.post("/projects/<int:project_id>/submissions/<int:submission_id>/unmasked")
def unmask_submission(project_id: int, submission_id: int) -> Response:
    """The same with ID numbers in full; who looked, and why, is in the audit log."""
    actor, reason = visitor().actor, request.form.get("reason", "").strip()
    if not reason:
        raise problems.reason_missing()
    with transaction(parts().engine, write=True) as session:
        found = queries.find_submission(session, actor, project_id, submission_id)
        actor.require("person.unmask", found)
        record_audit(
            session, actor, "submission.unmask", project_id=project_id, form_pk=found.form_pk, submission_id=found.id, reason=reason[:500]
        )
    return _submission_page(project_id, submission_id, number_argument("version"), unmasked=True)


def _submission_page(project_id: int, submission_id: int, version_id: int | None, *, unmasked: bool = False) -> Response:
    actor, chosen = visitor().actor, language()
    with transaction(parts().engine) as session:
        detail = queries.get_submission(session, actor, project_id, submission_id, version_id=version_id, unmasked=unmasked)
        definition = form_definition(session, detail.shown.form_version_id)
        violations = violations_of(session, project_id, detail.shown.id)
        names = division_names() | queries.entity_names(session, actor, project_id, definition, detail.answers)
    answers = queries.answers_by_label(definition, detail.answers, chosen, names=names)
    files = {attachment.name: attachment for attachment in detail.attachments}
    return page(
        "submission.html", bounds=parts().settings.map_corners, detail=detail, submission=detail.submission, places=places_of(answers, unmasked=unmasked), files=files,
        answers=shown_answers(answers, files, unmasked=unmasked), unmasked=unmasked,
        broken=broken_rules(definition, violations, chosen),
        is_sensitive=any(field.sensitive for field in definition.fields),
        is_current=detail.shown.id == detail.submission.current_version_id,
        may_review=review.may_review(actor, detail.submission), is_final=review.is_final_reviewer(actor, detail.submission),
        may_comment=actor.can("submission.comment", detail.submission), may_unmask=actor.can("person.unmask", detail.submission),
    )  # fmt: skip


_DECISIONS = {"approve": review.approve, "send-back": review.send_back, "reject": review.reject}


@blueprint.post("/projects/<int:project_id>/submissions/<int:submission_id>/<any('approve', 'send-back', 'reject'):decision>")
def review_submission(project_id: int, submission_id: int, decision: str) -> Response:
    """The decision stands, on the version that was read."""
    actor, words = visitor().actor, request.form.get("reason", "")
    said = {"comment": words} if decision == "approve" else {"reason": words}
    with transaction(parts().engine, write=True) as session:
        found = queries.find_submission(session, actor, project_id, submission_id, verb="submission.review", lock=True)
        _DECISIONS[decision](session, actor, found, **said, seen_version_id=number_argument("version"))  # type: ignore[operator]
    return redirect(url_for("web.show_submission", project_id=project_id, submission_id=submission_id), 303)  # type: ignore[return-value]
