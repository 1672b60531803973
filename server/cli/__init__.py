"""`minqing`: click groups over domain functions, one module a group."""

from server.cli import central, demo, entities, forms, oversight, people, serving, upkeep
from server.cli.group import minqing

__all__ = ["central", "demo", "entities", "forms", "minqing", "oversight", "people", "serving", "upkeep"]
