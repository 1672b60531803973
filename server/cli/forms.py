"""`minqing forms`."""

from __future__ import annotations

from pathlib import Path

import click

from server.cli.group import minqing, open_data


@minqing.group()
def forms() -> None:
    """XLSForms: compile, publish, read, compare."""


@forms.command("compile")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Write the XForm here (default: check only).")
def forms_compile(file: Path, output: Path | None) -> None:
    """Check an .xlsx with pyxform and ODK Validate."""
    from server.forms.compile import compile_xlsform

    compiled = compile_xlsform(file.read_bytes(), file_name=file.name)
    for warning in compiled.warnings:
        click.echo(f"[{warning.sheet} {warning.row}] {warning.zh} / {warning.en}", err=True)
    if output:
        output.write_bytes(compiled.xform)
    click.echo(f"{file.name}: 通过 / passed")


@forms.command("publish")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--project", default=1, show_default=True)
@click.option("--media", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder with the form's media.")
def forms_publish(file: Path, project: int, media: Path | None) -> None:
    """Compile an .xlsx, upload its media and publish it."""
    from server.access.actor import system_actor
    from server.forms.compile import compile_xlsform
    from server.forms.drafts import put_attachment, save_draft
    from server.forms.fields import read_form_definition
    from server.forms.publish import publish_draft
    from server.storage import open_storage
    from server.transactions import transaction

    actor, content = system_actor("command line"), file.read_bytes()
    compiled = compile_xlsform(content, file_name=file.name)
    definition = read_form_definition(compiled.xform)
    with open_data() as (settings, engine):
        storage = open_storage(settings.blob_storage, settings.s3_endpoint, engine)
        kept = {path.name: storage.keep_bytes(path.read_bytes()) for path in media.iterdir()} if media else {}
        xlsx = storage.keep_bytes(content)
        with transaction(engine, write=True) as session:
            form = save_draft(session, actor, project, xform=compiled.xform, definition=definition, xlsx=xlsx)
            for name, _kind in definition.attachments:
                if name in kept:
                    put_attachment(session, actor, form, name, kept[name])
            version = publish_draft(session, actor, form)
            click.echo(f"{form.form_id} {version.version}")


@forms.command("text")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def forms_text(file: Path) -> None:
    """An .xlsx as Markdown tables, for reading and for git."""
    from server.forms.text import form_as_text

    click.echo(form_as_text(file.read_bytes()))


@forms.command("diff")
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def forms_diff(old: Path, new: Path) -> None:
    """What changed between two .xlsx, in plain words."""
    from server.forms.text import form_difference

    click.echo(form_difference(old.read_bytes(), new.read_bytes()))
