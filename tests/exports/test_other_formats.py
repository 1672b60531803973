"""Workbooks, GeoJSON and GeoPackage: what ODK Central has not, or has more simply."""

from __future__ import annotations

import io
import sqlite3

from openpyxl import load_workbook

from tests.exports.program import HOUSEHOLD, Program, a_household, a_member

PLACES = """
| survey | | | |
| | type | name | label |
| | geopoint | here | Here |
| | geotrace | way | Way |
| | geoshape | field | Field |
| | begin repeat | wells | Wells |
| | geopoint | well | Well |
| | text | owner | Owner |
| | end repeat | | |
| settings | | | |
| | form_title | form_id | version |
| | Places | places | 1 |
"""


def a_place(instance_id: str, *, here: str = "36.5 100.5 3000 5", way: str = "", field: str = "", wells: tuple[str, ...] = ()) -> bytes:
    rows = "".join(f"<wells><well>{well}</well><owner>甲</owner></wells>" for well in wells)
    return (
        f'<data id="places" version="1"><here>{here}</here><way>{way}</way><field>{field}</field>{rows}'
        f"<meta><instanceID>{instance_id}</instanceID></meta></data>"
    ).encode()


def sheets_of(answer) -> dict[str, list[tuple]]:
    book = load_workbook(io.BytesIO(answer.data))
    return {sheet.title: [tuple(cell.value for cell in row) for row in sheet.iter_rows()] for sheet in book}


def test_a_workbook_speaks_the_chosen_language(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1", head='=1+1 &lt;&amp;" ', heating="coal dung", place="36.5 100.5 1 2", members=a_member("甲", 40, ("yak",))))
    chinese, english = (sheets_of(Program(house).get("/submissions.xlsx", language=language)) for language in ("zh", "en"))
    assert list(chinese) == ["Submissions", "members", "animals"]
    row = dict(zip(*chinese["Submissions"], strict=True))
    assert (row["户主"], row["人数"], row["收入"], row["取暖"], row["位置 Latitude"]) == ('=1+1 <&"', 3, 12.5, "煤、牛粪", 36.5)
    assert dict(zip(*english["Submissions"], strict=True))["Heating"] == "Coal, Dung"
    assert chinese["members"] == [("姓名", "年龄", "PARENT_KEY", "KEY"), ("甲", 40, "uuid:1", "uuid:1/home/members[1]")]
    assert chinese["animals"][1] == ("yak", "uuid:1/home/members[1]", "uuid:1/home/members[1]/animals[1]")


def test_a_workbook_without_submissions_opens(house):
    house.publish(HOUSEHOLD)
    assert len(sheets_of(Program(house).get("/submissions.xlsx"))["Submissions"]) == 1


def test_sensitive_answers_are_masked_in_a_workbook(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1", id_number="632223198001011234"))
    row = dict(zip(*sheets_of(Program(house, role="viewer").get("/submissions.xlsx", language="en"))["Submissions"], strict=True))
    assert row["ID number"] == "632223********1234"


def test_places_are_features_and_badly_written_ones_are_not(house):
    house.publish(PLACES)
    phone = house.new_phone()
    phone.send(a_place("uuid:1", way="1 2 3 4; 5 6 7 8", field="1 2; 3 4; 5 6; 1 2", wells=("1 2", "3 4 5 6")))
    phone.send(a_place("uuid:2", here="91 2", field="1 2; 3 4"))
    phone.send(a_place("uuid:3", here="01.5 2"))
    program = Program(house)
    found = program.get("/submissions.geojson", form="places").json
    assert found == {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "id": "uuid:1", "geometry": {"type": "Point", "coordinates": [100.5, 36.5, 3000]}, "properties": {"fieldpath": "/here"}}
        ],
    }
    by_path = {path: program.get("/submissions.geojson", form="places", fieldpath=path).json["features"] for path in ("/way", "/field", "/wells/well", "/no")}
    assert by_path["/way"][0]["geometry"] == {"type": "LineString", "coordinates": [[2, 1, 3], [6, 5, 7]]}
    assert by_path["/field"][0]["geometry"]["type"] == "Polygon" and len(by_path["/field"]) == 1
    assert by_path["/wells/well"][0]["geometry"] == {"type": "MultiPoint", "coordinates": [[2, 1], [4, 3, 5]]}
    assert by_path["/no"] == [] and by_path["/way"][0]["properties"] is None
    assert program.client.get("/v1/projects/1/forms/places/submissions.geojson?fieldpath=a&fieldpath=b", headers=program._headers).json["code"] == 400.41
    assert program.get("/submissions.geojson", form="places", limit="0", _filter="__id eq 'uuid:2'").json["features"] == []
    assert program.get("/submissions/uuid:1.geojson", form="places").json["features"][0]["id"] == "uuid:1"
    assert program.get("/submissions/uuid:1/versions/uuid:1.geojson", form="places", fieldpath="/way").json["features"][0]["geometry"]["type"] == "LineString"
    assert program.get("/submissions/uuid:9.geojson", form="places").status_code == 404


def test_answers_are_a_feature_s_properties_on_demand(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1", place="36.5 100.5", members=a_member("甲"), id_number="632223198001011234"))
    [feature] = Program(house).get("/submissions.geojson", answers="true").json["features"]
    told = feature["properties"]
    assert (told["head"], told["people"], told["home-roof"], told["id_number"]) == ("卓玛", 3, "tin", "632223********1234")
    assert not any("members" in name or name == "place" for name in told)


def test_a_geopackage_has_a_layer_for_each_question_about_a_place(house, tmp_path):
    house.publish(PLACES)
    phone = house.new_phone()
    phone.send(a_place("uuid:1", way="1 2 3 4; 5 6 7 8", wells=("1 2", "3 4 5 6", "")))
    phone.send(a_place("uuid:2", here=""))
    answer = Program(house).get("/submissions.gpkg", form="places")
    assert answer.status_code == 200
    (tmp_path / "x.gpkg").write_bytes(answer.data)
    with sqlite3.connect(tmp_path / "x.gpkg") as database:
        layers = dict(database.execute("SELECT table_name, srs_id FROM gpkg_contents"))
        assert layers == {"here": 4326, "way": 4326, "field": 4326, "wells_well": 4326}
        assert database.execute("SELECT KEY FROM here").fetchall() == [("uuid:1",)]
        assert database.execute("SELECT owner, PARENT_KEY, KEY FROM wells_well ORDER BY fid").fetchall() == [
            ("甲", "uuid:1", "uuid:1/wells[1]"), ("甲", "uuid:1", "uuid:1/wells[2]"),
        ]  # fmt: skip
        assert database.execute("SELECT count(*) FROM field").fetchone() == (0,)
    without = HOUSEHOLD.replace("| | geopoint | place | 位置 | Place |\n", "").replace("household | 1", "flat | 1")
    house.publish(without)
    assert Program(house).get("/submissions.gpkg", form="flat").json["code"] == 400.41
