"""What has arrived is checked against its form's own rules, soon after: older and tampered clients exist.

A broken rule never refuses a submission; it is kept in `rule_violations`, which staff see. What is encrypted cannot be judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Engine, delete, insert, select, tuple_
from sqlalchemy.orm import Session

from server.changes import last_position, read_changes, read_cursor, save_cursor
from server.forms.rules.check import FormRules, Violation, check_rules
from server.forms.rules.known import form_rules
from server.model import RuleViolations, Submission, SubmissionVersion
from server.problems import Problem
from server.submissions.envelope import parse_xml
from server.submissions.stored_xml import sent_xml
from server.transactions import transaction

CONSUMER = "rules"
_KINDS = {"submission.created", "submission.edited"}


def check_arrivals(engine: Engine, *, limit: int) -> int:
    """The next `limit` changes of the log are looked at; how many there were. Read first, written after: phones do not wait for the checking."""
    with transaction(engine) as session:
        changes = read_changes(session, read_cursor(session, CONSUMER), limit=limit)
        places = {(change.project_id, change.submission_id) for change in changes if change.kind in _KINDS}
        earlier, broken = _check(session, sorted((project, one) for project, one in places if one is not None))
    if not changes:
        return 0
    with transaction(engine, write=True) as session:
        if earlier:
            session.execute(delete(RuleViolations).where(tuple_(RuleViolations.project_id, RuleViolations.version_id).in_(earlier)))
        if broken:
            session.connection().execute(insert(RuleViolations), broken)
        save_cursor(session, CONSUMER, changes[-1].position or 0)
    return len(changes)


def is_behind(session: Session) -> bool:
    """Changes wait to be looked at."""
    return last_position(session) > read_cursor(session, CONSUMER)


def _check(session: Session, places: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[dict[str, Any]]]:
    """(project, version) of earlier findings that no longer count, and rows of what the current versions break.

    Each table is read by its key alone: of a join, a database that has not yet counted a young table's rows makes a walk through all of it.
    """
    earlier: list[tuple[int, int]] = []
    broken: list[dict[str, Any]] = []
    for project_id, rows in groupby(places, key=itemgetter(0)):
        current = _current_versions(session, project_id, [submission_id for _project, submission_id in rows])
        known = select(RuleViolations.version_id).where(RuleViolations.project_id == project_id, RuleViolations.version_id.in_(list(current)))
        earlier += [(project_id, version_id) for version_id in session.scalars(known)]
        broken += _broken(session, project_id, current)
    return earlier, broken


def _current_versions(session: Session, project_id: int, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """(submission, form version) by the key of the submission's current version."""
    found = session.execute(
        select(Submission.current_version_id, Submission.id, Submission.form_version_id)
        .where(Submission.project_id == project_id, Submission.id.in_(ids))
    )  # fmt: skip
    return {version_id: (submission_id, form_version_id) for version_id, submission_id, form_version_id in found}


def _broken(session: Session, project_id: int, current: dict[int, tuple[int, int]]) -> Iterator[dict[str, Any]]:
    rules = {form_version_id: form_rules(session, form_version_id) for form_version_id in {version for _submission, version in current.values()}}
    # Most of the work is the XML: it is read of forms that have something to judge.
    judged = [version_id for version_id, (_submission, form_version_id) in current.items() if rules[form_version_id] is not None]
    if not judged:
        return
    version = SubmissionVersion
    read = select(version.id, version.xml, version.received_at).where(version.project_id == project_id, version.id.in_(judged), version.is_encrypted.is_(False))
    for version_id, xml, received_at in session.execute(read, execution_options={"yield_per": 20}):
        submission_id, form_version_id = current[version_id]
        found = _violations(rules[form_version_id], sent_xml(session, xml), received_at)
        if found:
            yield {
                "project_id": project_id, "version_id": version_id, "submission_id": submission_id,
                "violations": [asdict(violation) for violation in found], "checked_at": datetime.now(UTC),
            }  # fmt: skip


def _violations(rules: FormRules | None, xml: bytes, received_at: datetime) -> list[Violation]:
    try:
        return check_rules(rules, parse_xml(xml), received_at=received_at) if rules is not None else []
    except Problem:
        return []


def violations_of(session: Session, project_id: int, version_id: int) -> list[dict[str, Any]]:
    """What the version breaks, in the form's order; whoever asks has found the submission before."""
    return session.scalar(select(RuleViolations.violations).where(RuleViolations.project_id == project_id, RuleViolations.version_id == version_id)) or []
