"""A list of people, the form that makes and changes them, and phones that work offline."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select

from server.entities.held import force_held
from server.model import Entity, EntityHeld, EntityVersion
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.phone import CollectPhone

FOLLOW_UP = """
| survey | | | | |
| | type | name | label | save_to |
| | text | division | Village | division |
| | text | state | State | state |
| | text | age | Age | age |
| | text | who | Who | |
| | text | known | Known as | |
| settings | | | |
| | form_title | form_id | version |
| | 探访 | follow_up | 1 |
| entities | | | | | |
| | list_name | label | entity_id | create_if | update_if |
| | people | ${who} | coalesce(${known}, uuid()) | ${known} = '' | ${known} != '' |
"""
VILLAGE = "632223202200"
VERSION_COLUMNS = (
    "version", "base_version", "conflict", "conflicting", "data", "label", "forced", "received", "supersedes", "branch_id", "branch_base_version", "event",
)  # fmt: skip


def visit(
    entity: str, *, creates: bool = False, base: int | None = None, trunk: int | None = None, branch: str | None = None, who: str = "",
    instance: str | None = None, replaces: str | None = None, **answers: str,
) -> bytes:  # fmt: skip
    """A submission that makes the entity, or changes what `answers` name. `replaces`: the instance that it is an edit of."""
    place = "" if base is None else f' baseVersion="{base}"'
    place += f' trunkVersion="{trunk or ""}" branchId="{branch or ""}"'
    action = 'create="1"' if creates else 'update="1"'
    values = "".join(f"<{name}>{value}</{name}>" for name, value in answers.items())
    label = f"<label>{who}</label>" if who else ""
    deprecated = f"<orx:deprecatedID>{replaces}</orx:deprecatedID>" if replaces else ""
    return (
        '<data xmlns:orx="http://openrosa.org/xforms" id="follow_up" version="1">'
        f"{values}<orx:meta><orx:instanceID>{instance or f'uuid:{uuid.uuid4()}'}</orx:instanceID>{deprecated}"
        f'<entity dataset="people" id="{entity}" {action}{place}>{label}</entity></orx:meta></data>'
    ).encode()


class Register:
    """The list as staff see it."""

    def __init__(self, house: House) -> None:
        self.house = house
        house.publish(FOLLOW_UP)
        self.phone = house.new_phone()

    def send(self, xml: bytes, phone: CollectPhone | None = None) -> None:
        assert (phone or self.phone).send(xml).status_code == 201

    def entity(self, entity_uuid: str) -> dict[str, Any] | None:
        found = self.house.rows(Entity, Entity.uuid == entity_uuid)
        return found[0] if found else None

    def versions(self, entity_uuid: str) -> list[dict[str, Any]]:
        with transaction(self.house.engine) as session:
            rows = session.scalars(
                select(EntityVersion).join(Entity, Entity.id == EntityVersion.entity_id).where(Entity.uuid == entity_uuid).order_by(EntityVersion.version)
            )
            return [{name: getattr(row, name) for name in VERSION_COLUMNS} for row in rows]

    def held(self) -> int:
        return len(self.house.rows(EntityHeld))

    def force(self) -> int:
        """What the jobs do once 5 days are over."""
        from datetime import UTC, datetime, timedelta

        with transaction(self.house.engine, write=True) as session:
            return force_held(session, self.house.admin, older_than=datetime.now(UTC) + timedelta(seconds=1))
