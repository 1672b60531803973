"""What the county's phones send, received by the same function as any phone's; and then dated as the story has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Engine, bindparam, func, select, update
from sqlalchemy.orm import Session

from server.access.accounts import load_actor
from server.access.sealed import open_server_database
from server.demo.drawings import draw_photo, draw_signature
from server.demo.form_filling import FillableForm, Filled, fill_form, read_fillable
from server.demo.usual import usual_answers
from server.model import AuditEntry, Entity, EntityList, EntityVersion, Form, FormVersion, Submission, SubmissionVersion
from server.settings import CHINA, Settings
from server.storage import Blob, open_storage
from server.submissions.arriving import Sending, SentFile
from server.submissions.envelope import read_envelope
from server.submissions.receive import receive_submission
from server.submissions.review import approve
from server.transactions import transaction

_UUID_LENGTH = 36
_AGENT = "org.odk.collect.android/v2026.3 demo"


@dataclass(slots=True)
class Errand:
    """One form filled in by somebody. `finished`: on the phone, `received`: by the server, both aware; `photos`: question -> seed of its drawing.

    `touches`: entities that it changes; `review`: approved by "township" or "county".
    """

    form_id: str
    officer: str
    division: str
    finished: datetime
    received: datetime
    answers: dict[str, Any]
    minutes: float = 5.0
    touches: tuple[str, ...] = ()
    photos: dict[str, int] = field(default_factory=dict)
    review: str = ""
    planted: list[Any] = field(default_factory=list)
    instance_id: str = ""

    def named(self) -> set[str]:
        """Whatever of its answers may be an entity's id, and what it changes."""
        return {*self.touches, *(answer for answer in self.answers.values() if isinstance(answer, str) and len(answer) == _UUID_LENGTH)}


Lists = dict[str, dict[str, str]]
# A filled form, and each file that it mentions, durable.
Ready = tuple[Filled, dict[str, Blob]]


class Filler:
    """Fills in forms, and keeps the photos as the server does before it receives a submission. `xforms`: XForm by form ID."""

    def __init__(self, xforms: Mapping[str, bytes], settings: Settings) -> None:
        self._forms = {form_id: read_fillable(xform) for form_id, xform in xforms.items()}
        self._storage = open_storage(settings.blob_storage, settings.s3_endpoint, open_server_database(settings, pool_size=1))
        self._keepers = ThreadPoolExecutor(8)

    def fill(self, errands: Sequence[Errand], seeds: Sequence[int], lists: Lists) -> list[Ready]:
        """As fill_errands."""
        filled = [_fill(self._forms[errand.form_id], errand, Random(seed), lists) for errand, seed in zip(errands, seeds, strict=True)]
        contents = {name: content for _filled, files in filled for name, content in files.items()}
        # Together they wait for one another's fsync.
        blobs = dict(zip(contents, self._keepers.map(self._storage.keep_bytes, contents.values()), strict=True))
        return [(one, {name: blobs[name] for name in files}) for one, files in filled]


_own: list[Filler] = []


def become_filler(xforms: Mapping[str, bytes], settings: Settings) -> None:
    """What each process that fills in forms is begun with."""
    _own[:] = [Filler(xforms, settings)]


def fill_errands(errands: Sequence[Errand], seeds: Sequence[int], lists: Lists) -> list[Ready]:
    """Each filled in and its photos kept. `lists`: by entity, its properties as the phone has downloaded them, of those that the errands name."""
    return _own[0].fill(errands, seeds, lists)


def _fill(form: FillableForm, errand: Errand, random: Random, lists: Lists) -> tuple[Filled, dict[str, bytes]]:
    started = errand.finished - timedelta(minutes=errand.minutes)
    local = errand.finished.astimezone(CHINA)
    said = {
        "start": _phone_time(started), "end": _phone_time(errand.finished), "today": local.date().isoformat(), "deviceid": f"collect:{errand.officer}",
        "username": errand.officer, "township": errand.division[:9] + "000", "division": errand.division, **errand.answers,
    }  # fmt: skip

    def look_up(list_name: str, key: str, name: str) -> str:
        return lists.get(key, {}).get(name, "") if list_name != "divisions" else ""

    filled = fill_form(form, said, usual=usual_answers(errand.form_id, random), lookup=look_up, random=random)
    return filled, {name: _draw(errand, question, random) for name, question in filled.files.items()}


def _draw(errand: Errand, question: str, random: Random) -> bytes:
    if "sign" in question:
        # An investigator signs alike each time, and so does a household.
        return draw_signature(hash_of(errand.officer if question.startswith("investigator") else errand.touches or errand.division))
    return draw_photo(errand.photos.get(question) or random.getrandbits(60))


