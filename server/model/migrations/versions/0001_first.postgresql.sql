-- The schema of the first version, as it was: later versions change it, never this file.
CREATE TABLE audit_entries (
	project_id BIGINT NOT NULL, 
	id BIGINT NOT NULL, 
	actor_id BIGINT, 
	action VARCHAR(60) NOT NULL, 
	form_pk BIGINT, 
	submission_id BIGINT, 
	thing VARCHAR(255), 
	details JSONB, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	position BIGINT, 
	chain BYTEA, 
	CONSTRAINT pk_audit_entries PRIMARY KEY (project_id, id)
);

CREATE INDEX ix_audit_entries_at ON audit_entries (at, id);

CREATE INDEX ix_audit_entries_submission ON audit_entries (project_id, submission_id);

CREATE INDEX ix_audit_entries_unchained ON audit_entries (id) WHERE position IS NULL;

CREATE UNIQUE INDEX uq_audit_entries_position ON audit_entries (position);

CREATE TABLE blobs (
	sha256 VARCHAR(64) NOT NULL, 
	md5 VARCHAR(32) NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_blobs PRIMARY KEY (sha256)
);

CREATE TABLE changes (
	project_id BIGINT NOT NULL, 
	id BIGINT NOT NULL, 
	position BIGINT, 
	kind VARCHAR(40) NOT NULL, 
	form_pk BIGINT, 
	submission_id BIGINT, 
	details JSONB, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_changes PRIMARY KEY (project_id, id)
);

CREATE INDEX ix_changes_unnumbered ON changes (id) WHERE position IS NULL;

CREATE UNIQUE INDEX uq_changes_position ON changes (position);

CREATE TABLE cursors (
	consumer VARCHAR(60) NOT NULL, 
	position BIGINT NOT NULL, 
	failures INTEGER NOT NULL, 
	last_error VARCHAR, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_cursors PRIMARY KEY (consumer)
);

CREATE TABLE entity_versions (
	project_id BIGINT NOT NULL, 
	entity_id BIGINT NOT NULL, 
	version INTEGER NOT NULL, 
	label VARCHAR NOT NULL, 
	data JSONB NOT NULL, 
	changed JSONB NOT NULL, 
	base_version INTEGER, 
	branch_id VARCHAR(36), 
	trunk_version INTEGER, 
	branch_base_version INTEGER, 
	conflict VARCHAR(10), 
	submission_version_id BIGINT, 
	actor_id BIGINT, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_entity_versions PRIMARY KEY (project_id, entity_id, version)
);

CREATE INDEX ix_entity_versions_submission_version_id ON entity_versions (submission_version_id);

CREATE TABLE leases (
	job VARCHAR(60) NOT NULL, 
	holder VARCHAR(100) NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (job)
);

CREATE TABLE projects (
	id BIGSERIAL NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	description VARCHAR, 
	archived BOOLEAN, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE, 
	deleted_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_projects PRIMARY KEY (id)
);

CREATE TABLE sign_in_failures (
	key VARCHAR(340) NOT NULL, 
	failures INTEGER NOT NULL, 
	last_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_sign_in_failures PRIMARY KEY (key)
);

CREATE TABLE submission_comments (
	project_id BIGINT NOT NULL, 
	id BIGINT NOT NULL, 
	submission_id BIGINT NOT NULL, 
	actor_id BIGINT NOT NULL, 
	body VARCHAR NOT NULL, 
	review_state VARCHAR(12), 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_submission_comments PRIMARY KEY (project_id, id), 
	CONSTRAINT uq_submission_comments_id UNIQUE (id)
);

CREATE INDEX ix_submission_comments_submission ON submission_comments (project_id, submission_id);

