"""ODK Collect at the level of HTTP: its headers, its parts, its way of reading answers."""

from __future__ import annotations

import io
from typing import Any
from xml.etree import ElementTree

from flask.testing import FlaskClient

from server.access.phones import PhoneAccess

HEADERS = {"X-OpenRosa-Version": "1.0", "User-Agent": "org.odk.collect.android/v2026.3", "Accept-Language": "zh-CN"}
LIST = "{http://openrosa.org/xforms/xformsList}"
MANIFEST = "{http://openrosa.org/xforms/xformsManifest}"
RESPONSE = "{http://openrosa.org/http/response}"


class CollectPhone:
    """A phone that was set up by QR code."""

    def __init__(self, client: FlaskClient, access: PhoneAccess) -> None:
        self.client, self.access = client, access
        self.base = f"/v1/key/{access.token}/projects/{access.project_id}"

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path.removeprefix("http://localhost"), headers={**HEADERS, **headers})

    def form_list(self) -> list[dict[str, str]]:
        """Each form as formList shows it."""
        answer = self.get(self.base + "/formList")
        assert answer.status_code == 200, answer.text
        assert answer.headers["X-OpenRosa-Version"] == "1.0"
        assert "text/xml" in answer.headers["Content-Type"]
        return [{child.tag.removeprefix(LIST): child.text or "" for child in entry} for entry in ElementTree.fromstring(answer.data)]

    def manifest(self, form_id: str) -> dict[str, dict[str, str]]:
        """Media by file name: type, hash, downloadUrl, integrityUrl."""
        answer = self.get(f"{self.base}/forms/{form_id}/manifest")
        assert answer.status_code == 200, answer.text
        files = {}
        for entry in ElementTree.fromstring(answer.data):
            told = {child.tag.removeprefix(MANIFEST): child.text or "" for child in entry}
            files[told["filename"]] = {"type": entry.get("type", ""), **told}
        return files

    def head_submission(self) -> Any:
        return self.client.head(self.base + "/submission", headers=HEADERS)

    def send(self, xml: bytes, files: dict[str, bytes] | None = None, *, more_to_come: bool = False, path: str | None = None, **headers: str) -> Any:
        """POST the submission; the answer, whatever it is."""
        parts: dict[str, Any] = {"xml_submission_file": (io.BytesIO(xml), "submission.xml", "text/xml")}
        for name, content in (files or {}).items():
            parts[name] = (io.BytesIO(content), name, "image/jpeg")
        if more_to_come:
            parts["*isIncomplete*"] = "yes"
        return self.client.post(
            (path or self.base + "/submission") + "?deviceID=collect%3Aabc", data=parts, content_type="multipart/form-data", headers={**HEADERS, **headers}
        )


def message_of(answer: Any) -> str:
    """The sentence that the officer sees."""
    root = ElementTree.fromstring(answer.data)
    assert root.tag == RESPONSE + "OpenRosaResponse"
    return root.findtext(RESPONSE + "message") or ""
