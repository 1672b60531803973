"""The main job, for real: XLSForm -> phone (JavaRosa) -> HTTP -> `minqing serve` -> central database."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from sqlalchemy import MetaData, select

from server.transactions import open_engine
from tests.actors.javarosa import JavaRosa
from tests.actors.live_server import LiveServer
from tests.databases import empty_database
from tests.factories.filled_forms import FIGURES
from tests.factories.phone_media import PLACE, VILLAGE, phone_media

LIST, MANIFEST = "{http://openrosa.org/xforms/xformsList}", "{http://openrosa.org/xforms/xformsManifest}"
MORE = {"response_declared": "no", "trend": "same", **FIGURES, "people/stranded": "4"}


class DownloadedForm:
    """A form and its media as this phone gets them from the server."""

    def __init__(self, server: LiveServer, form_id: str) -> None:
        entries = ElementTree.fromstring(server.get(server.phone_path + "/formList"))
        [entry] = [e for e in entries if e.findtext(LIST + "formID") == form_id]
        self.xform = server.get(entry.findtext(LIST + "downloadUrl", ""))
        media = ElementTree.fromstring(server.get(entry.findtext(LIST + "manifestUrl", "")))
        self.media = {m.findtext(MANIFEST + "filename", ""): server.get(m.findtext(MANIFEST + "downloadUrl", "")) for m in media}


def as_collect_offers(content: bytes) -> bytes:
    """An entity list with the columns that Collect's own store adds."""
    rows = list(csv.reader(io.StringIO(content.decode())))
    out = io.StringIO()
    csv.writer(out).writerows([[*rows[0], "__trunkVersion", "__branchId"], *([*row, "", ""] for row in rows[1:])])
    return out.getvalue().encode()


def on_the_phone(downloaded: DownloadedForm) -> dict[str, bytes]:
    """The form's media, the entity lists as Collect gives them to JavaRosa."""
    return {name: as_collect_offers(content) if name.startswith("disaster_") else content for name, content in downloaded.media.items()}


def central_row(url: str, table: str, *, seconds: float = 20, **where: Any) -> dict[str, Any]:
    """The row, once sync has brought it."""
    engine = open_engine(url)
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            metadata = MetaData()
            with engine.connect() as connection:
                metadata.reflect(connection)
                if table in metadata.tables:
                    found = metadata.tables[table]
                    conditions = [found.c[name] == value for name, value in where.items()]
                    row = connection.execute(select(found).where(*conditions)).mappings().first()
                    if row is not None:
                        return dict(row)
            time.sleep(0.2)
    finally:
        engine.dispose()
    raise AssertionError(f"no row in {table} where {where} after {seconds} s")


@pytest.mark.slow
def test_a_snowstorm_reported_on_a_phone_is_a_row_in_the_central_database(database_kind: str, tmp_path: Path) -> None:
    urls = ["", ""] if database_kind == "sqlite" else [empty_database("postgresql", tmp_path) for _ in range(2)]
    server = LiveServer(tmp_path, database_url=urls[0], central_url=urls[1])
    server.start()
    try:
        with JavaRosa() as javarosa:
            _report_and_follow_up(server, javarosa)
    finally:
        assert server.stop() == 0


def _report_and_follow_up(server: LiveServer, javarosa: JavaRosa) -> None:
    downloaded = DownloadedForm(server, "disaster_report")
    initial = javarosa.open(downloaded.xform, {**phone_media("disaster_report"), **on_the_phone(downloaded)})
    initial.fill(VILLAGE)
    initial.fill({
        "report_kind": "initial", "event_known": "new", "hazard": "snow", "sub_hazard": "heavy_snow", "place": "夏季草场", "event_name": "示例雪灾", "happened_at": "2026-01-02T03:00:00.000+08:00",
        "known_at": "2026-01-02T03:30:00.000+08:00", "arrived_at": "2026-01-02T04:30:00.000+08:00", "location_fix": "yes", "location": PLACE,
        "photo": "snow.jpg", **MORE,
    })  # fmt: skip
    xml = initial.finalise()
    assert server.send(xml, {"snow.jpg": b"\xff\xd8snow"})[0] == 201
    instance_id = ElementTree.fromstring(xml).findtext("{*}meta/{*}instanceID") or ""
    row = central_row(server.settings.central_database, "disaster_report", instance_id=instance_id)
    latitude, longitude = (float(number) for number in PLACE.split()[:2])
    told = {
        "report_kind": "initial", "hazard": "snow", "event_name": "示例雪灾", "people_affected": 120, "people_stranded": 4, "farming_crops_lost": 10.5,
        "farming_sheep_dead": 150, "utilities_power_out": "yes", "location_latitude": latitude, "location_longitude": longitude,
        "submission_division": VILLAGE["division"], "review_state": "received", "submitter": "示例手机", "device_id": "collect:live", "unparsed": None,
    }  # fmt: skip
    assert {name: row[name] for name in told} == told

    # The event that the report made is on the phone's list at its next sync; a follow-up chooses it.
    again = DownloadedForm(server, "disaster_report")
    [event] = csv.DictReader(io.StringIO(again.media["disaster_events.csv"].decode()))
    assert event["label"] == "示例雪灾"
    follow_up = javarosa.open(again.xform, on_the_phone(again))
    follow_up.fill(VILLAGE)
    follow_up.fill({"report_kind": "follow_up", "event": event["name"], "location_fix": "yes", "location": PLACE, "photo": "two.jpg",
                    **MORE, "people/affected": "150"})  # fmt: skip
    assert server.send(follow_up.finalise(), {"two.jpg": b"\xff\xd8two"})[0] == 201
    third = DownloadedForm(server, "disaster_report")
    [own] = csv.DictReader(io.StringIO(third.media["disaster_villages.csv"].decode()))
    assert (own["event"], own["division"], own["__version"], own["last_affected"]) == (event["name"], VILLAGE["division"], "2", "150")
