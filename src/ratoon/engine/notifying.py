"""Telling others what a loop recorded."""

from __future__ import annotations

from typing import Protocol

from ratoon.core.deciding import Decision
from ratoon.core.events import Event


class Notifier(Protocol):
    """Is told of every event that a loop makes and every decision, once it is stored.

    It must not raise: what it is told of has happened. A process that dies in between may not tell.
    """

    def notify(self, happened: Event | Decision, /) -> None:
        """Take note of an event or a decision."""
        ...
