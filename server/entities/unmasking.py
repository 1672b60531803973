"""Numbers of the register shown in full, to who may see them and says why."""

from __future__ import annotations

from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.sealed import is_sealed, sealer_of
from server.entities.records import record_entity_audit
from server.entities.scope import bound_actor
from server.entities.write import get_entity
from server.model import EntityList

_MOST_REASON = 500


def unmask_numbers(session: Session, actor: Actor, entity_list: EntityList, uuid: str, *, reason: str) -> dict[str, str]:
    """The entity's sealed values in full, by property. Who looked, and why, is in the audit log.

    Raises: not_found, insufficient_rights, reason_missing.
    """
    entity = get_entity(session, actor, entity_list, uuid, verb="entity.read")
    bound_actor(session, actor, entity_list).require("person.unmask", entity)
    if not reason.strip():
        raise problems.reason_missing()
    record_entity_audit(session, actor, "entity.unmask", entity_list, entity, entity={"uuid": entity.uuid, "dataset": entity_list.name}, reason=reason[:_MOST_REASON])
    unseal = sealer_of(session.get_bind().dialect).unseal
    return {name: unseal(value) for name, value in entity.data.items() if is_sealed(value)}
