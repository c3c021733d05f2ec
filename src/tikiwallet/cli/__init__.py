"""`tikiwallet`: one command for everything an installation needs."""

from tikiwallet.cli.admin import admin
from tikiwallet.cli.audit import audit
from tikiwallet.cli.offline import offline
from tikiwallet.cli.processes import cli
from tikiwallet.offline.commands import stranger_commands

cli.add_typer(admin, name="admin")
cli.add_typer(audit, name="audit")
admin.add_typer(offline, name="offline")
cli.add_typer(stranger_commands(), name="offline")


def main() -> None:
    """The console script."""
    cli()
