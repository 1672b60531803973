"""What has arrived is checked against its form's own rules, soon after: older and tampered clients exist.

A broken rule never refuses a submission; it is kept in `rule_violations`, which staff see. What is encrypted cannot be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.orm import Session

from server.changes import last_position, read_changes, read_cursor, save_cursor
from server.forms.rules.check import check_rules
from server.forms.rules.known import form_rules
from server.model import RuleViolations, Submission, SubmissionVersion
from server.problems import Problem
from server.submissions.envelope import parse_xml
from server.transactions import transaction

CONSUMER = "rules"
_KINDS = {"submission.created", "submission.edited"}


def check_arrivals(engine: Engine, *, limit: int) -> int:
    """The next `limit` changes of the log are looked at; how many there were. Read first, written after: phones do not wait for the checking."""
    with transaction(engine) as session:
        changes = read_changes(session, read_cursor(session, CONSUMER), limit=limit)
        places = {(change.project_id, change.submission_id) for change in changes if change.kind in _KINDS}
        checked, broken = _check(session, sorted((project, one) for project, one in places if one is not None))
    if not changes:
        return 0
    with transaction(engine, write=True) as session:
        for project_id, version_id in checked:
            session.execute(delete(RuleViolations).where(RuleViolations.project_id == project_id, RuleViolations.version_id == version_id))
        if broken:
            session.connection().execute(insert(RuleViolations), broken)
        save_cursor(session, CONSUMER, changes[-1].position or 0)
    return len(changes)


def is_behind(session: Session) -> bool:
    """Changes wait to be looked at."""
    return last_position(session) > read_cursor(session, CONSUMER)


def _check(session: Session, places: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[dict[str, Any]]]:
    """(project, version) of earlier findings that no longer count, and rows of what the current versions break."""
    earlier: list[tuple[int, int]] = []
    broken: list[dict[str, Any]] = []
    for project_id, submission_id in places:
        statement = (
            select(SubmissionVersion.id, SubmissionVersion.form_version_id, SubmissionVersion.xml, SubmissionVersion.received_at)
            .join(Submission, (Submission.project_id == SubmissionVersion.project_id) & (Submission.current_version_id == SubmissionVersion.id))
            .where(Submission.project_id == project_id, Submission.id == submission_id, SubmissionVersion.is_encrypted.is_(False))
        )
        row = session.execute(statement).one_or_none()
        rules = form_rules(session, row.form_version_id) if row is not None else None
        if row is None or rules is None:
            continue
        known = select(RuleViolations.version_id).where(RuleViolations.project_id == project_id, RuleViolations.version_id == row.id)
        if session.scalar(known) is not None:
            earlier.append((project_id, row.id))
        try:
            found = check_rules(rules, parse_xml(bytes(row.xml)), received_at=row.received_at)
        except Problem:
            continue
        if found:
            broken.append({
                "project_id": project_id, "version_id": row.id, "submission_id": submission_id,
                "violations": [asdict(violation) for violation in found], "checked_at": datetime.now(UTC),
            })  # fmt: skip
    return earlier, broken


def violations_of(session: Session, project_id: int, version_id: int) -> list[dict[str, Any]]:
    """What the version breaks, in the form's order; whoever asks has found the submission before."""
    return session.scalar(select(RuleViolations.violations).where(RuleViolations.project_id == project_id, RuleViolations.version_id == version_id)) or []
