"""The short way for a phone that asks whether its list has changed says what the long one does, and leaves to it all that is not plain."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

import pytest

from server.access.phones import revoke_phone
from server.forms.publish import set_state
from server.model import Form
from server.openrosa.unchanged_lists import UnchangedLists
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.phone import CollectPhone
from tests.actors.program import Program
from tests.entities.followed_up import Register
from tests.entities.test_phone_lists import HERE, LOOK_UP, THERE

_PEOPLE = "/projects/1/datasets/people"
Headers = list[tuple[bytes, bytes]]


class Sync:
    """A phone with its list, and staff who change it."""

    def __init__(self, house: House) -> None:
        self.house, self.register = house, Register(house)
        house.publish(LOOK_UP)
        self.phone = house.new_phone(division=HERE)
        self.staff = Program.signed_in(house)
        self.lists = UnchangedLists(house.app.extensions["minqing"])

    def adds(self, division: str = HERE) -> str:
        person = str(uuid.uuid4())
        assert self.staff.post(f"{_PEOPLE}/entities", {"uuid": person, "label": "张三", "data": {"division": division}}).status_code == 200
        return person

    def asked(self, phone: CollectPhone | None = None) -> tuple[str, bytes]:
        """The path of the download, and the tag of what is there now."""
        entry = (phone or self.phone).manifest("look_up")["people.csv"]
        return urlsplit(entry["downloadUrl"]).path, f'"{entry["hash"].removeprefix("md5:")}"'.encode()

    def short(self, path: str, tag: bytes) -> Headers | None:
        return self.lists.headers(path, [(b"accept-encoding", b"gzip"), (b"if-none-match", tag)])


@pytest.fixture
def sync(house: House) -> Sync:
    return Sync(house)


def test_both_ways_say_the_same_to_a_phone_that_has_the_list(sync: Sync) -> None:
    sync.adds()
    path, tag = sync.asked()
    long = sync.phone.get(path, **{"If-None-Match": tag.decode()})
    short = sync.short(path, tag)
    assert (long.status_code, short is not None) == (304, True)
    told = {name.decode().lower(): value.decode() for name, value in short or []}
    assert {name: value for name, value in told.items() if name != "date"} == {
        name.lower(): value for name, value in long.headers.items() if name.lower() != "date"
    }
    assert sync.house.app.extensions["minqing"].phones_seen


def test_any_change_of_its_own_village_ends_it_and_no_other_does(sync: Sync) -> None:
    person = sync.adds()
    path, tag = sync.asked()
    sync.adds(THERE)
    assert sync.short(path, tag)
    for step in (
        sync.adds,
        lambda: sync.staff.patch(f"{_PEOPLE}/entities/{person}?force=true", {"label": "李四"}),
        lambda: sync.staff.patch(f"{_PEOPLE}/entities/{person}?force=true", {"data": {"division": THERE}}),
        lambda: sync.staff.post(f"{_PEOPLE}/properties", {"name": "phone"}),
    ):  # fmt: skip
        before = sync.asked()
        assert sync.short(*before)
        step()
        assert sync.short(*before) is None
        assert sync.phone.get(before[0], **{"If-None-Match": before[1].decode()}).status_code == 200
        assert sync.short(*sync.asked())


def test_what_is_not_plain_is_left_to_the_views(sync: Sync) -> None:
    sync.adds()
    path, tag = sync.asked()
    assert sync.short(path, tag)
    assert [sync.short(path, other) for other in (b"*", b'"abc"', tag + b", " + tag, tag[1:-1])] == [None] * 4
    assert sync.lists.headers(path, []) is None
    token = path.split("/")[3]
    for other in (path.replace(token, token[::-1]), path.replace("people", "others"), path.replace("/projects/1/", "/projects/2/"), path + "x"):
        assert sync.short(other, tag) is None
    # Who sees only his own rows is asked by the views.
    assert sync.staff.patch(_PEOPLE, {"ownerOnly": True}).status_code == 200
    assert sync.short(path, tag) is None
    assert sync.staff.patch(_PEOPLE, {"ownerOnly": False}).status_code == 200
    assert sync.short(path, tag)
    with transaction(sync.house.engine, write=True) as session:
        form = session.query(Form).filter_by(form_id="look_up").one()
        set_state(session, sync.house.admin, form, "closed")
    assert sync.short(path, tag) is None


def test_a_revoked_phone_is_told_nothing(sync: Sync) -> None:
    sync.adds()
    path, tag = sync.asked()
    with transaction(sync.house.engine, write=True) as session:
        revoke_phone(session, sync.house.admin, sync.phone.access.id)
    assert sync.short(path, tag) is None