CREATE TABLE submission_versions (
	project_id BIGINT NOT NULL, 
	id BIGINT NOT NULL, 
	form_pk BIGINT NOT NULL, 
	is_draft BOOLEAN NOT NULL, 
	submission_id BIGINT NOT NULL, 
	form_version_id BIGINT NOT NULL, 
	instance_id VARCHAR(255) NOT NULL, 
	deprecates VARCHAR(255), 
	xml BYTEA NOT NULL, 
	answers JSONB NOT NULL, 
	is_encrypted BOOLEAN NOT NULL, 
	is_complete BOOLEAN NOT NULL, 
	submitter_id BIGINT, 
	device_id VARCHAR(255), 
	user_agent VARCHAR(255), 
	received_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	entity_errors JSONB, 
	CONSTRAINT pk_submission_versions PRIMARY KEY (project_id, id)
);

CREATE INDEX ix_submission_versions_submission ON submission_versions (project_id, submission_id);

CREATE UNIQUE INDEX uq_submission_versions_instance ON submission_versions (form_pk, is_draft, instance_id);

CREATE TABLE actors (
	id BIGSERIAL NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	display_name VARCHAR(255) NOT NULL, 
	project_id BIGINT, 
	division VARCHAR(12), 
	properties JSONB, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE, 
	deleted_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_actors PRIMARY KEY (id), 
	CONSTRAINT fk_actors_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);

CREATE INDEX ix_actors_project_id ON actors (project_id);

CREATE TABLE blob_bytes (
	sha256 VARCHAR(64) NOT NULL, 
	content BYTEA NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_blob_bytes PRIMARY KEY (sha256), 
	CONSTRAINT fk_blob_bytes_sha256 FOREIGN KEY(sha256) REFERENCES blobs (sha256)
);

CREATE TABLE entity_lists (
	id BIGSERIAL NOT NULL, 
	project_id BIGINT NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	approval_required BOOLEAN NOT NULL, 
	owner_only BOOLEAN NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_entity_lists PRIMARY KEY (id), 
	CONSTRAINT uq_entity_lists_project_id_name UNIQUE (project_id, name), 
	CONSTRAINT fk_entity_lists_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);

CREATE TABLE submission_attachments (
	project_id BIGINT NOT NULL, 
	version_id BIGINT NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	blob_sha256 VARCHAR(64), 
	is_expected BOOLEAN NOT NULL, 
	content_type VARCHAR(100), 
	received_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_submission_attachments PRIMARY KEY (project_id, version_id, name), 
	CONSTRAINT fk_submission_attachments_blob_sha256 FOREIGN KEY(blob_sha256) REFERENCES blobs (sha256)
);

CREATE INDEX ix_submission_attachments_blob_sha256 ON submission_attachments (blob_sha256);

CREATE TABLE entities (
	project_id BIGINT NOT NULL, 
	id BIGINT NOT NULL, 
	list_id BIGINT NOT NULL, 
	uuid VARCHAR(36) NOT NULL, 
	label VARCHAR NOT NULL, 
	data JSONB NOT NULL, 
	version INTEGER NOT NULL, 
	division VARCHAR(12) NOT NULL, 
	conflict VARCHAR(10), 
	creator_id BIGINT, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE, 
	deleted_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_entities PRIMARY KEY (project_id, id), 
	CONSTRAINT fk_entities_list_id FOREIGN KEY(list_id) REFERENCES entity_lists (id)
);

CREATE INDEX ix_entities_list_division ON entities (list_id, division, id);

CREATE UNIQUE INDEX uq_entities_list_id_uuid ON entities (list_id, uuid);

CREATE TABLE entities_held (
	project_id BIGINT NOT NULL, 
	id BIGINT NOT NULL, 
	list_id BIGINT NOT NULL, 
	uuid VARCHAR(36) NOT NULL, 
	branch_id VARCHAR(36), 
	base_version INTEGER, 
	change JSONB NOT NULL, 
	submission_version_id BIGINT NOT NULL, 
	held_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_entities_held PRIMARY KEY (project_id, id), 
	CONSTRAINT fk_entities_held_list_id FOREIGN KEY(list_id) REFERENCES entity_lists (id)
);

CREATE INDEX ix_entities_held_list_id_uuid ON entities_held (list_id, uuid);

