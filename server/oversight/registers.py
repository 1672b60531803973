"""Who was to be visited, where and when: from the register's history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.forms.catalogue import Visits
from server.model import Entity, EntityList, EntityVersion
from server.oversight.duties import Person, Spell
from server.oversight.json_values import json_text
from server.oversight.periods import china_day, china_midnight

_E: Any = Entity.__table__.c
_V: Any = EntityVersion.__table__.c
_ROWS_PER_CHUNK = 1000


def read_persons(
    session: Session, entity_list: EntityList, visits: Visits, *, until: date | None = None, ids: Sequence[int] | None = None
) -> Iterator[tuple[int, Person]]:
    """(key, person) of all that were ever to be visited by this programme, up to the end of `until`; of `ids` alone where they are given.

    What is in the trash was an error and never there.
    """
    dialect = session.get_bind().dialect.name
    names = visits.properties
    statement = (
        select(_E.id, _E.uuid, _E.label, _E.division.label("place"), _V.created_at, _V.division, *(json_text(dialect, _V.data, [name]) for name in names))
        .join(EntityVersion.__table__, (_V.project_id == _E.project_id) & (_V.entity_id == _E.id))
        .where(_E.list_id == entity_list.id, _E.project_id == entity_list.project_id, _E.deleted_at.is_(None))
        .order_by(_E.id, _V.version)
    )  # fmt: skip
    if until is not None:
        statement = statement.where(_V.created_at < china_midnight(until + timedelta(days=1)))
    if ids is not None:
        statement = statement.where(_E.id.in_(ids))
    rows = session.connection().execute(statement, execution_options={"yield_per": _ROWS_PER_CHUNK})
    for key, versions in groupby(rows, key=lambda row: row[0]):
        person = _person(visits, names, list(versions))
        if person is not None:
            yield key, person


def _person(visits: Visits, names: Sequence[str], versions: Sequence[Any]) -> Person | None:
    spells: list[Spell] = []
    is_open, cadence = False, visits.cadence
    for _key, _uuid, _label, _place, created_at, division, *values in versions:
        data, day = dict(zip(names, values, strict=True)), china_day(created_at)
        covers = visits.covers(data)
        if is_open and not (covers and spells[-1].division == division):
            spells[-1] = Spell(spells[-1].start, day, spells[-1].division)
            is_open = False
        if covers:
            cadence = visits.cadence_of(data)
            if not is_open:
                spells.append(Spell(day, None, division))
                is_open = True
    last = versions[-1]
    return Person(last.uuid, last.label, last.place, cadence, tuple(spells)) if spells else None
