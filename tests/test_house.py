"""The house stays as it is drawn: sizes, twins, names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULE_LINES: dict[str, int] = {}
CODE = [path for room in ("server", "sync") for path in sorted((ROOT / room).rglob("*.py"))]


def test_no_module_grows_beyond_400_lines() -> None:
    long = {str(p.relative_to(ROOT)): n for p in CODE if (n := len(p.read_text().splitlines())) > 400}
    assert {name: n for name, n in long.items() if n > MODULE_LINES.get(name, 400)} == {}


def test_no_drawer_is_called_utils() -> None:
    vague = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}
    assert [p for p in CODE if p.stem in vague] == []


def test_a_view_is_at_most_25_lines() -> None:
    long = []
    for path in [p for p in CODE if p.parts[-2] in {"web", "openrosa", "rest", "odata"}]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any("blueprint" in ast.dump(d) for d in node.decorator_list):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > 25:
                    long.append(f"{path.name}:{node.name} {lines}")
    assert long == []


def test_only_transactions_commits() -> None:
    # direct.py commits for the one path that every submission takes, and nothing else may.
    commits = re.compile(r"\.commit\(\)|\"COMMIT\"|autocommit = True")
    found = {str(p.relative_to(ROOT)) for p in CODE if commits.search(p.read_text())}
    assert found <= {"server/transactions.py", "server/direct.py"}


def test_the_two_readmes_say_the_same_things() -> None:
    english, chinese = (ROOT / "README.md").read_text(), (ROOT / "README.zh.md").read_text()
    headings = [len(re.findall(r"^#+ ", text, re.MULTILINE)) for text in (english, chinese)]
    assert headings[0] == headings[1]
    commands = [re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for text in (english, chinese)]
    assert commands[0] == commands[1]
    assert re.findall(r"`MINQING_\w+`", english) == re.findall(r"`MINQING_\w+`", chinese)


def test_every_setting_is_in_the_readme_or_says_why_not() -> None:
    import dataclasses

    from server.settings import Settings

    told = (ROOT / "README.md").read_text()
    rarely_touched = {"MINQING_FORWARDED_HOSTS", "MINQING_POST_BYTES", "MINQING_MAX_BODY_BYTES", "MINQING_PASSWORD_ROUNDS"}
    names = {field.metadata["variable"] for field in dataclasses.fields(Settings)}
    assert {name for name in names if f"`{name}`" not in told} == rarely_touched


def test_every_foreign_key_has_an_index() -> None:
    from server.model import Table

    missing = []
    for table in Table.metadata.sorted_tables:
        led = {next(iter(index.columns)).name for index in table.indexes} | {next(iter(table.primary_key.columns)).name}
        led |= {next(iter(c.columns)).name for c in table.constraints if c.__class__.__name__ == "UniqueConstraint"}
        missing += [f"{table.name}.{column.name}" for column in table.columns if column.foreign_keys and column.name not in led]
    assert missing == []
