"""A village that works: its phone downloads a form and its lists, fills it in with JavaRosa, and sends it."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

from lxml import etree
from sqlalchemy import select, update

from server.changes import number_changes
from server.forms.catalogue_file import shipped_catalogue
from server.model import Entity, EntityVersion
from server.oversight.periods import china_midnight
from server.oversight.upkeep import Upkeep
from server.transactions import open_engine, transaction
from sync.replicate import replicate_changes
from tests.actors.house import House
from tests.actors.javarosa import JavaRosa, OpenForm
from tests.factories.phone_media import VILLAGE
from tests.factories.shipped_forms import publish_shipped, xform
from tests.sync.central_tables import tables_of

_OFFLINE = ("__trunkVersion", "__branchId")


class Village:
    """Its phone and what the county then has of it."""

    def __init__(self, house: House, javarosa: JavaRosa) -> None:
        self.house, self._javarosa = house, javarosa
        self._phone = house.new_phone(name="塔列村手机")
        self._published: set[str] = set()

    def publish(self, *form_ids: str) -> None:
        for form_id in set(form_ids) - self._published:
            publish_shipped(self.house, form_id)
            self._published.add(form_id)

    def opened(self, form_id: str) -> OpenForm:
        """The form with the lists as the server has them now, the village chosen."""
        self.publish(form_id)
        media = {}
        for name, told in self._phone.manifest(form_id).items():
            content = self._phone.get(told["downloadUrl"]).data
            media[name] = _as_collect_offers(content) if told["type"] == "entityList" else content
        form = self._javarosa.open(xform(form_id), media)
        form.fill(VILLAGE)
        return form

    def sends(self, form: OpenForm) -> etree._Element:
        """What was sent, and accepted with all its photos."""
        xml = form.finalise()
        instance = etree.fromstring(xml)
        names = {text for text in instance.itertext() if text.endswith((".jpg", ".png"))}
        answer = self._phone.send(xml, {name: f"bytes of {name}".encode() for name in names})
        assert answer.status_code == 201, answer.text
        return instance

    def entities(self) -> dict[str, dict[str, Any]]:
        """Each entity's properties by its label, with its `uuid`, `division` and `list`."""
        return {row["label"]: {**row["data"], "uuid": row["uuid"], "of_division": row["division"]} for row in self.house.rows(Entity)}

    def was_there_since(self, uuid: str, day: date) -> None:
        """The entity's first version is of that day."""
        with transaction(self.house.engine, write=True) as session:
            entity = session.scalars(select(Entity).where(Entity.uuid == uuid)).one()
            own = (EntityVersion.project_id == entity.project_id, EntityVersion.entity_id == entity.id, EntityVersion.version == 1)
            session.execute(update(EntityVersion).where(*own).values(created_at=china_midnight(day)))

    def keeps_up(self) -> dict[str, dict[str, Any]]:
        """The entities once the server's due dates are those of today."""
        upkeep, is_left = Upkeep(self.house.engine, shipped_catalogue), True
        while is_left:
            with transaction(self.house.engine, write=True) as session:
                number_changes(session)
            upkeep.work()
            is_left = upkeep.is_waiting()
        return self.entities()

    def central(self) -> dict[str, list[dict[str, Any]]]:
        """The central database's tables, once everything is replicated."""
        engine = open_engine(self.house.settings.central_database)
        try:
            replicate_changes(self.house.engine, engine)
            return tables_of(engine)
        finally:
            engine.dispose()


def _as_collect_offers(content: bytes) -> bytes:
    """An entity list with the columns that Collect's own store adds."""
    rows = list(csv.reader(io.StringIO(content.decode())))
    out = io.StringIO()
    csv.writer(out).writerows([[*rows[0], *_OFFLINE], *([*row, "", ""] for row in rows[1:])])
    return out.getvalue().encode()
