"""Disasters: the four first times of each village, who is late, who is silent, cumulative figures."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.access.actor import Place
from server.forms.catalogue import Catalogue
from server.forms.catalogue_file import county_catalogue
from server.forms.definitions import form_definition
from server.http.parts import parts
from server.model import Form
from server.oversight.clocks import minutes_between, read_clocks, read_events
from server.submissions.queries import label_in
from server.transactions import transaction
from server.web import blueprint
from server.web.pages import page
from server.web.showing import divisions_within
from server.web.visitor import language, visitor


@blueprint.get("/projects/<int:project_id>/disasters")
def list_disasters(project_id: int) -> Response:
    """The newest first."""
    actor = visitor().actor
    with transaction(parts().engine) as session:
        events = read_events(session, actor, county_catalogue(parts().settings), project_id)
    return page("disasters.html", events=events)


@blueprint.get("/projects/<int:project_id>/disasters/<uuid>")
def show_disaster(project_id: int, uuid: str) -> Response:
    """One disaster as it stands now; `?division=` narrows it."""
    actor, catalogue = visitor().actor, county_catalogue(parts().settings)
    with transaction(parts().engine) as session, transaction(parts().central) as central:
        found = read_clocks(session, central, actor, catalogue, project_id, uuid, division=request.args.get("division") or None)
        labels = _figure_labels(session, project_id, catalogue)
    known, may_verify = catalogue.disaster_form, actor.can("entity.update", Place(project_id))
    return page("disaster.html", found=found, labels=labels, list_name=known[1].list_name if known and may_verify else "", minutes=minutes_between, divisions=divisions_within(actor), chosen=request.args)


def _figure_labels(session: Session, project_id: int, catalogue: Catalogue) -> dict[str, str]:
    """Question -> its label in the visitor's language, of the form's current version."""
    known = catalogue.disaster_form
    own: Any = Form.__table__.c
    where = (own.project_id == project_id, own.form_id == (known[0].form_id if known else ""), own.deleted_at.is_(None))
    version_id = session.scalar(select(own.current_version_id).where(*where))
    if version_id is None:
        return {}
    return {"/".join(field.path): label_in(field.labels, language()) or field.name for field in form_definition(session, version_id).fields}
