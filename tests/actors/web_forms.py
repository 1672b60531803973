"""A form in ODK Web Forms, in Chromium at the size of a phone.

The library comes from the npm registry into `.tools/web-forms` (scripts/install-test-needs); nothing of it is in this repository.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, Route, expect, sync_playwright

from tests.actors.browser import CHROMIUM, FLAGS

_MODULES = Path(__file__).parents[2] / ".tools" / "web-forms" / "node_modules"
# https: Web Forms makes its uuids with the browser's crypto, which is there in a secure context alone.
_ADDRESS = "https://forms.test/"
_LIBRARIES = {"vue": "vue/dist/vue.esm-browser.prod.js", "@getodk/web-forms": "@getodk/web-forms/dist/index.js"}
_FAILED = ".form-load-failure-dialog"
_PAGE = """<!doctype html><html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><script type="importmap">%s</script><body style="margin:0"><div id="app"></div><script type="module">
import { createApp, h } from "vue";
import { OdkWebForm, webFormsPlugin } from "@getodk/web-forms";
const formXml = await (await fetch("form.xml")).text();
const fetchFormAttachment = url => fetch("media/" + url.href.split("/").pop());
createApp({ render: () => h(OdkWebForm, { formXml, fetchFormAttachment, missingResourceBehavior: "ERROR" }) }).use(webFormsPlugin).mount("#app");
</script>"""


class WebForm:
    """What a person sees of the form and does with it. `complaints`: errors of the page and its console."""

    def __init__(self, page: Page) -> None:
        self.page, self.complaints = page, list[str]()
        page.set_default_timeout(6_000)
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def failure(self) -> str:
        """Why the form could not be drawn; '' where it was."""
        return self.page.locator(_FAILED).text_content() or "" if self.page.locator(_FAILED).count() else ""

    def question(self, label: str) -> Locator:
        """The one with this label, of several the first."""
        return self.page.locator(".question-container").filter(has=self.page.locator(".control-text", has_text=label)).first

    def chooses(self, answers: dict[str, str]) -> None:
        """Of each question the choice, from a list that unfolds or from buttons."""
        for label, choice in answers.items():
            question = self.question(label)
            if question.get_by_role("combobox").count():
                question.get_by_role("combobox").click()
                self.page.get_by_role("option", name=choice, exact=True).click()
            else:
                question.get_by_text(choice, exact=True).click()

    def writes(self, answers: dict[str, str]) -> None:
        for label, text in answers.items():
            field = self.question(label).locator("input, textarea").first
            field.click()
            field.press("Control+a")
            field.press_sequentially(text)
            field.press("Tab")

    def picks_today(self, label: str) -> None:
        self.question(label).get_by_role("combobox").click()
        self.page.locator(".p-datepicker-today").click()
        self.page.keyboard.press("Escape")

    def sees(self, text: str) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible()

    def sees_not(self, text: str) -> None:
        expect(self.page.get_by_text(text)).to_have_count(0)


@contextmanager
def web_form(xform: bytes, media: dict[str, bytes]) -> Iterator[WebForm]:
    """The form, once it is drawn or has said why it cannot be. What the page's console complains of fails the test."""
    imports = json.dumps({"imports": {name: f"/lib/{path}" for name, path in _LIBRARIES.items()}})

    def answer(route: Route) -> None:
        folder, _, name = route.request.url.removeprefix(_ADDRESS).partition("/")
        if folder == "":
            route.fulfill(body=_PAGE % imports, content_type="text/html; charset=utf-8")
        elif folder == "form.xml":
            route.fulfill(body=xform, content_type="text/xml; charset=utf-8")
        elif folder == "media" and name in media:
            route.fulfill(body=media[name], content_type="text/csv; charset=utf-8")
        elif folder == "lib" and (_MODULES / name).is_file():
            route.fulfill(path=_MODULES / name, content_type=mimetypes.guess_type(name)[0])
        else:
            route.fulfill(status=404)

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = chromium.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
        page.route(_ADDRESS + "**", answer)
        form = WebForm(page)
        page.goto(_ADDRESS)
        page.wait_for_selector(f".odk-form, {_FAILED}", timeout=30_000)
        yield form
        chromium.close()
    assert form.complaints == []
