"""Write the page of the command line: `python docs/make_command_line.py`.

With `--check` nothing is written, and it fails where the page is not what the commands say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from amseg_keras.command import main

PAGE = Path(__file__).with_name("reference") / "command-line.md"
WIDTH = 88
HEAD = """# Command line

What `amseg COMMAND --help` says, of every command. In Python, `python -m amseg_keras` is `amseg`.
"""


def contexts(parent: click.Context) -> Iterator[click.Context]:
    """A command and all below it, in their order."""
    yield parent
    if isinstance(parent.command, click.Group):
        for name, command in parent.command.commands.items():
            yield from contexts(
                click.Context(
                    command,
                    parent=parent,
                    info_name=name,
                    terminal_width=WIDTH,
                    max_content_width=WIDTH,
                )
            )


top = click.Context(
    main, info_name="amseg", terminal_width=WIDTH, max_content_width=WIDTH, **main.context_settings
)
sections = [
    f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"
    for context in contexts(top)
]
text = "\n".join([HEAD, *sections])

if sys.argv[1:] == ["--check"]:
    if PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE}: is not what the commands say; run python docs/make_command_line.py")
else:
    PAGE.write_text(text, encoding="utf-8")
