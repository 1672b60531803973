"""`minqing user` and `minqing phone`."""

from __future__ import annotations

import click

from server.cli.group import minqing, open_data


@minqing.group()
def user() -> None:
    """Staff accounts."""


@user.command("create")
@click.argument("email")
@click.option("--name", default="", help="Name that others see.")
@click.option("--division", help="Bind to the divisions whose code begins so.")
@click.password_option()
def user_create(email: str, name: str, division: str | None, password: str) -> None:
    """Make an account; give it a role with `minqing user promote`."""
    from server.access.accounts import create_user
    from server.access.actor import system_actor
    from server.transactions import transaction

    with open_data() as (settings, engine), transaction(engine, write=True) as session:
        user_id = create_user(
            session, system_actor("command line"), email=email, password=password, name=name or email, division=division,
            password_rounds=settings.password_rounds,
        )  # fmt: skip
    click.echo(f"{user_id} {email}")


@user.command("promote")
@click.argument("email")
@click.option("--role", default="admin", show_default=True, help="admin, manager, viewer, county-reviewer, township-reviewer, auditor, ...")
@click.option("--project", type=int, help="In this project only.")
def user_promote(email: str, role: str, project: int | None) -> None:
    """Give an account a role, at the site or in a project."""
    from server.access.accounts import assign_role, get_user_id
    from server.access.actor import system_actor
    from server.transactions import transaction

    with open_data() as (_settings, engine), transaction(engine, write=True) as session:
        assign_role(session, system_actor("command line"), get_user_id(session, email), role, project_id=project)
    click.echo(f"{email}: {role}")


@user.command("set-password")
@click.argument("email")
@click.password_option()
def user_set_password(email: str, password: str) -> None:
    """Set an account's password and end its sessions."""
    from server.access.accounts import get_user_id, set_password
    from server.access.actor import system_actor
    from server.transactions import transaction

    with open_data() as (settings, engine), transaction(engine, write=True) as session:
        user_id = get_user_id(session, email)
        set_password(session, system_actor("command line"), user_id, password=password, password_rounds=settings.password_rounds)
    click.echo(email)


@minqing.group()
def phone() -> None:
    """Phones and their QR codes."""


@phone.command("create")
@click.argument("name")
@click.option("--project", default=1, show_default=True)
@click.option("--division", help="Bind to the divisions whose code begins so.")
@click.option("--address", default="http://127.0.0.1:8080", show_default=True, help="Address as the phone reaches the server.")
@click.option("--no-qr", is_flag=True, help="Print the address alone.")
def phone_create(name: str, project: int, division: str | None, address: str, no_qr: bool) -> None:
    """Make a phone and print its address and QR code."""
    import segno

    from server.access.actor import system_actor
    from server.access.phones import create_phone, phone_settings, qr_text
    from server.access.secret_key import read_secret_key
    from server.access.secrets import Secrets
    from server.transactions import transaction

    with open_data() as (settings, engine):
        with transaction(engine, write=True) as session:
            made = create_phone(
                session, system_actor("command line"), project, name=name, division=division, secrets=Secrets(read_secret_key(settings))
            )
        told = phone_settings(settings.base_url or address, made, project_name=name)
    click.echo(told["general"]["server_url"])
    click.echo(f"{made.username} {made.password}")
    if not no_qr:
        segno.make(qr_text(told), error="l").terminal(compact=True)
