"""Former questions, drafts, what phones logged, and encrypted submissions."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from openpyxl import load_workbook
from sqlalchemy import update

from server.forms.publish import publish_draft
from server.model import EncryptionKey, Form, FormVersion, Submission
from server.submissions.trash import purge_submissions
from server.transactions import transaction
from tests.exports.program import HOUSEHOLD, Program, a_household, unzipped


def test_former_questions_come_on_demand(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1", income="9"))
    house.publish(HOUSEHOLD.replace("| | decimal | income | 收入 | Income |\n", "").replace("household | 1", "household | 2"))
    [now] = Program(house).table()
    [then] = Program(house).table(deletedFields="true")
    assert "income" not in now and float(then["income"]) == 9


def rows_of_sheet(answer, column: str = "KEY") -> list[Any]:
    """A column of the workbook's first sheet."""
    assert answer.status_code == 200, answer.text
    header, *rows = load_workbook(io.BytesIO(answer.data))["Submissions"].iter_rows(values_only=True)
    return [row[header.index(column)] for row in rows]


def keys_of_layer(answer, layer: str = "place") -> list[str]:
    """Keys of a layer's features, in order."""
    assert answer.status_code == 200, answer.text
    database = sqlite3.connect(":memory:")
    database.deserialize(answer.data)
    return [row[0] for row in database.execute(f'SELECT KEY FROM "{layer}" ORDER BY KEY')]


def test_a_draft_s_submissions_stay_apart(house):
    house.publish(HOUSEHOLD)
    form = house.save_draft(HOUSEHOLD.replace("household | 1", "household | 2"))
    [version] = house.rows(FormVersion, FormVersion.id == form.draft_version_id)
    path = f"/v1/test/{version['draft_token']}/projects/1/forms/household/draft/submission"
    assert house.new_phone().send(a_household("uuid:tried", place="36.9 100.8 1 2").replace(b'version="1"', b'version="2"'), path=path).status_code == 201
    program = Program(house)
    assert program.table() == [] and program.rows() == []
    assert [row["KEY"] for row in program.table("/draft/submissions.csv")] == ["uuid:tried"]
    assert "household.csv" in unzipped(program.get("/draft/submissions.csv.zip").data)
    assert [row["__id"] for row in program.get("/draft.svc/Submissions").json["value"]] == ["uuid:tried"]
    assert rows_of_sheet(program.get("/draft/submissions.xlsx")) == ["uuid:tried"] and rows_of_sheet(program.get("/submissions.xlsx")) == []
    assert keys_of_layer(program.get("/draft/submissions.gpkg")) == ["uuid:tried"] and keys_of_layer(program.get("/submissions.gpkg")) == []
    assert program.get("/draft.svc/Submissions('uuid:tried')").json["value"][0]["head"] == "卓玛"


def tried(house, version: str) -> str:
    """A draft of this version, to be tried at this address."""
    form = house.save_draft(HOUSEHOLD.replace("household | 1", f"household | {version}"))
    [row] = house.rows(FormVersion, FormVersion.id == form.draft_version_id)
    return f"/v1/test/{row['draft_token']}/projects/1/forms/household/draft/submission"


def test_what_was_tried_on_a_former_draft_is_in_the_trash_and_erased_with_it(house):
    phone, program = house.new_phone(), Program(house)
    assert phone.send(a_household("uuid:tried"), path=tried(house, "1")).status_code == 201
    path = tried(house, "2")
    [row] = house.rows(Submission)
    assert row["deleted_at"] is not None and program.table("/draft/submissions.csv") == []
    assert phone.send(a_household("uuid:tried"), path=path).status_code == 409, "as in Central"
    assert phone.send(a_household("uuid:again"), path=path).status_code == 201
    with transaction(house.engine, write=True) as session:
        publish_draft(session, house.admin, session.get_one(Form, row["form_pk"]))
    assert all(one["deleted_at"] is not None for one in house.rows(Submission))
    assert phone.send(a_household("uuid:tried").replace(b'version="1"', b'version="2"')).status_code == 201, "nobody tried it on the form itself"
    with transaction(house.engine, write=True) as session:
        assert purge_submissions(session, datetime.now(UTC) + timedelta(days=31)) == 2
    assert [one["is_draft"] for one in house.rows(Submission)] == [False]


AUDITED = """
| survey | | | |
| | type | name | label |
| | audit | audit | |
| | text | name | Name |
| settings | | | |
| | form_title | form_id | version |
| | Audited | audited | 1 |
"""


def test_what_phones_logged_is_one_file(house):
    house.publish(AUDITED)
    phone = house.new_phone()
    xml = '<data id="audited" version="1"><name>x</name><meta><instanceID>{}</instanceID><audit>audit.csv</audit></meta></data>'
    phone.send(xml.format("one").encode(), {"audit.csv": b"event,node,start,end,strange\nform start,,1,2,x\nquestion,/data/name,3\n"})
    phone.send(xml.format("two").encode(), {"audit.csv": '\ufeffnode,event,user\n/data/"q",jump,卓玛\n\n'.encode()})
    answer = Program(house).get("/submissions.csv.zip", form="audited")
    files = unzipped(answer.data)
    assert list(files) == ["audited.csv", "audited - audit.csv"]
    assert files["audited - audit.csv"].decode().splitlines() == [
        "instance ID,event,node,start,end,latitude,longitude,accuracy,old-value,new-value,user,change-reason",
        "one,form start,,1,2,,,,,,,", "one,question,/data/name,3,,,,,,,,", 'two,jump,"/data/""q""",,,,,,,,卓玛,',
    ]  # fmt: skip


