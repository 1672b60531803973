"""The whole way, on a server as a county starts it: a register, a phone's visit and report, its list, and the commands' answers."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from server.forms.fields import read_form_definition
from server.oversight.periods import china_day, is_in_last_days, next_period, period_of
from tests.actors.live_server import LiveServer
from tests.actors.phone import MANIFEST
from tests.databases import empty_database
from tests.factories.shipped_forms import xform
from tests.oversight.county import VILLAGE, filled


class Live:
    """A running server, its administrator, its phone and its console."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        answer = self.asks("POST", "/sessions", {"email": "admin@minqing.local", "password": "a password of the tests"})
        self.token = answer["token"]

    def asks(self, method: str, path: str, body: Any) -> Any:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.token}"} if hasattr(self, "token") else {})}
        request = urllib.request.Request(f"{self.server.address}/v1{path}", json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def phones_list(self, form_id: str, name: str) -> dict[str, dict[str, str]]:
        """The rows of a list by id, as a phone downloads them now."""
        manifest = ElementTree.fromstring(self.server.get(f"{self.server.phone_path}/forms/{form_id}/manifest"))
        for entry in manifest:
            told = {child.tag.removeprefix(MANIFEST): child.text or "" for child in entry}
            if told["filename"] == name:
                return {row["name"]: row for row in csv.DictReader(io.StringIO(self.server.get(told["downloadUrl"]).decode()))}
        raise AssertionError(name)

    def sends(self, form_id: str, answers: dict[str, str], entity: str) -> None:
        version = read_form_definition(xform(form_id)).version
        status, body = self.server.send(filled(form_id, version, {"division": VILLAGE, **answers}, entity, f"uuid:{uuid.uuid4()}"))
        assert status == 201, body

    def console(self, *arguments: str) -> str:
        settings = self.server.settings
        environment = {**os.environ, "MINQING_DATA": str(self.server.folder), "MINQING_DATABASE_URL": settings.database_url, "MINQING_CENTRAL_URL": settings.central_url}
        done = subprocess.run([sys.executable, "-m", "server.cli", *arguments], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def until(found: Callable[[], bool], seconds: float = 30) -> None:
    begun = time.monotonic()
    while not found():
        assert time.monotonic() - begun < seconds
        time.sleep(0.2)


@pytest.fixture
def live(database_kind: str, tmp_path: Path) -> Iterator[Live]:
    server = LiveServer(tmp_path, database_url=empty_database(database_kind, tmp_path), central_url=empty_database(database_kind, tmp_path))
    server.start(seconds=120)
    yield Live(server)
    server.stop()


def first_due(today: date) -> date:
    period = period_of("quarter", today)
    return (next_period("quarter", period) if is_in_last_days(period, today, 15) else period).end


def test_a_visit_and_a_report_are_in_the_phones_list_and_in_the_commands_answers(live: Live) -> None:
    today, now = china_day(datetime.now(UTC)), datetime.now(UTC)
    quarter, is_late = period_of("quarter", today), is_in_last_days(period_of("quarter", today), today, 15)
    told = {"division": VILLAGE, "status": "active", "category": "wubao", "full_name": "张三"}
    person = live.asks("POST", "/projects/1/datasets/persons/entities", {"label": "张三", "data": told})["uuid"]
    until(lambda: live.phones_list("wubao_visit", "persons.csv")[person].get("next_due") == str(first_due(today)))
    row = live.phones_list("wubao_visit", "persons.csv")[person]
    assert row["label"] == ("张三" if is_late else "张三  本季度未访")

    entity = f'<entity dataset="persons" id="{person}" update="1" baseVersion="{row["__version"]}"/>'
    live.sends("wubao_visit", {"person": person, "met": "in_person", "today": str(today), "status": "active", "last_visit": str(today)}, entity)
    until(lambda: live.phones_list("wubao_visit", "persons.csv")[person]["next_due"] == str(next_period("quarter", quarter).end))
    assert live.phones_list("wubao_visit", "persons.csv")[person]["label"] == "张三"

    event = str(uuid.uuid4())
    times = {name: (now - timedelta(minutes=minutes)).isoformat() for name, minutes in (("happened_at", 90), ("known_at", 60), ("arrived_at", 50), ("end", 5))}
    live.sends("disaster_report", {"report_kind": "initial", "event_id": event, "hazard": "snow", "event_name": "示例雪灾", "event_status": "open",
                                   "people/affected": "12", **times}, f'<entity dataset="disaster_events" id="{event}" create="1"><label>示例雪灾</label></entity>')  # fmt: skip
    live.console("sync", "run", "--once")

    rows = json.loads(live.console("visits", "coverage", "--quarter", quarter.name, "--format", "json"))
    county = next(row for row in rows if row["level"] == "county" and row["programme"] == "wubao_visit")
    assert (county["due"], county["visited"], county["later"]) == ((0, 0, 1) if is_late else (1, 1, 0))
    in_csv = list(csv.DictReader(io.StringIO(live.console("visits", "coverage", "--quarter", quarter.name, "--division", VILLAGE, "--format", "csv"))))
    assert {row["level"] for row in in_csv} == {"village", "staff"}
    assert "达玉五谷村" in live.console("visits", "coverage", "--quarter", quarter.name)
    assert json.loads(live.console("visits", "coverage", "--quarter", quarter.name, "--names", "--format", "json")) == []

    [village] = json.loads(live.console("disasters", "clocks", "雪灾", "--format", "json"))
    assert (village["code"], village["is_late"], village["finished_after_known_minutes"], village["arrived_after_happened_minutes"]) == (VILLAGE, True, 55, 40)
    levels = json.loads(live.console("disasters", "clocks", event, "--show", "levels", "--format", "json"))
    assert [(row["level"], row["is_late"]) for row in levels] == [("county", False), ("township", False), ("village", True)]
    assert "示例雪灾" in live.console("disasters", "list")
    figures = list(csv.DictReader(io.StringIO(live.console("disasters", "clocks", "雪灾", "--show", "figures", "--format", "csv"))))
    assert [row["people/affected"] for row in figures] == ["12", "12", "12"]

    with pytest.raises(AssertionError, match="2026Q4, 2026-11"):
        live.console("visits", "coverage", "--quarter", "soon")
