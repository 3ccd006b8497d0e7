"""The command line; it shows state and decides nothing."""

from ratoon.cli.app import app, main

__all__ = ["app", "main"]
