"""A township reviewer finds what a phone just sent, reads it, and sends it back with a reason: in a real browser."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from server.model import Comment, Submission
from tests.actors.browser import browser_at, served
from tests.actors.house import House
from tests.web.clerk import PASSWORD, hire

FORM = """
| survey | | | | |
| | type | name | label::中文 (zh) | label::English (en) |
| | text | division | 村（社区） | Village |
| | select_one yn | met | 是否见到本人？ | Was the person met? |
| | image | door | 门口照片 | Photo of the door |
| | geopoint | location | 位置 | Location |
| choices | | | | |
| | list_name | name | label::中文 (zh) | label::English (en) |
| | yn | yes | 见到本人 | Met in person |
| settings | | | | |
| | form_title | form_id | version | default_language |
| | 探访 | visit | 1 | 中文 (zh) |
"""
VISIT = """<data xmlns:orx="http://openrosa.org/xforms" id="visit" version="1"><division>632223202200</division><met>yes</met>
<door>door.jpg</door><location>36.98 100.86 3200 12</location>
<orx:meta><orx:instanceID>uuid:story</orx:instanceID><orx:instanceName>王×× 探访</orx:instanceName></orx:meta></data>""".encode()


def _photo() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (640, 480), "#7aa7c7").save(written, "JPEG")
    return written.getvalue()


@pytest.mark.story
@pytest.mark.parametrize(
    ("language", "width", "height", "answer", "photo"),
    [("zh", 1366, 768, "见到本人", "门口照片"), ("en", 1366, 768, "Met in person", "Photo of the door"), ("zh", 360, 740, "见到本人", "门口照片")],
)
def test_a_township_reviewer_sends_a_visit_back(house: House, language: str, width: int, height: int, answer: str, photo: str) -> None:
    house.publish(FORM)
    email = hire(house, "township-reviewer", division="632223202")
    assert house.new_phone(division="632223202200").send(VISIT, {"door.jpg": _photo()}).status_code == 201

    with served(house.app) as address, browser_at(address, language=language, width=width, height=height) as staff:
        staff.signs_in(email, PASSWORD)
        staff.needs_no_sideways_scrolling()
        staff.opens_the_case("王×× 探访")
        staff.sees(answer)
        staff.sees("36.980000, 100.860000")
        staff.sees_the_place_on_the_map()
        staff.sees_the_photo(photo)
        staff.needs_no_sideways_scrolling()
        staff.sends_it_back("照片太暗，请重拍")
        staff.sees_that_it_was_sent_back("照片太暗，请重拍")
        staff.signs_out()

    [case], [comment] = house.rows(Submission), house.rows(Comment)
    assert (case["review_state"], comment["body"]) == ("hasIssues", "照片太暗，请重拍")
