"""Versions of submissions, and what each changed."""

from __future__ import annotations

from flask import Response

from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import answer_json, wants_extended
from server.http.parts import parts
from server.rest.submission_addresses import for_both
from server.rest.submission_shapes import version_shape
from server.rest.submissions import xml_answer
from server.submissions.diffs import diff_versions
from server.submissions.records import Which, find_version, list_version_records
from server.transactions import transaction


@for_both("/<root_id>/versions")
def get_versions(project_id: int, form_id: str, root_id: str, is_draft: bool) -> Response:
    """A submission's versions, newest first."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = list_version_records(session, actor, Which(project_id, form_id, root_id, is_draft))
    return answer_json([version_shape(record, extended=wants_extended(), with_form=True) for record in found])


@for_both("/<root_id>/versions/<instance_id>")
def get_version(project_id: int, form_id: str, root_id: str, instance_id: str, is_draft: bool) -> Response:
    """One version."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        record = find_version(session, actor, Which(project_id, form_id, root_id, is_draft), instance_id)
    return answer_json(version_shape(record, extended=wants_extended(), with_form=True))


@for_both("/<root_id>/versions/<instance_id>.xml")
@described(answers="application/xml")
def get_version_xml(project_id: int, form_id: str, root_id: str, instance_id: str, is_draft: bool) -> Response:
    """A version's XML, byte for byte as it was sent."""
    return xml_answer(authenticate(), Which(project_id, form_id, root_id, is_draft), instance_id)


@for_both("/<root_id>/diffs")
def get_diffs(project_id: int, form_id: str, root_id: str, is_draft: bool) -> Response:
    """What each version of a submission changed."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = diff_versions(session, actor, Which(project_id, form_id, root_id, is_draft))
    return answer_json(found)