CREATE TABLE entity_properties (
	id BIGSERIAL NOT NULL, 
	list_id BIGINT NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_entity_properties PRIMARY KEY (id), 
	CONSTRAINT uq_entity_properties_list_id_name UNIQUE (list_id, name), 
	CONSTRAINT fk_entity_properties_list_id FOREIGN KEY(list_id) REFERENCES entity_lists (id)
);

CREATE TABLE forms (
	id BIGSERIAL NOT NULL, 
	project_id BIGINT NOT NULL, 
	form_id VARCHAR(255) NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	current_version_id BIGINT, 
	draft_version_id BIGINT, 
	created_by BIGINT, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE, 
	deleted_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_forms PRIMARY KEY (id), 
	CONSTRAINT fk_forms_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT fk_forms_created_by FOREIGN KEY(created_by) REFERENCES actors (id)
);

CREATE INDEX ix_forms_created_by ON forms (created_by);

CREATE INDEX ix_forms_deleted_at ON forms (deleted_at);

CREATE UNIQUE INDEX uq_forms_project_id_form_id ON forms (project_id, form_id) WHERE deleted_at IS NULL;

CREATE TABLE phones (
	actor_id BIGINT NOT NULL, 
	project_id BIGINT NOT NULL, 
	token_key BYTEA NOT NULL, 
	token_sealed BYTEA NOT NULL, 
	username VARCHAR(64) NOT NULL, 
	password_sealed BYTEA NOT NULL, 
	created_by BIGINT, 
	revoked_at TIMESTAMP WITH TIME ZONE, 
	last_seen_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_phones PRIMARY KEY (actor_id), 
	CONSTRAINT fk_phones_actor_id FOREIGN KEY(actor_id) REFERENCES actors (id), 
	CONSTRAINT fk_phones_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT uq_phones_token_key UNIQUE (token_key), 
	CONSTRAINT uq_phones_username UNIQUE (username), 
	CONSTRAINT fk_phones_created_by FOREIGN KEY(created_by) REFERENCES actors (id)
);

CREATE INDEX ix_phones_created_by ON phones (created_by);

CREATE INDEX ix_phones_project_id ON phones (project_id);

CREATE TABLE sessions (
	token_key BYTEA NOT NULL, 
	actor_id BIGINT NOT NULL, 
	csrf VARCHAR(64) NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	user_agent VARCHAR(255), 
	CONSTRAINT pk_sessions PRIMARY KEY (token_key), 
	CONSTRAINT fk_sessions_actor_id FOREIGN KEY(actor_id) REFERENCES actors (id)
);

CREATE INDEX ix_sessions_actor_id ON sessions (actor_id);

CREATE INDEX ix_sessions_expires_at ON sessions (expires_at);

CREATE TABLE users (
	actor_id BIGINT NOT NULL, 
	email VARCHAR(320) NOT NULL, 
	email_key VARCHAR(320) NOT NULL, 
	password_hash VARCHAR(255), 
	language VARCHAR(10), 
	last_sign_in_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_users PRIMARY KEY (actor_id), 
	CONSTRAINT fk_users_actor_id FOREIGN KEY(actor_id) REFERENCES actors (id), 
	CONSTRAINT uq_users_email_key UNIQUE (email_key)
);

CREATE TABLE assignments (
	id BIGSERIAL NOT NULL, 
	actor_id BIGINT NOT NULL, 
	role VARCHAR(40) NOT NULL, 
	project_id BIGINT, 
	form_id BIGINT, 
	CONSTRAINT pk_assignments PRIMARY KEY (id), 
	CONSTRAINT fk_assignments_actor_id FOREIGN KEY(actor_id) REFERENCES actors (id), 
	CONSTRAINT fk_assignments_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT fk_assignments_form_id FOREIGN KEY(form_id) REFERENCES forms (id)
);

CREATE INDEX ix_assignments_actor_id ON assignments (actor_id);

