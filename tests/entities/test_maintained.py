"""What the server keeps up in entities is nobody's change, also to the undoing of an import."""

from __future__ import annotations

from server.entities.lists import find_list
from server.entities.maintained import Kept, maintain_entities
from server.entities.records import find_entity
from server.model import EntityVersion
from server.transactions import transaction
from tests.entities.imported import HEADER, Office, as_csv, office, person

__all__ = ["office"]


def keep_up(office: Office, label: str, **values: str) -> None:
    """As the job does."""
    [row] = office.people(label=label)
    with transaction(office.house.engine, write=True) as session:
        people = find_list(session, 1, "people")
        assert people is not None
        entity = find_entity(session, people, row["uuid"])
        assert entity is not None
        maintain_entities(session, people, [Kept(entity, values)])


def test_an_import_is_undone_whatever_the_server_has_kept_up_since(office: Office) -> None:
    first = office.uploads(as_csv([HEADER, person(1), person(2)]))
    office.runs(first)
    keep_up(office, "王1", members="2026-12-31")
    second = office.uploads(as_csv([HEADER, ("王一", *person(1)[1:]), person(3)]), key="id_number")
    office.runs(second)
    keep_up(office, "王一", members="2027-03-31")
    keep_up(office, "王3", members="2027-03-31")
    keep_up(office, "王3", members="2027-06-30")
    undone = office.undoes(second)
    assert (undone.undone_count, undone.left_count) == (2, 0)
    living = office.living()
    assert set(living) == {"王1", "王2"}
    assert living["王1"]["members"] == "2026-12-31"
    undone = office.undoes(first)
    # The first import's 王1 was put back by somebody since; that is a change.
    assert (undone.undone_count, undone.left_count) == (1, 1)


def test_its_versions_name_no_actor_and_no_submission(office: Office) -> None:
    office.runs(office.uploads(as_csv([HEADER, person(1)])))
    keep_up(office, "王1", members="2026-12-31")
    [row] = office.house.rows(EntityVersion, EntityVersion.version == 2)
    assert (row["actor_id"], row["submission_id"], row["event"], row["received"], row["conflict"]) == (None, None, "entity.maintained", {"members": "2026-12-31"}, None)
