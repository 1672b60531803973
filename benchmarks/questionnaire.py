"""The form of the measurements: 40 questions, two repeats; and submissions to it of about 4 KB."""

from __future__ import annotations

import uuid

from pyxform.xls2xform import convert


def questionnaire_xform() -> bytes:
    """A form of 40 questions with two repeats, compiled by pyxform."""
    rows = ["| survey | | | |", "| | type | name | label |", "| | text | division | Division |", "| | image | photo | Photo |"]
    kinds = ["integer", "decimal", "text", "date", "geopoint", "dateTime"]
    rows += [f"| | {kinds[n % len(kinds)]} | q{n} | Question {n} |" for n in range(26)]
    for repeat in ("members", "animals"):
        rows += [f"| | begin repeat | {repeat} | {repeat} |", *(f"| | {kinds[n % 3]} | {repeat}{n} | {repeat} {n} |" for n in range(6)), "| | end repeat | | |"]
    rows += ["| settings | | | |", "| | form_title | form_id | version |", "| | Questionnaire | questionnaire | 1 |"]
    return convert("\n".join(rows), file_type=".md").xform.encode()


_VALUES = ["42", "3.25", "藏语回答一段文字 some words", "2026-11-24", "36.9012 100.8934 3012.4 4.5", "2026-11-24T10:11:12.000+08:00"]


def questionnaire_xml(instance_id: str | None = None) -> bytes:
    """A filled-in questionnaire, 4 rows in each repeat."""
    instance_id = instance_id or f"uuid:{uuid.uuid4()}"
    answers = "".join(f"<q{n}>{_VALUES[n % 6]}</q{n}>" for n in range(26))
    repeats = "".join(
        f"<{repeat}>" + "".join(f"<{repeat}{n}>{_VALUES[n % 3]}</{repeat}{n}>" for n in range(6)) + f"</{repeat}>"
        for repeat in ("members", "animals")
        for _row in range(4)
    )
    return (
        '<data xmlns:jr="http://openrosa.org/javarosa" xmlns:orx="http://openrosa.org/xforms" id="questionnaire" version="1">'
        f"<division>632223202200</division><photo>photo.jpg</photo>{answers}{repeats}"
        f"<orx:meta><orx:instanceID>{instance_id}</orx:instanceID></orx:meta></data>"
    ).encode()


def submission_request(path: str, xml: bytes, photo: bytes | None = None) -> bytes:
    """A whole HTTP POST as Collect would send it, on a kept connection."""
    boundary = b"----minqing-benchmark"
    body = b"--" + boundary + b'\r\nContent-Disposition: form-data; name="xml_submission_file"; filename="s.xml"\r\nContent-Type: text/xml\r\n\r\n' + xml
    if photo is not None:
        body += b"\r\n--" + boundary + b'\r\nContent-Disposition: form-data; name="photo.jpg"; filename="photo.jpg"\r\nContent-Type: image/jpeg\r\n\r\n' + photo
    body += b"\r\n--" + boundary + b"--\r\n"
    head = (
        f"POST {path}/submission?deviceID=collect:1 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-OpenRosa-Version: 1.0\r\nUser-Agent: benchmark\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary.decode()}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
