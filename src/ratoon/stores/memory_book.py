"""The records of a loop in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ratoon.core.deciding import Decision
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement
from ratoon.core.quarantine import Quarantined
from ratoon.core.running import Run
from ratoon.core.versions import Alias
from ratoon.stores.protocol import Kept, Record, Saved
from ratoon.windows.pins import Pin


@dataclass(slots=True)
class MemoryBook:
    """Keeps events, decisions, measurements, runs, versions, pins and aliases of one loop."""

    _saved: Saved = Saved()
    _delays: str | None = None
    _events: dict[tuple[str, str], Event] = field(default_factory=dict[tuple[str, str], Event])
    _decisions: list[Decision] = field(default_factory=list[Decision])
    _measurements: list[Measurement] = field(default_factory=list[Measurement])
    _runs: dict[str, Run] = field(default_factory=dict[str, Run])
    _versions: dict[int, Kept] = field(default_factory=dict[int, Kept])
    _pins: dict[str, Pin] = field(default_factory=dict[str, Pin])
    _quarantined: dict[str, Quarantined] = field(default_factory=dict[str, Quarantined])
    _aliases: dict[Alias, int | None] = field(default_factory=dict["Alias", "int | None"])

    def saved(self) -> Saved:
        """Return where the loop is."""
        return self._saved

    def delays(self) -> str | None:
        """Return what is known of label delays."""
        return self._delays

    def commit(self, record: Record, /) -> None:
        """Store what a turn changed: all of it is read before any of it is kept."""
        events, measurements = [*record.events], [*record.measurements]
        decisions, pins = [*record.decisions], [*record.pins]
        quarantined = [*record.quarantined]
        runs = {run.id: run for run in record.runs}
        versions = {kept.version.number: kept for kept in record.versions}
        self._saved = self._saved if record.saved is None else record.saved
        self._delays = self._delays if record.delays is None else record.delays
        self._measurements.extend(measurements)
        for event in events:
            self._events.setdefault((event.source, event.id), event)
        self._decisions.extend(decisions)
        self._runs.update(runs)
        self._versions.update(versions)
        self._pins.update({pin.digest: pin for pin in pins})
        self._quarantined.update({found.id: found for found in quarantined})
        self._aliases.update(record.aliases)

    def events(self) -> Sequence[Event]:
        """Return all events."""
        return list(self._events.values())

    def decisions(self) -> Sequence[Decision]:
        """Return all decisions."""
        return list(self._decisions)

    def measurements(self) -> Sequence[Measurement]:
        """Return all measurements."""
        return list(self._measurements)

    def runs(self) -> Sequence[Run]:
        """Return all runs."""
        return list(self._runs.values())

    def versions(self) -> Sequence[Kept]:
        """Return all versions."""
        return list(self._versions.values())

    def run(self, run_id: str, /) -> Run | None:
        """Return a run by its id."""
        return self._runs.get(run_id)

    def version(self, number: int, /) -> Kept | None:
        """Return a version by its number."""
        return self._versions.get(number)

    def pins(self) -> Sequence[Pin]:
        """Return the pins of all snapshots."""
        return list(self._pins.values())

    def pin(self, digest: str, /) -> Pin | None:
        """Return the pin of a snapshot by its digest."""
        return self._pins.get(digest)

    def quarantined(self) -> Sequence[Quarantined]:
        """Return all rows that were ever set aside."""
        return list(self._quarantined.values())

    def alias(self, name: Alias, /) -> int | None:
        """Return the version that an alias names."""
        return self._aliases.get(name)
