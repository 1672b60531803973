"""`minqing`: click groups over domain functions, one module a group."""

from server.cli import central, entities, forms, people, serving, upkeep
from server.cli.group import minqing

__all__ = ["central", "entities", "forms", "minqing", "people", "serving", "upkeep"]
