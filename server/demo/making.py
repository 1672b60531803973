"""The drawn county, made real on a server: its officers' phones, its reviewers, and every errand in the order of its arrival."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from random import Random

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from server import problems
from server.access.accounts import assign_role, create_user
from server.access.actor import Actor
from server.access.divisions import county_divisions
from server.access.phones import create_phone
from server.access.secrets import Secrets, new_password
from server.demo.county import STORE, County, officer_of, visitor_of
from server.demo.sending import Errand, Post, Ready, become_filler, date_entities, fill_errands, read_xforms
from server.model import Form, FormVersion, User
from server.settings import CHINA, Settings
from server.transactions import transaction

# So many are received in one transaction; more would keep phones waiting on SQLite.
_AT_ONCE = 40
_FILLERS = 2
_MAIL = "demo-{}@example.org"


def make_county(
    engine: Engine, secrets: Secrets, actor: Actor, project_id: int, county: County, *, settings: Settings,
    progress: Callable[[int], None] = lambda _done: None,
) -> int:  # fmt: skip
    """All errands are received; how many. `progress` is told how many are.

    Raises: insufficient_rights, uniqueness_violation (a demo was made here before), form_unknown (the county's forms are not published).
    """
    with transaction(engine, write=True) as session:
        _require_new(session, project_id, county)
        _publish_earlier(session, project_id, county)
        phones = _phones(session, actor, project_id, county, secrets)
        reviewers = _reviewers(session, actor, project_id, settings)
        xforms = read_xforms(session, project_id)
    post, done = Post(engine, project_id, phones=phones, reviewers=reviewers), 0
    for errands, ready in _filled(sorted(_arrived(county), key=lambda one: one.received), post, (xforms, settings), county.random):
        post.receive(errands, ready)
        done += len(errands)
        progress(done)
    with transaction(engine, write=True) as session:
        date_entities(session, project_id)
    return done


def _filled(
    errands: Sequence[Errand], post: Post, begun_with: tuple[Mapping[str, bytes], Settings], random: Random
) -> Iterator[tuple[list[Errand], list[Ready]]]:
    """The errands in order, filled in by processes of their own: a phone's work is more than the server's.

    Whoever names an entity that is being changed waits until that is received, as a phone that downloads the list first.
    """
    waiting: deque[tuple[list[Errand], Future[list[Ready]], set[str]]] = deque()
    with ProcessPoolExecutor(_FILLERS, mp_context=get_context("spawn"), initializer=become_filler, initargs=begun_with) as pool:
        for load in _loads(errands):
            named = {key for errand in load for key in errand.named()}
            while waiting and (len(waiting) > _FILLERS or any(changes & named for _load, _ready, changes in waiting)):
                yield _next(waiting)
            seeds = [random.getrandbits(64) for _ in load]
            changes = {key for errand in load for key in errand.touches}
            waiting.append((load, pool.submit(fill_errands, load, seeds, post.lists_for(load)), changes))
        while waiting:
            yield _next(waiting)


def _next(waiting: deque[tuple[list[Errand], Future[list[Ready]], set[str]]]) -> tuple[list[Errand], list[Ready]]:
    load, ready, _changes = waiting.popleft()
    return load, ready.result()


def _arrived(county: County) -> Iterator[Errand]:
    """What is not received yet today is still on its phone."""
    now = datetime.combine(county.today, datetime.min.time(), CHINA) + timedelta(days=1)
    return (one for one in county.errands if one.received < now)


def _loads(errands: Sequence[Errand]) -> Iterator[list[Errand]]:
    """In order; none names an entity that another one of its load changes, since its phone downloads what that one has changed."""
    load: list[Errand] = []
    touched: set[str] = set()
    for errand in errands:
        if len(load) >= _AT_ONCE or touched.intersection(errand.named()):
            yield load
            load, touched = [], set()
        load.append(errand)
        touched.update(errand.touches)
    if load:
        yield load


def is_made(engine: Engine) -> bool:
    """A county was made here before."""
    with transaction(engine) as session:
        return _find_maker(session) is not None


def _find_maker(session: Session) -> int | None:
    return session.scalar(select(User.actor_id).where(User.email_key == _MAIL.format("county")))


def _require_new(session: Session, project_id: int, county: County) -> None:
    if _find_maker(session) is not None:
        raise problems.uniqueness_violation(["email"], [_MAIL.format("county")])
    known = set(session.scalars(select(Form.form_id).where(Form.project_id == project_id, Form.deleted_at.is_(None))))
    for form_id in sorted({one.form_id for one in county.errands} - known):
        raise problems.form_unknown(form_id)


def _publish_earlier(session: Session, project_id: int, county: County) -> None:
    """The forms were there before the first visit: otherwise no phone could have filled one in that day."""
    first = datetime.combine(county.start - timedelta(days=60), datetime.min.time(), UTC)
    own = select(Form.id).where(Form.project_id == project_id)
    session.execute(update(FormVersion).where(FormVersion.form_pk.in_(own), FormVersion.published_at > first).values(published_at=first))


def _phones(session: Session, actor: Actor, project_id: int, county: County, secrets: Secrets) -> dict[str, int]:
    divisions = county_divisions()
    bound = {STORE: (next(one.code[:6] for one in divisions.values() if one.level == "county"), "县储备库")}
    for village in county.villages:
        name, township = divisions[village].name, divisions[village[:9] + "000"].name
        bound[officer_of(village)] = (village, f"{name} 灾害信息员")
        bound[visitor_of(village)] = (village[:9], f"{township} 探访人员")
    return {
        officer: create_phone(session, actor, project_id, name=name, division=division, secrets=secrets).id for officer, (division, name) in bound.items()
    }  # fmt: skip


def _reviewers(session: Session, actor: Actor, project_id: int, settings: Settings) -> dict[str, int]:
    found = {}
    for level, role, name in (("township", "township-reviewer", "乡镇审核员（演示）"), ("county", "county-reviewer", "县级审核员（演示）")):
        # Nobody signs in with it: an administrator gives them a password who wants to look around as they do.
        password = new_password(20)
        found[level] = create_user(session, actor, email=_MAIL.format(level), password=password, name=name, password_rounds=settings.password_rounds)
        assign_role(session, actor, found[level], role, project_id)
    return found