CREATE INDEX ix_assignments_form_id ON assignments (form_id);

CREATE INDEX ix_assignments_project_id ON assignments (project_id);

CREATE TABLE form_versions (
	id BIGSERIAL NOT NULL, 
	form_pk BIGINT NOT NULL, 
	project_id BIGINT NOT NULL, 
	version VARCHAR(255) NOT NULL, 
	title VARCHAR(1000) NOT NULL, 
	xform BYTEA NOT NULL, 
	md5 VARCHAR(32) NOT NULL, 
	xlsx_sha256 VARCHAR(64), 
	definition JSONB NOT NULL, 
	draft_token VARCHAR(64), 
	created_by BIGINT, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	published_at TIMESTAMP WITH TIME ZONE, 
	published_by BIGINT, 
	CONSTRAINT pk_form_versions PRIMARY KEY (id), 
	CONSTRAINT fk_form_versions_form_pk FOREIGN KEY(form_pk) REFERENCES forms (id), 
	CONSTRAINT fk_form_versions_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT fk_form_versions_created_by FOREIGN KEY(created_by) REFERENCES actors (id), 
	CONSTRAINT fk_form_versions_published_by FOREIGN KEY(published_by) REFERENCES actors (id)
);

CREATE INDEX ix_form_versions_created_by ON form_versions (created_by);

CREATE INDEX ix_form_versions_draft_token ON form_versions (draft_token);

CREATE INDEX ix_form_versions_form_pk ON form_versions (form_pk);

CREATE INDEX ix_form_versions_project_id ON form_versions (project_id);

CREATE INDEX ix_form_versions_published_by ON form_versions (published_by);

CREATE UNIQUE INDEX uq_form_versions_published ON form_versions (form_pk, version) WHERE published_at IS NOT NULL;

CREATE TABLE submissions (
	project_id BIGINT NOT NULL, 
	id BIGINT NOT NULL, 
	form_pk BIGINT NOT NULL, 
	is_draft BOOLEAN NOT NULL, 
	instance_id VARCHAR(255) NOT NULL, 
	instance_name VARCHAR(1000), 
	current_version_id BIGINT NOT NULL, 
	form_version_id BIGINT NOT NULL, 
	submitter_id BIGINT, 
	device_id VARCHAR(255), 
	division VARCHAR(12) NOT NULL, 
	review_state VARCHAR(12) NOT NULL, 
	review_level VARCHAR(12), 
	received_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE, 
	deleted_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_submissions PRIMARY KEY (project_id, id), 
	CONSTRAINT fk_submissions_form_pk FOREIGN KEY(form_pk) REFERENCES forms (id)
);

CREATE INDEX ix_submissions_division_received ON submissions (project_id, division, received_at);

CREATE INDEX ix_submissions_form_received ON submissions (form_pk, is_draft, received_at, id);

CREATE INDEX ix_submissions_project_received ON submissions (project_id, received_at, id);

CREATE UNIQUE INDEX uq_submissions_instance ON submissions (form_pk, is_draft, instance_id);

CREATE TABLE form_attachments (
	id BIGSERIAL NOT NULL, 
	form_version_id BIGINT NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	blob_sha256 VARCHAR(64), 
	list_id BIGINT, 
	updated_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_form_attachments PRIMARY KEY (id), 
	CONSTRAINT uq_form_attachments_form_version_id_name UNIQUE (form_version_id, name), 
	CONSTRAINT fk_form_attachments_form_version_id FOREIGN KEY(form_version_id) REFERENCES form_versions (id), 
	CONSTRAINT fk_form_attachments_blob_sha256 FOREIGN KEY(blob_sha256) REFERENCES blobs (sha256), 
	CONSTRAINT fk_form_attachments_list_id FOREIGN KEY(list_id) REFERENCES entity_lists (id)
);

CREATE INDEX ix_form_attachments_blob_sha256 ON form_attachments (blob_sha256);

CREATE INDEX ix_form_attachments_list_id ON form_attachments (list_id);
