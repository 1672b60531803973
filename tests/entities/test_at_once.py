"""Phones and programs at the same moment."""

from __future__ import annotations

import threading
import uuid

from server.model import Entity, EntityVersion
from tests.actors.house import House
from tests.actors.program import Program
from tests.entities.followed_up import Register, visit


def test_phones_that_change_one_entity_at_once_lose_nothing(house: House) -> None:
    register = Register(house)
    person = str(uuid.uuid4())
    phones = [house.new_phone() for _number in range(6)]
    codes: list[int] = []

    def work(number: int) -> None:
        phone, branch = phones[number], str(uuid.uuid4())
        sent = [visit(person, creates=True, who="张三"), visit(person, base=1, branch=branch, age=str(number)), visit(person, base=2, branch=branch, state="x")]
        codes.extend(phone.send(xml).status_code for xml in (sent if number % 2 else sent[::-1]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(phones))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [201] * 18
    [entity] = house.rows(Entity)
    versions = register.versions(person)
    assert entity["version"] == len(versions) == len(house.rows(EntityVersion)) == 13
    assert register.held() == 0


def test_programs_that_make_the_same_entity_at_once_make_one(house: House) -> None:
    admin = Program.signed_in(house)
    admin.post("/projects/1/datasets", {"name": "people"})
    programs = [Program(house, admin.headers["Authorization"].removeprefix("Bearer ")) for _number in range(4)]
    key, codes = str(uuid.uuid4()), []

    def work(number: int) -> None:
        many = {"entities": [{"uuid": key, "label": "x"}], "source": {"name": "x"}}
        codes.append(programs[number].post("/projects/1/datasets/people/entities", many if number % 2 else {"uuid": key, "label": "x"}).status_code)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(programs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, 409, 409, 409]
