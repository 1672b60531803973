"""Households and the people in them, drawn by chance: names as they are heard in the county, none of them anybody's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from server.demo.places import home_near, village_centre
from server.entities.imports.values import check_character

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "玉兰秀英桂芳海生国庆建军长寿德福春花永明文才金成有财喜梅存良占林生莲得胜"
_TIBETAN = ("卓玛", "才让", "扎西", "多杰", "央金", "措姆", "尼玛", "达娃", "仁青", "索南", "拉毛", "南加", "华旦", "彭措", "旦正", "吉太", "更登", "羊措")
_MONGOL = ("巴图", "其其格", "乌兰", "敖登", "苏和", "那仁", "格日勒", "阿拉坦")
_HUI = ("伊布拉", "海买", "麦燕", "尔沙", "法土麦", "哈三", "索菲", "优素")


@dataclass(slots=True)
class Person:
    """`claim`: none, wubao, orphan or unattended; `uuid` of the register's entity, for those who are visited. Ages by `birth`."""

    name: str
    sex: str
    birth: date
    number: str
    relation: str
    ethnicity: str
    claim: str = "none"
    uuid: str = ""
    failed: int = 0
    wage: int = 0
    months: int = 0
    illness_cost: int = 0
    ended: date | None = None

    def age_on(self, day: date) -> int:
        """In full years."""
        return int((day - self.birth).days / 365.2425)


@dataclass(slots=True)
class Household:
    """`division`: village code; `home`: latitude, longitude; `herd`: sheep and yaks kept; `loss`: 0 to 3, how hard the snow will hit it."""

    uuid: str
    division: str
    home: tuple[float, float]
    address: str
    phone: str
    category: str
    members: list[Person]
    sheep: int = 0
    yaks: int = 0
    loss: int = 0
    registered_on: date = date(2000, 1, 1)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def head(self) -> Person:
        """Who stands for it in the register."""
        return self.members[0]


class Population:
    """Draws people; an ID number is never drawn twice."""

    def __init__(self, random: Random, uuids: Iterator[str], today: date) -> None:
        self._random, self._uuids, self._today = random, uuids, today
        self._drawn: dict[tuple[date, str], int] = {}

    def number(self, birth: date, sex: str) -> str:
        """An ID number of GB 11643 with division 999999, which is not in use."""
        taken = self._drawn.get((birth, sex), 0)
        self._drawn[birth, sex] = taken + 1
        sequence = 2 * taken + (1 if sex == "male" else 2)
        if sequence > 999:
            raise ValueError("more people born on one day than numbers")
        body = f"999999{birth:%Y%m%d}{sequence:03d}"
        return body + check_character(body)

    def person(self, relation: str, *, ages: tuple[int, int], ethnicity: str, sex: str | None = None, family: str = "") -> Person:
        """Somebody of that age today."""
        random = self._random
        sex = sex or random.choice(("male", "female"))
        birth = self._today - timedelta(days=random.randrange(int(ages[0] * 365.2425), int((ages[1] + 1) * 365.2425)))
        return Person(self._name(ethnicity, family), sex, birth, self.number(birth, sex), relation, ethnicity)

    def _name(self, ethnicity: str, family: str) -> str:
        random = self._random
        if ethnicity == "tibetan":
            return random.choice(_TIBETAN) + random.choice(_TIBETAN)
        if ethnicity == "mongol":
            return random.choice(_MONGOL)
        if ethnicity in {"hui", "salar"}:
            return (family or "马") + random.choice(_HUI)
        return (family or random.choice(_SURNAMES)) + random.choice(_GIVEN) + random.choice(("", *_GIVEN))

    def household(self, division: str, number: int) -> Household:
        """One with its members; about one in twelve has somebody who is visited each quarter."""
        random = self._random
        ethnicity = random.choices(("tibetan", "han", "mongol", "hui", "tu"), (45, 25, 15, 10, 5))[0]
        family = random.choice(_SURNAMES)
        kind = random.choices(("family", "elder", "orphan"), (90, 7, 3))[0]
        head = self.person("self", ages=(62, 88) if kind == "elder" else (28, 66), ethnicity=ethnicity, family=family)
        members = [head]
        if kind == "elder":
            head.claim, head.uuid, head.failed = "wubao", next(self._uuids), random.choices(range(7), (60, 12, 10, 6, 6, 4, 2))[0]
        else:
            members += self._family(head, kind, ethnicity, family)
        poor = 0.75 if kind == "elder" else 0.15 if any(one.wage for one in members) else 0.5
        category = random.choices(("dibao", "edge", "none"), (poor, 0.08, 0.92 - poor))[0]
        home = home_near(random, village_centre(division))
        phone = f"139{random.randrange(10**8):08d}"
        return Household(
            next(self._uuids), division, home, f"{number} 号", phone, category, members, sheep=random.choice((0, 20, 40, 60, 80, 120)),
            yaks=random.choice((0, 0, 5, 10, 20)), loss=random.choices(range(4), (45, 30, 18, 7))[0],
        )  # fmt: skip

    def _family(self, head: Person, kind: str, ethnicity: str, family: str) -> list[Person]:
        random = self._random
        found = []
        if kind == "family" and random.random() < 0.8:
            found.append(self.person("spouse", ages=(26, 62), ethnicity=ethnicity, sex="female" if head.sex == "male" else "male"))
        children = random.choices(range(4), (20, 35, 35, 10))[0]
        found += [self.person("child", ages=(1, 24), ethnicity=ethnicity, family=family) for _ in range(children)]
        if kind == "orphan":
            child = self.person("grandchild", ages=(4, 16), ethnicity=ethnicity, family=family)
            child.claim, child.uuid = random.choice(("orphan", "unattended")), next(self._uuids)
            found.append(child)
        for person in [head, *found]:
            if 18 <= person.age_on(self._today) < 60 and random.random() < 0.6:
                person.wage, person.months = random.randrange(8, 26) * 100, random.randrange(2, 10)
            if random.random() < 0.12:
                person.illness_cost = random.randrange(5, 120) * 100
        return found
