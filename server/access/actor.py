"""The one who acts: `Actor.require(verb, thing)` and `visible(statement, actor)` are one rule in two forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Select, and_, false, or_

from server import problems
from server.access.roles import ROLES
from server.model import Form, Submission


class Thing(Protocol):
    """What rights are about: `project_id` (None: the site), `form_pk` (None: all of the project), `division` ('' or None: no one's)."""

    project_id: int | None
    form_pk: int | None
    division: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A thing by its place alone. `Place()` is the site."""

    project_id: int | None = None
    form_pk: int | None = None
    division: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """A role at the site (no project), in a project, or on one form of it."""

    role: str
    project_id: int | None = None
    form_pk: int | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` 0 and no grants: nobody. `division` binds to the rows whose division begins with it."""

    id: int
    kind: str
    name: str
    grants: tuple[Grant, ...] = ()
    division: str | None = None
    session_key: bytes | None = None

    def can(self, verb: str, thing: Any) -> bool:
        """Whether some grant of this actor allows `verb` on `thing`, and its division lies within the actor's."""
        place = place_of(thing)
        if self.division and place.division is not None and not place.division.startswith(self.division):
            return False
        return any(
            verb in ROLES[grant.role]
            and (grant.project_id is None or grant.project_id == place.project_id)
            and (grant.form_pk is None or grant.form_pk == place.form_pk)
            for grant in self.grants
        )

    def require(self, verb: str, thing: Any) -> None:
        """Raises: insufficient_rights (signed in), authentication_failed (nobody)."""
        if not self.can(verb, thing):
            raise problems.insufficient_rights() if self.id else problems.authentication_failed()


NOBODY = Actor(0, "nobody", "")


def system_actor(name: str = "system") -> Actor:
    """The command line and the jobs: every right, bound to no division."""
    return Actor(0, "system", name, (Grant("admin"),))


def place_of(thing: Any) -> Place:
    """Where a thing lies, whatever kind of row it is."""
    if isinstance(thing, Place):
        return thing
    if isinstance(thing, Form):
        return Place(thing.project_id, thing.id)
    project_id = thing.id if type(thing).__name__ == "Project" else thing.project_id
    return Place(project_id, getattr(thing, "form_pk", None), getattr(thing, "division", None))


def division_end(prefix: str) -> str:
    """The first text past all divisions that begin with `prefix`, in digits alone: collations put other signs before or after them."""
    if not (prefix.isascii() and prefix.isdigit()):
        return prefix + "~"
    # Past all nines there is no number of as many digits; a division has 12 digits at most.
    return f"{int(prefix) + 1:0{len(prefix)}}" if prefix.strip("9") else "9" * 13


def visible(statement: Select[Any], actor: Actor, verb: str, table: Any = Submission) -> Select[Any]:
    """`statement` narrowed to the rows of `table` (project_id, form_pk?, division?) on which `actor` may do `verb`."""
    columns = table.__table__.c if hasattr(table, "__table__") else table.c
    form_column = columns["form_pk"] if "form_pk" in columns else (columns["id"] if table is Form else None)
    places, everywhere = [], False
    for grant in actor.grants:
        if verb not in ROLES[grant.role]:
            continue
        if grant.project_id is None:
            everywhere = True
            break
        condition = columns["project_id"] == grant.project_id
        if grant.form_pk is not None:
            condition = and_(condition, form_column == grant.form_pk) if form_column is not None else false()
        places.append(condition)
    if not (places or everywhere):
        return statement.where(false())
    if not everywhere:
        statement = statement.where(or_(*places))
    if actor.division and "division" in columns:
        # A range, not LIKE: it uses the index on both databases whatever the collation.
        statement = statement.where(columns["division"] >= actor.division, columns["division"] < division_end(actor.division))
    return statement