class Post:
    """Receives what the phones have filled in. `phones`: officer -> actor's key; `reviewers`: township and county -> account's key."""

    def __init__(self, engine: Engine, project_id: int, *, phones: Mapping[str, int], reviewers: Mapping[str, int]) -> None:
        self._engine, self._project_id = engine, project_id
        self._register: Lists = {}
        with transaction(engine) as session:
            self._phones = {officer: load_actor(session, key) for officer, key in phones.items()}
            self._reviewers = {level: load_actor(session, key) for level, key in reviewers.items()}

    def lists_for(self, errands: Sequence[Errand]) -> Lists:
        """What a phone knows of the entities that the errands name, as of what has been received."""
        named = {key for errand in errands for key in errand.named()}
        return {key: self._register[key] for key in named if key in self._register}

    def receive(self, errands: Sequence[Errand], ready: Sequence[Ready]) -> None:
        """All of them are received, dated and reviewed; none changes an entity that another one of them changes."""
        with transaction(self._engine, write=True) as session:
            ids = [self._receive(session, errand, filled, blobs) for errand, (filled, blobs) in zip(errands, ready, strict=True)]
            session.flush()
            self._date(session, errands, ids)
            for errand, key in zip(errands, ids, strict=True):
                self._review(session, errand, key)
            self._learn(session, [uuid for filled, _files in ready for uuids in filled.entities.values() for uuid in uuids])

    def _receive(self, session: Session, errand: Errand, filled: Filled, blobs: Mapping[str, Blob]) -> int:
        errand.instance_id = filled.instance_id
        files = [SentFile(name, "image/png", blobs[name]) for name in filled.files]
        sending = Sending(files, f"collect:{errand.officer}", _AGENT)
        return receive_submission(
            session, self._phones[errand.officer], self._project_id, read_envelope(filled.xml), filled.xml, sending
        ).submission_id  # fmt: skip

    def _date(self, session: Session, errands: Sequence[Errand], ids: Sequence[int]) -> None:
        """What arrived just now arrived when the story says: so do the versions of entities that came of it."""
        rows = [{"own_key": key, "arrived_at": errand.received} for key, errand in zip(ids, errands, strict=True)]
        connection = session.connection()
        for table, column, by in (
            (Submission, "received_at", "id"), (SubmissionVersion, "received_at", "submission_id"), (EntityVersion, "created_at", "submission_id"),
            (AuditEntry, "at", "submission_id"),
        ):  # fmt: skip
            own: Any = table.__table__
            connection.execute(
                update(own).where(own.c.project_id == self._project_id, own.c[by] == bindparam("own_key")).values({column: bindparam("arrived_at")}), rows
            )

    def _review(self, session: Session, errand: Errand, key: int) -> None:
        if errand.review:
            approve(session, self._reviewers[errand.review], session.get_one(Submission, (self._project_id, key)))

    def _learn(self, session: Session, uuids: Iterable[str]) -> None:
        """What the phones will have downloaded before their next errand."""
        statement = select(Entity.uuid, Entity.version, Entity.label, Entity.data).join(EntityList, EntityList.id == Entity.list_id)
        for row in session.execute(statement.where(Entity.project_id == self._project_id, Entity.uuid.in_(sorted(set(uuids))))):
            self._register[row.uuid] = {**{name: str(value) for name, value in row.data.items()}, "__version": str(row.version), "label": row.label}


def hash_of(thing: Any) -> int:
    """A number that is the same in each process, unlike hash()."""
    return Random(repr(thing)).getrandbits(40)


def _phone_time(at: datetime) -> str:
    return at.astimezone(CHINA).isoformat(timespec="milliseconds")


def read_xforms(session: Session, project_id: int) -> dict[str, bytes]:
    """The newest published XForm of each form."""
    newest = select(func.max(FormVersion.id)).where(FormVersion.published_at.is_not(None)).group_by(FormVersion.form_pk)
    found = session.execute(
        select(Form.form_id, FormVersion.xform).join(FormVersion, FormVersion.form_pk == Form.id)
        .where(Form.project_id == project_id, Form.deleted_at.is_(None), FormVersion.id.in_(newest))
    )  # fmt: skip
    return {form_id: bytes(xform) for form_id, xform in found}


def date_entities(session: Session, project_id: int) -> None:
    """Entities are as old as their first version, and changed when their last one was made."""
    versions, entities = EntityVersion.__table__.c, Entity.__table__
    own = (versions.project_id == entities.c.project_id, versions.entity_id == entities.c.id)
    first, last = (select(of(versions.created_at)).where(*own).scalar_subquery() for of in (func.min, func.max))
    session.execute(update(entities).where(entities.c.project_id == project_id).values(created_at=first, updated_at=last))

