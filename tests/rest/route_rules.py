"""Who may use each route of `/v1`: a verb of access/roles.py at the place that the path names, or one of the words below.

ANYONE: nobody need say who they are. SIGNED_IN: any account, phone or link. OWN: each account for itself.
TOKEN: the path's own token decides. FILTERED: whoever may see none of it gets an empty answer.
"""

from __future__ import annotations

ANYONE, SIGNED_IN, OWN, TOKEN, FILTERED = "anyone", "signed in", "own", "token", "filtered"

RULES: dict[str, str] = {
    # sessions, users, roles
    "rest.post_session": ANYONE, "rest.get_session": SIGNED_IN, "rest.get_sessions": OWN, "rest.delete_own_session": OWN, "rest.delete_current_session": OWN, "rest.delete_session": TOKEN,
    "rest.get_users": FILTERED, "rest.post_user": "user.create", "rest.get_current_user": OWN, "rest.get_one_user": "user.read",
    "rest.patch_user": "user.update", "rest.remove_user": "user.delete", "rest.put_password": OWN, "rest.post_reset": ANYONE,
    "rest.post_reset_verify": TOKEN, "rest.put_preference": OWN, "rest.delete_preference": OWN, "rest.get_roles": SIGNED_IN, "rest.get_role": SIGNED_IN,
    # assignments
    "rest.get_assignments": "assignment.list", "rest.get_role_holders": "assignment.list", "rest.post_assignment": "assignment.create",
    "rest.delete_assignment": "assignment.delete", "rest.get_form_assignments": "assignment.list",
    # projects, phones
    "rest.get_projects": FILTERED, "rest.post_project": "project.create", "rest.get_one_project": "project.read", "rest.put_project": "project.update",
    "rest.patch_project": "project.update", "rest.remove_project": "project.delete", "rest.post_project_key": "project.update",
    "rest.get_app_users": "field_key.list", "rest.post_app_user": "field_key.create", "rest.get_app_user": "field_key.list",
    "rest.patch_app_user": "field_key.update", "rest.delete_app_user": "field_key.delete",
    "rest.post_actor_property": "actor_property.update", "rest.get_actor_properties": "actor_property.list",
    # the site
    "rest.get_audits": "audit.read", "rest.post_backup": "backup.run", "rest.post_config": "config.set", "rest.get_config": "config.read",
    "rest.delete_config": "config.set", "rest.get_public_config": ANYONE, "rest.get_public_value": ANYONE, "rest.get_openapi": ANYONE,
    "rest.get_api_page": ANYONE,
    # forms
    "rest.get_forms": "open_form.list", "rest.post_form": "form.create", "rest.get_form": "open_form.read", "rest.get_form_xml": "open_form.read",
    "rest.get_form_xlsx": "open_form.read", "rest.get_form_xls": "open_form.read", "rest.get_form_fields": "open_form.read",
    "rest.get_form_attachments": "open_form.read", "rest.get_form_attachment": "open_form.read", "rest.get_form_versions": "open_form.read",
    "rest.get_dataset_diff": "dataset.list", "rest.patch_form": "form.update", "rest.remove_form": "form.delete", "rest.post_form_restore": "form.restore", "rest.get_linked_form": SIGNED_IN,
    "rest.post_draft": "form.update", "rest.post_publish": "form.update", "rest.remove_draft": "form.update",
    "rest.post_draft_attachment": "form.update", "rest.patch_draft_attachment": "form.update", "rest.remove_draft_attachment": "form.update",
    "rest.get_public_links": "public_link.list", "rest.post_public_link": "public_link.create", "rest.get_public_link": "public_link.read",
    "rest.patch_public_link": "public_link.update", "rest.remove_public_link": "public_link.delete",
    # submissions
    "rest.post_submission": "submission.create", "rest.post_test_submission": TOKEN, "rest.put_submission": "submission.update",
    "rest.patch_submission": "submission.review", "rest.remove_submission": "submission.delete",
    "rest.remove_draft_submission": "submission.delete", "rest.post_submission_restore": "submission.restore",
    "rest.get_submission_edit": "submission.update", "rest.get_submissions": "submission.list",
    "rest.get_submission_submitters": "submission.list", "rest.post_comment": "submission.comment", "rest.post_attachment": "submission.update",
    "rest.delete_attachment": "submission.update", "rest.delete_version_attachment": "submission.update",
    "rest.get_attachment": "submission.read", "rest.get_attachments": "submission.read", "rest.get_comments": "submission.read",
    "rest.get_diffs": "submission.read", "rest.get_submission": "submission.read", "rest.get_submission_audits": "submission.read",
    "rest.get_submission_keys": "submission.read", "rest.get_submission_xml": "submission.read", "rest.get_version": "submission.read",
    "rest.get_version_attachment": "submission.read", "rest.get_version_attachments": "submission.read",
    "rest.get_version_xml": "submission.read", "rest.get_versions": "submission.read",
    # exports and OData
    "rest.get_submissions_csv": "submission.read", "rest.get_submissions_zip": "submission.read", "rest.get_submissions_xlsx": "submission.read",
    "rest.get_submissions_gpkg": "submission.read", "rest.get_submissions_geojson": "submission.read", "rest.get_submission_geojson": "submission.read",
    "rest.get_version_geojson": "submission.read", "rest.get_draft_submissions_csv": "submission.read", "rest.get_draft_submissions_zip": "submission.read",
    "rest.get_draft_submissions_xlsx": "submission.read", "rest.get_draft_submissions_gpkg": "submission.read",
    "odata.get_service": "submission.read", "odata.get_metadata": "submission.read", "odata.get_table": "submission.read",
    "odata.get_submission": "submission.read", "odata.get_draft_service": "submission.read", "odata.get_draft_metadata": "submission.read",
    "odata.get_draft_table": "submission.read", "odata.get_draft_submission": "submission.read",
    # entity lists
    "rest.get_datasets": "dataset.list", "rest.post_dataset": "dataset.create", "rest.get_dataset": "dataset.read", "rest.patch_dataset": "dataset.update",
    "rest.remove_dataset": "dataset.delete", "rest.post_dataset_property": "dataset.update", "rest.remove_dataset_property": "dataset.update",
    "rest.get_entities_csv": "entity.list", "rest.get_trashed_entities_csv": "entity.list", "rest.get_entities": "entity.list",
    "rest.post_entities": "entity.create", "rest.get_entity_creators": "entity.list", "rest.get_held_changes": "entity.list", "rest.get_entities_geojson": "entity.list",
    "rest.get_one_entity": "entity.read", "rest.get_entity_geojson": "entity.read", "rest.get_entity_versions": "entity.read",
    "rest.get_entity_diffs": "entity.read", "rest.get_entity_audits": "entity.read", "rest.patch_entity": "entity.update",
    "rest.remove_entity": "entity.delete", "rest.post_entity_restore": "entity.restore", "rest.post_bulk_delete": "entity.delete",
    "rest.post_bulk_restore": "entity.restore", "odata.get_list_service": "entity.list", "odata.get_list_metadata": "entity.list",
    "odata.get_entity_table": "entity.list", "rest.get_entity_imports": "entity.import", "rest.post_entity_import": "entity.import",
    "rest.get_entity_import": "entity.import", "rest.post_import_check": "entity.import", "rest.post_import_start": "entity.import",
    "rest.post_import_undo": "entity.import", "rest.get_import_errors": "entity.import",
    # phones
    "openrosa.get_form_list": FILTERED, "openrosa.get_manifest": "open_form.read", "openrosa.get_integrity": "dataset.download",
    "openrosa.submission": "submission.create", "openrosa.submission GET": SIGNED_IN, "openrosa.get_draft_list": TOKEN, "openrosa.get_draft_manifest": TOKEN,
    "openrosa.get_draft_xml": TOKEN, "openrosa.get_draft_medium": TOKEN, "openrosa.draft_submission": TOKEN,
    "openrosa.own_draft_submission": "submission.create", "openrosa.own_draft_submission GET": SIGNED_IN,
}  # fmt: skip
