"""Everything that is on record of a loop, for reading."""

from __future__ import annotations

from collections.abc import Sequence

from ratoon.core import wire
from ratoon.core.deciding import Decision, Retrain
from ratoon.core.errors import VersionUnknown
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement
from ratoon.core.running import Run
from ratoon.core.versions import ModelVersion
from ratoon.engine.results import Status
from ratoon.engine.why import Lineage, told
from ratoon.policies import PolicyState
from ratoon.policies.state import Reign
from ratoon.stores.protocol import Store


class Records:
    """Reads a loop's records; it changes nothing and needs no definition."""

    def __init__(self, store: Store, loop: str) -> None:
        """Look at one loop's store."""
        self._store = store
        self._loop = loop

    def events(self) -> Sequence[Event]:
        """Return all events."""
        return self._store.events()

    def decisions(self) -> Sequence[Decision]:
        """Return all decisions."""
        return self._store.decisions()

    def runs(self) -> Sequence[Run]:
        """Return all runs."""
        return self._store.runs()

    def versions(self) -> Sequence[ModelVersion]:
        """Return all versions."""
        return [kept.version for kept in self._store.versions()]

    def measurements(self) -> Sequence[Measurement]:
        """Return all measurements."""
        return self._store.measurements()

    def champion(self) -> int | None:
        """Return the number of the champion."""
        return self._store.alias("champion")

    def challenger(self) -> int | None:
        """Return the number of the challenger under test."""
        return self._store.alias("challenger")

    def version(self, number: int | None = None) -> ModelVersion:
        """Return a version, by default the champion."""
        wanted = self.champion() if number is None else number
        kept = None if wanted is None else self._store.version(wanted)
        if kept is None:
            raise VersionUnknown(self._loop, wanted, tuple(v.number for v in self.versions()))
        return kept.version

    def status(self) -> Status:
        """Return how the loop stands."""
        champion, challenger = self.champion(), self.challenger()
        state = self.state()
        runs, measured = self.runs(), self.measurements()
        reign = None if state is None else state.reign
        since = None if reign is None else reign.since
        waiting = None if state is None or state.waiting is None else state.waiting.reason
        return Status(
            loop=self._loop,
            champion=None if champion is None else self.version(champion),
            challenger=None if challenger is None else self.version(challenger),
            since=since,
            counts=self._store.counts(),
            latest={m.metric: m for m in measured if _is_of(m, reign)},
            run=runs[-1] if runs else None,
            waiting=waiting,
            retrainings=max(0, sum(isinstance(d, Retrain) for d in self.decisions()) - 1),
            refused=sum(run.status == "refused" for run in runs),
            rollbacks=sum(run.status == "rolled back" for run in runs),
        )

    def state(self) -> PolicyState | None:
        """Return the policy's state but for what only its settings can read."""
        text = self._store.saved().state
        if text is None:
            return None
        found = wire.loads(dict[str, object], text)
        return wire.from_json(PolicyState, found | {"triggers": None})

    def lineage(self, number: int | None = None) -> Lineage:
        """Return all that led to a version, and what was refused since the one before it."""
        version = self.version(number)
        run = None if version.run_id is None else self._store.run(version.run_id)
        decisions = self.decisions()
        decision = next((d for d in decisions if run is not None and d.id == run.decision_id), None)
        events = {event.id: event for event in self.events()}
        causes = () if decision is None else decision.causes
        return Lineage(
            version=version,
            is_champion=version.number == self.champion(),
            run=run,
            decision=decision,
            events=tuple(events[c.event_id] for c in causes if c.event_id in events),
            refused=self._refused_before(version, run),
            history=tuple(e for e in events.values() if e.subject == f"version {version.number}"),
        )

    def why(self, number: int | None = None) -> str:
        """Tell in words why a version is live, or was."""
        return told(self.lineage(number))

    def _refused_before(self, version: ModelVersion, run: Run | None) -> tuple[Run, ...]:
        """Return the runs that ended without a promotion since the version's parent was made."""
        if version.parent is None or run is None:
            return ()
        begin = self.version(version.parent).created_at
        return tuple(
            other
            for other in self.runs()
            if other.id != run.id
            and other.status in ("refused", "failed")
            and begin <= other.started_at <= run.started_at
        )


def _is_of(m: Measurement, reign: Reign | None) -> bool:
    """Tell whether a measurement is of the champion's time, and of it as a whole."""
    if reign is None or m.subject is not None or m.window.rows is None:
        return False
    return m.window.rows.start >= reign.since_row
