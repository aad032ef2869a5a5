"""The ``prelim`` command: results on stdout, logs on stderr.

Exit codes: 0 done; 1 the answer is no (a message was bad, the chain is broken); 2 the call or the
settings are wrong, with the field's path.
"""

from __future__ import annotations

import sys

import typer

from daemon import (
    cli_bench,
    cli_clean,
    cli_compare,
    cli_corpus,
    cli_evaluate,
    cli_journal,
    cli_model,
    cli_reports,
    cli_serve,
    cli_site,
    cli_study,
    cli_transfer,
)
from mappings.errors import PrelimError

app = typer.Typer(
    name="prelim",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    help=(
        "Drafts preliminary radiology impressions: reports come in over MLLP, drafts go out as"
        " FHIR Observations with status preliminary. A human signs; prelim never does.\n\n"
        "First steps: [bold]prelim demo[/] shows the whole path on shipped messages;"
        " [bold]prelim dry-run FILE[/] reads your own messages and says what would be done;"
        " [bold]prelim serve[/] runs the daemon. Every command that prints data takes --json."
    ),
)
for module in (
    cli_serve,
    cli_reports,
    cli_site,
    cli_journal,
    cli_model,
    cli_evaluate,
    cli_compare,
    cli_corpus,
    cli_clean,
    cli_bench,
    cli_study,
    cli_transfer,
):
    module.add_commands(app)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except PrelimError as error:
        where = f"{error.where}: " if error.where else ""
        sys.stderr.write(f"prelim: {where}{error.reason}\n")
        sys.exit(2)
    except BrokenPipeError:
        # The reader of our output (head, less) has seen enough.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.filename is None:
            raise
        # Not the error's own text: strerror depends on the machine's language.
        sys.stderr.write(f"prelim: {error.filename}: cannot_be_used ({type(error).__name__})\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
