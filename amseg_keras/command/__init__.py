"""The `amseg` command: thin, every subcommand calls the library."""

from amseg_keras.command.main import main

__all__ = ["main"]