class Locked:
    """A managed key with its passphrase, and a phone's way of encrypting for it."""

    def __init__(self, passphrase: str) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        pem = self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        salt, iv = os.urandom(16), os.urandom(16)
        wrapping = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, 128_000, 32)
        pad = 16 - len(pem) % 16
        sealed = Cipher(algorithms.AES(wrapping), modes.CBC(iv)).encryptor().update(pem + bytes([pad]) * pad)
        self.private = {"privkey": base64.b64encode(sealed).decode(), "salt": base64.b64encode(salt).decode(), "iv": base64.b64encode(iv).decode()}
        self.public = base64.b64encode(
            self._key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        ).decode()

    def submission(self, instance_id: str, xml: bytes, media: dict[str, bytes], mask: type = hashes.SHA256) -> tuple[bytes, dict[str, bytes]]:
        key = os.urandom(32)
        sealed = self._key.public_key().encrypt(key, padding.OAEP(padding.MGF1(mask()), hashes.SHA256(), None))
        counter = bytearray(hashlib.md5(instance_id.encode() + key).digest())
        files = {}
        for index, (name, content) in enumerate([*media.items(), ("submission.xml", xml)]):
            counter[index % 16] = (counter[index % 16] + 1) % 256
            pad = 16 - len(content) % 16
            files[f"{name}.enc"] = Cipher(algorithms.AES(key), CFB(bytes(counter))).encryptor().update(content + bytes([pad]) * pad)
        listed = "".join(f"<media><file>{name}.enc</file></media>" for name in media)
        manifest = (
            '<data xmlns="http://opendatakit.org/submissions" encrypted="yes" id="household" version="1">'
            f"<base64EncryptedKey>{base64.b64encode(sealed).decode()}</base64EncryptedKey>{listed}<encryptedXmlFile>submission.xml.enc</encryptedXmlFile>"
            f'<orx:meta xmlns:orx="http://openrosa.org/xforms"><orx:instanceID>{instance_id}</orx:instanceID></orx:meta></data>'
        )
        return manifest.encode(), files


def with_key(house, locked: Locked) -> int:
    house.publish(HOUSEHOLD)
    with transaction(house.engine, write=True) as session:
        key = EncryptionKey(public=locked.public, private=locked.private, managed=True, hint="", created_at=datetime.now(UTC))
        session.add(key)
        session.flush()
        session.execute(update(FormVersion).where(FormVersion.id == session.get(Form, 1).current_version_id).values(key_id=key.id))
        return key.id


def test_a_passphrase_opens_what_phones_encrypted(house):
    locked = Locked("雪山 passphrase")
    key_id = with_key(house, locked)
    phone = house.new_phone()
    for number, mask in ((1, hashes.SHA256), (2, hashes.SHA1)):
        manifest, files = locked.submission(f"uuid:{number}", a_household(f"uuid:{number}", head="密", place="36.9 100.8 1 2"), {"door.jpg": b"photo" * 99}, mask)
        assert phone.send(manifest, files).status_code == 201
    program = Program(house)
    assert [(row["head"], row["Status"]) for row in program.table()] == [("", "not decrypted")] * 2
    assert [row["head"] for row in program.table(**{str(key_id): "雪山 passphrase"})] == ["密", "密"]
    posted = program.post("/submissions.csv.zip", json={str(key_id): "雪山 passphrase"})
    files = unzipped(posted.data)
    assert files["media/door.jpg"] == b"photo" * 99 and "密" in files["household.csv"].decode()
    assert "密" in program.post("/submissions.csv", data={str(key_id): "雪山 passphrase"}).text
    opened = {str(key_id): "雪山 passphrase"}
    assert rows_of_sheet(program.post("/submissions.xlsx", json=opened), "户主") == ["密", "密"]
    assert rows_of_sheet(program.get("/submissions.xlsx"), "Status") == ["not decrypted"] * 2
    assert keys_of_layer(program.post("/submissions.gpkg", json=opened)) == ["uuid:1", "uuid:2"]
    assert keys_of_layer(program.get("/submissions.gpkg")) == []
    assert program.post("/submissions.xlsx", json={str(key_id): "wrong"}).status_code == 400
    wrong = program.get("/submissions.csv", **{str(key_id): "wrong"})
    assert (wrong.status_code, wrong.json["code"]) == (400, 400.12)
    assert program.rows()[0]["__system"]["status"] == "notDecrypted"


def test_an_encrypted_submission_without_its_file_says_so(house):
    locked = Locked("passphrase")
    with_key(house, locked)
    manifest, files = locked.submission("uuid:1", a_household("uuid:1"), {})
    house.new_phone().send(manifest)
    [row] = Program(house).rows()
    assert row["__system"]["status"] == "missingEncryptedFormData" and "head" not in row
    [line] = Program(house).table()
    assert (line["Status"], line["AttachmentsPresent"], line["AttachmentsExpected"]) == ("missing encrypted form data", "0", str(len(files)))


def test_one_damaged_submission_does_not_end_the_export(house):
    locked = Locked("passphrase")
    key_id = with_key(house, locked)
    phone = house.new_phone()
    for number in (1, 2):
        manifest, files = locked.submission(f"uuid:{number}", a_household(f"uuid:{number}"), {"door.jpg": b"photo"})
        if number == 1:
            files = {name: content[:-3] for name, content in files.items()}
        phone.send(manifest, files)
    rows = Program(house).table(**{str(key_id): "passphrase"})
    assert [(row["KEY"], row["Status"]) for row in rows] == [("uuid:2", ""), ("uuid:1", "not decrypted")]
    files = Program(house).files(**{str(key_id): "passphrase"})
    assert {name for name in files if name.startswith("media/")} == {"media/door.jpg"}
