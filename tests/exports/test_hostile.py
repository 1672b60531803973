"""Whatever a program asks of an export, it gets rows or a sentence, never a server error."""

from __future__ import annotations

from tests.exports.program import HOUSEHOLD, Program, a_household, a_member

ODD = ["%00", "%ED%A0%80", "%FF", "..", "%2F", "'", "%27%29", "a" * 3000, "🧊", "%", "null", "-1", "9" * 40, "1e999", "NaN", "%0A", "()"]
PATHS = [
    "/submissions.csv", "/submissions.csv.zip", "/submissions.xlsx", "/submissions.gpkg", "/submissions.geojson", "/draft/submissions.csv",
    ".svc", ".svc/$metadata", ".svc/Submissions", ".svc/Submissions.home.members", ".svc/Submissions('uuid:1')/home/members", "/draft.svc/Submissions",
]  # fmt: skip
OPTIONS = [
    "$filter", "$orderby", "$search", "$select", "$expand", "$top", "$skip", "$skiptoken", "$count", "$wkt", "$format", "fieldpath", "limit", "language",
    "groupPaths", "deletedFields", "splitSelectMultiples", "bom", "attachments", "1", "99999999999",
]  # fmt: skip


def test_odd_addresses_get_a_4xx(house):
    house.publish(HOUSEHOLD)
    program = Program(house, role="admin")
    places = [f"/v1/projects/1/forms/{odd}{path}" for odd in ODD for path in PATHS]
    places += [f"/v1/projects/{'9' * 30}/forms/household{path}" for path in PATHS] + [f"/v1/projects/0/forms/household{path}" for path in PATHS]
    places += [f"/v1/projects/1/forms/household.svc/Submissions('{odd}')/{odd}" for odd in ODD]
    places += [f"/v1/projects/1/forms/household.svc/{odd}" for odd in ODD]
    places += [f"/v1/projects/1/forms/household/submissions/{odd}.geojson" for odd in ODD]
    places += [f"/v1/projects/1/forms/household/submissions/{odd}/versions/{odd}.geojson" for odd in ODD]
    for place in places:
        answer = program.client.get(place, headers=program._headers)
        assert 300 <= answer.status_code < 500 or place.endswith((".geojson", "%")), (place, answer.status_code)
        assert answer.status_code < 500, (place, answer.text)


def test_odd_options_get_rows_or_a_sentence(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1", members=a_member("甲")))
    program = Program(house, role="admin")
    for path in PATHS:
        if "draft" in path or "gpkg" in path:
            continue
        for option in OPTIONS:
            for odd in ODD:
                answer = program.client.get(f"/v1/projects/1/forms/household{path}?{option}={odd}", headers=program._headers)
                assert answer.status_code in {200, 301, 304, 308, 400, 404, 406, 501}, (path, option, odd, answer.status_code, answer.text[:300])


def test_odd_bodies_get_a_4xx(house):
    house.publish(HOUSEHOLD)
    program = Program(house, role="admin")
    for body in (b"[" * 100_000, b'{"1": 5}', b'{"1": "\\u0000"}', b'{"1": "\\ud800"}', b"\xff", b"[]", b'{"1": "x", "2": Infinity}'):
        answer = program.post("/submissions.csv", data=body, content_type="application/json")
        assert answer.status_code in {200, 400, 413}, (body[:20], answer.status_code)
    for body in (b"1=%00&2=%ff", b"1=" + b"a" * 300_000, b"&" * 5000):
        answer = program.post("/submissions.csv.zip", data=body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code in {200, 400, 413}, (body[:20], answer.status_code)


def test_a_filter_at_its_limits_is_still_answered(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1"))
    program = Program(house)
    many = " or ".join(f"head eq '{n}'" for n in range(190)) + " or __id eq 'uuid:1'"
    assert len(program.rows(_filter=many)) == 1
    deep = "(" * 39 + "__id eq 'uuid:1'" + ")" * 39
    assert len(program.rows(_filter=deep)) == 1
    assert len(program.rows(_filter="not " * 38 + "__id eq 'uuid:1'")) == 1
    assert len(program.rows(_filter="__id in (" + ",".join(f"'uuid:{n}'" for n in range(300)) + ")")) == 1
