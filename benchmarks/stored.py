"""Submissions of the questionnaire stored already, in bulk, in the form server alone."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
from sqlalchemy import text

from benchmarks.questionnaire import questionnaire_xform, questionnaire_xml
from server.access.sealed import open_server_database
from server.forms.fields import read_form_definition
from server.settings import Settings
from server.submissions.answers import read_answers, shape_of
from server.submissions.envelope import parse_xml
from server.transactions import stored_time, transaction

_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, :count))",
}
_FILL_VERSIONS = (
    "{n} INSERT INTO submission_versions (project_id, id, form_pk, is_draft, submission_id, form_version_id, instance_id, xml, answers,"
    " is_encrypted, is_complete, received_at) SELECT 1, i, 1, :no, i, (SELECT current_version_id FROM forms WHERE id = 1), 'uuid:stored-' || i, :xml, {answers}, :no, :yes, :at FROM n"
)
_FILL_SUBMISSIONS = (
    "{n} INSERT INTO submissions (project_id, id, form_pk, is_draft, instance_id, current_version_id, form_version_id, division, review_state,"
    " received_at) SELECT 1, i, 1, :no, 'uuid:stored-' || i, i, (SELECT current_version_id FROM forms WHERE id = 1), '632223202200', 'received', :at FROM n"
)


def fill(settings: Settings, count: int) -> None:
    """So many submissions are stored in project 1, form 1."""
    engine = open_server_database(settings)
    shape = shape_of(read_form_definition(questionnaire_xform()), None)
    xml = questionnaire_xml("uuid:stored")
    answers = orjson.dumps(read_answers(parse_xml(xml), shape, "stored")).decode()
    dialect = engine.dialect.name
    with transaction(engine, write=True) as session:
        at = stored_time(session, datetime(2026, 1, 1, tzinfo=UTC))
        for statement in (_FILL_VERSIONS, _FILL_SUBMISSIONS):
            sql = statement.format(n=_NUMBERS[dialect], answers="CAST(:answers AS jsonb)" if dialect == "postgresql" else ":answers")
            given = {"count": count, "xml": xml, "answers": answers, "at": at, "no": False, "yes": True}
            session.execute(text(sql), {name: value for name, value in given.items() if f":{name}" in sql})
    if dialect == "postgresql":
        with transaction(engine, write=True) as session:
            session.execute(text("ANALYZE submissions, submission_versions"))
    engine.dispose()
