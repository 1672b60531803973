"""A submission's XML as the database keeps it: sealed where it holds an ID or bank account number, and as it was sent for whoever reads it."""

from __future__ import annotations

from sqlalchemy import Dialect
from sqlalchemy.orm import Session

from server.access.sealed import holds_sealed, sealer_of


def stored_xml(dialect: Dialect, xml: bytes, answers: str) -> bytes:
    """What goes into the row. `answers`: its answers as JSON text, with such numbers sealed."""
    return sealer_of(dialect).seal_xml(xml) if holds_sealed(answers) else xml


def sent_xml(session: Session, stored: bytes) -> bytes:
    """The XML byte for byte as it was sent."""
    return sealer_of(session.get_bind().dialect).unseal_xml(bytes(stored))
