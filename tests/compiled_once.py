"""What werkzeug compiles of an address, kept for a process's next app: each test's house is one, with the same 270 addresses."""

from __future__ import annotations

from typing import Any

from werkzeug.routing import Rule

_builders: dict[tuple[Any, ...], Any] = {}
_compile: Any = Rule._compile_builder


def _compile_once(rule: Rule, append_unknown: bool = True) -> Any:
    """The function that writes the rule's address: it follows from the rule's parts, and takes its converters from the rule that it is bound to."""
    if rule.defaults:
        return _compile(rule, append_unknown)
    key = (rule.rule, tuple(rule._trace), append_unknown)
    if key not in _builders:
        _builders[key] = _compile(rule, append_unknown)
    return _builders[key]


def keep_compiled_addresses() -> None:
    """From now on; it was nine tenths of what an app's start costs, in each of some thousand tests."""
    Rule._compile_builder = _compile_once  # type: ignore[method-assign]
