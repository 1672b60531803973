"""What a village phone's ordinary day costs in mobile data, beyond its own photos."""

from __future__ import annotations

import gzip
from typing import Any
from xml.etree import ElementTree

import pytest

from server.model import Entity
from tests.actors.house import House
from tests.actors.phone import HEADERS, MANIFEST
from tests.factories.shipped_forms import FORMS
from tests.oversight.county import VILLAGE, County, at
from tests.oversight.test_due_dates import HOUSEHOLDS

MOST_BYTES = 20_000
PERSONS_LIST, HOUSEHOLDS_LIST = "persons.csv", "households.csv"


class Collect:
    """ODK Collect's way of looking for news: the form list, each manifest, and of the media those whose hash is another; gzip where it can be had."""

    def __init__(self, county: County) -> None:
        self.phone, self.hashes = county.phone(), dict[str, str]()

    def _get(self, path: str) -> tuple[int, bytes]:
        answer = self.phone.client.get(path.removeprefix("http://localhost"), headers={**HEADERS, "Accept-Encoding": "gzip"})
        assert answer.status_code == 200, answer.text
        head = sum(len(name) + len(value) + 4 for name, value in answer.headers) + 20
        is_packed = answer.headers.get("Content-Encoding") == "gzip"
        return len(answer.data) + head, gzip.decompress(answer.data) if is_packed else answer.data

    def refreshes(self) -> dict[str, int]:
        """Bytes by what they were for."""
        cost, _body = self._get(self.phone.base + "/formList")
        spent = {"form list": cost, "manifests": 0}
        for form in self.phone.form_list():
            if "manifestUrl" in form:
                cost, body = self._get(form["manifestUrl"])
                spent["manifests"] += cost
                spent |= self._media(form["formID"], body)
        return spent

    def _media(self, form_id: str, body: bytes) -> dict[str, int]:
        spent: dict[str, int] = {}
        for entry in ElementTree.fromstring(body):
            told: dict[str, Any] = {child.tag.removeprefix(MANIFEST): child.text or "" for child in entry}
            # A list that two forms share is downloaded once; what a form brings with it belongs to the form.
            key = told["filename"] if entry.get("type") else f"{form_id}/{told['filename']}"
            if self.hashes.get(key) != told["hash"]:
                self.hashes[key] = told["hash"]
                spent[key], _content = self._get(told["downloadUrl"])
        return spent


@pytest.fixture
def county(house: House) -> County:
    return County(house, *(form_id for form_id in FORMS if form_id != "household_register"))


def test_an_ordinary_day_costs_at_most_20_kilobytes(county: County) -> None:
    people = [
        county.registers(f"张村民{number}", "2026-07-02", full_name=f"张村民{number}", sex="male", birth_date="1950-01-01", id_masked="999999********0012",
                         support="home", self_care="able", guardian="", risk="low", geometry="36.912345 100.912345 3200 8")
        for number in range(30)
    ]  # fmt: skip
    for number in range(100):
        county.registers(f"王户主{number} 塔列村 {number} 号", "2026-07-02", entities=HOUSEHOLDS, category="dibao" if number % 5 else "none", head_name=f"王户主{number}",
                         address=f"塔列村 {number} 号", phone=f"139000{number:05}", members="4", geometry="36.912345 100.912345 3200 8")  # fmt: skip
    county.keeps_up("2026-08-01")
    collect = Collect(county)
    collect.refreshes()
    quiet = collect.refreshes()
    assert set(quiet) == {"form list", "manifests"}
    # The day: five visits, a household verified, and the night's upkeep.
    for person in people[:5]:
        county.visits(person, "2026-08-02", risk="medium")
    [household] = [row["uuid"] for row in county.house.rows(Entity) if row["label"].startswith("王户主7 ")]
    entity = f'<entity dataset="households" id="{household}" update="1" baseVersion="{county.entity(household)["version"]}"/>'
    county.reports("household_verification", at("2026-08-02"), {"household_id": household, "today": "2026-08-02"}, entity=entity)
    county.keeps_up("2026-08-02")
    county.keeps_up("2026-08-03")
    busy = collect.refreshes()
    assert set(busy) == {"form list", "manifests", PERSONS_LIST, HOUSEHOLDS_LIST}
    print(f"quiet look: {quiet}; after a working day: {busy}, {sum(busy.values())} bytes")
    # One look in the morning, one in the evening.
    assert sum(quiet.values()) + sum(busy.values()) <= MOST_BYTES, (quiet, busy)


def test_a_phone_that_takes_no_gzip_has_the_same_bytes_plain(county: County) -> None:
    county.registers("张三", "2026-07-02")
    phone = county.phone(VILLAGE)
    told = phone.manifest("wubao_visit")[PERSONS_LIST]
    plain = phone.get(told["downloadUrl"])
    packed = phone.get(told["downloadUrl"], **{"Accept-Encoding": "gzip"})
    xform = phone.get(f"{phone.base}/forms/wubao_visit.xml", **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert (packed.data if "Content-Encoding" not in packed.headers else gzip.decompress(packed.data)) == plain.data
    assert xform.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(xform.data) == phone.get(f"{phone.base}/forms/wubao_visit.xml").data
    assert "Accept-Encoding" in xform.headers["Vary"]
    unchanged = phone.get(f"{phone.base}/forms/wubao_visit.xml", **{"If-None-Match": xform.headers["ETag"], "Accept-Encoding": "gzip"})
    assert unchanged.status_code == 304
