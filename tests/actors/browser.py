"""A member of staff before a real browser: Chromium, driven through Playwright, on the app in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from playwright.sync_api import Page, expect, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip
# What a person reads, by language.
_WORDS = {
    "zh": {"email": "邮箱", "password": "密码", "sign in": "登录", "sign out": "退出", "what to correct": "需要更正的内容", "send back": "退回修改",
           "sent back": "已退回", "list": "提交数据"},
    "en": {"email": "E-mail", "password": "Password", "sign in": "Sign in", "sign out": "Sign out", "what to correct": "What must be corrected",
           "send back": "Send back", "sent back": "Sent back", "list": "Submissions"},
}  # fmt: skip


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        pass


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The app's address while the block runs."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def browser_at(address: str, *, language: str, width: int = 1366, height: int = 768) -> Iterator[StaffBrowser]:
    """A fresh browser that asks for this language. What its console complains of fails the test."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        locale = {"zh": "zh-CN", "en": "en-GB"}[language]
        page = chromium.new_context(viewport={"width": width, "height": height}, locale=locale).new_page()
        staff = StaffBrowser(page, address, language)
        yield staff
        chromium.close()
    assert staff.complaints == []


class StaffBrowser:
    """What a person at a browser does and sees."""

    def __init__(self, page: Page, address: str, language: str) -> None:
        self.page, self.address, self.complaints = page, address, list[str]()
        self._words = _WORDS[language]
        page.set_default_timeout(15_000)
        page.on("console", lambda message: self.complaints.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def signs_in(self, email: str, password: str) -> None:
        """Opens the server's address and is let in to the list of submissions."""
        self.page.goto(self.address)
        self.page.get_by_label(self._words["email"]).fill(email)
        self.page.get_by_label(self._words["password"]).fill(password)
        self.page.get_by_role("button", name=self._words["sign in"]).click()
        expect(self.page.get_by_role("heading", name=self._words["list"])).to_be_visible()

    def opens_the_case(self, name: str) -> None:
        self.page.get_by_role("link", name=name).click()
        expect(self.page.get_by_role("heading", name=name)).to_be_visible()

    def sees(self, text: str) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible()

    def sees_the_photo(self, label: str) -> None:
        """The picture under this label is drawn, not broken."""
        photo = self.page.get_by_alt_text(label)
        photo.scroll_into_view_if_needed()
        expect(photo).to_be_visible()
        self.page.wait_for_function("label => [...document.images].some(i => i.alt === label && i.complete && i.naturalWidth > 0)", arg=label)

    def sees_the_place_on_the_map(self) -> None:
        """The county's rectangle and the place itself are drawn."""
        expect(self.page.locator("#map path.leaflet-interactive")).to_have_count(2)

    def sends_it_back(self, reason: str) -> None:
        self.page.get_by_label(self._words["what to correct"]).fill(reason)
        self.page.get_by_role("button", name=self._words["send back"]).click()

    def sees_that_it_was_sent_back(self, reason: str) -> None:
        expect(self.page.locator(".head .badge")).to_have_text(self._words["sent back"])
        expect(self.page.locator(".timeline").first).to_contain_text(reason)

    def signs_out(self) -> None:
        self.page.get_by_role("button", name=self._words["sign out"]).click()
        expect(self.page.get_by_role("button", name=self._words["sign in"])).to_be_visible()

    def needs_no_sideways_scrolling(self) -> None:
        assert self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
