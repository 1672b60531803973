"""Exports are one instant's data, in constant memory, and stop when the client goes."""

from __future__ import annotations

import tracemalloc

import pytest

from benchmarks.questionnaire import questionnaire_xform
from benchmarks.stored import fill
from server.exports.csv_files import CsvOptions, csv_zip, prepare_csv, root_csv
from server.forms.drafts import save_draft
from server.forms.fields import read_form_definition
from server.forms.publish import publish_draft
from server.transactions import transaction
from tests.exports.program import HOUSEHOLD, Program, a_household, a_member


def an_export(house, form: str, **options):
    with transaction(house.engine) as session:
        return prepare_csv(session, house.admin, 1, form, options=CsvOptions(**options), passphrases={})


def test_what_arrives_during_an_export_is_not_in_it(house):
    house.publish(HOUSEHOLD)
    phone = house.new_phone()
    for number in range(520):
        phone.send(a_household(f"uuid:{number}", members=a_member("甲")))
    pieces = root_csv(an_export(house, "household"), house.engine, house.storage)
    begun = next(pieces)
    phone.send(a_household("uuid:late"))
    phone.send(a_household("uuid:edit", replaces="uuid:0", head="改"))
    whole = (begun + b"".join(pieces)).decode()
    assert whole.count("\n") == 521 and "late" not in whole and "改" not in whole
    assert len(Program(house).table()) == 521


def test_a_client_that_goes_ends_the_transaction(house):
    house.publish(HOUSEHOLD)
    phone = house.new_phone()
    for number in range(300):
        phone.send(a_household(f"uuid:{number}", place="36.5 100.5"))
    program = Program(house)
    for path in ("/submissions.csv", "/submissions.csv.zip", "/submissions.xlsx", "/submissions.geojson", ".svc/Submissions"):
        answer = program.client.get(f"/v1/projects/1/forms/household{path}", headers=program._headers, buffered=False)
        next(answer.response)
        assert house.engine.pool.checkedout() == 1, path
        answer.close()
        assert house.engine.pool.checkedout() == 0, path


@pytest.mark.slow
def test_memory_does_not_grow_with_the_submissions(house):
    xform = questionnaire_xform()
    with transaction(house.engine, write=True) as session:
        publish_draft(session, house.admin, save_draft(session, house.admin, 1, xform=xform, definition=read_form_definition(xform)))
    fill(house.settings, 4000)
    peaks = []
    for chosen in ("startswith(__id,'uuid:stored-1')", None):
        export = an_export(house, "questionnaire", filter_text=chosen)
        tracemalloc.start()
        lines = b"".join(csv_zip(export, house.engine, house.storage, with_files=True))
        peaks.append(tracemalloc.get_traced_memory()[1] - len(lines))
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.3, peaks


def test_a_slow_look_through_answers_is_stopped(house, monkeypatch):
    from server.exports import rows

    house.publish(HOUSEHOLD)
    monkeypatch.setattr(rows, "SCAN_SECONDS", 0 if house.engine.dialect.name == "sqlite" else 0.001)
    phone = house.new_phone()
    for number in range(60):
        phone.send(a_household(f"uuid:{number}", members="".join(a_member(f"甲{n}") for n in range(60))))
    answer = Program(house).get(".svc/Submissions", _search="nowhere")
    assert (answer.status_code, answer.json.get("code")) in {(400, 400.72), (200, None)}
    if house.engine.dialect.name == "sqlite":
        assert answer.status_code == 400
    assert len(Program(house).rows(_filter="__id eq 'uuid:1'")) == 1
