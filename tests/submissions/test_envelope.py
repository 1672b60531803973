"""XML that is not quite XML: mended where no answer can be lost, refused where one could."""

from __future__ import annotations

import pytest

from server.problems import Problem
from server.submissions.envelope import read_envelope


@pytest.mark.parametrize(
    "xml",
    [
        b'<data id="f" version="1"><orx:meta><orx:instanceID>a</orx:instanceID></orx:meta><age>7</age></data>',
        b'<data id="f" version="1"><meta><instanceID>a</instanceID></orx:meta><age>7</age></data>',
        b'<?xml version="1.0"?>\n<data id="f", version="1"><meta><instanceID>a</instanceID></meta><age>7</age></data>',
        b' \n<?xml version="1.0"?><data id="f" version="1"><meta><instanceID>a</instanceID></meta><age>7</age></data>',
    ],
)
def test_faults_of_programs_that_change_no_answer_are_read_over(xml: bytes) -> None:
    envelope = read_envelope(xml)
    assert (envelope.form_id, envelope.version, envelope.instance_id) == ("f", "1", "a")
    assert envelope.root.findtext("age") == "7"


@pytest.mark.parametrize(
    "xml",
    [
        b'<data id="f"><orx:meta><orx:instanceID>a</orx:instanceID></orx:meta><age>7', b'<data id="f"><orx:age>7</orx:age><b></data>',
        b'<data id="f"><orx:age>7</orx:age><a>1</b></data>', b'<data id="f"><orx:age>7 & 8</orx:age></data>', b'<data id="f"><o:age/></data><data/>',
        b'<!DOCTYPE a><data id="f"><orx:age>7</orx:age></data>',
    ],
)  # fmt: skip
def test_what_is_cut_off_or_crossed_is_refused(xml: bytes) -> None:
    with pytest.raises(Problem) as refused:
        read_envelope(xml)
    assert refused.value.code == "400.1"
