"""Data checks before a training: rules inferred from what the champion was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ratoon.core.errors import DataUnfit
from ratoon.core.events import DATA_QUARANTINED, Event
from ratoon.core.ids import derive
from ratoon.core.measuring import RowRange
from ratoon.core.quarantine import Quarantined
from ratoon.core.running import Run
from ratoon.core.schema import Schema
from ratoon.core.times import Clock
from ratoon.core.wire import Json
from ratoon.engine.evidence import features
from ratoon.engine.pinning import only, taken, unpinned, within
from ratoon.stores.protocol import LabelledRows, Store
from ratoon.stores.rulebook import RuleBook, Written
from ratoon.windows import rules
from ratoon.windows.judged import Target
from ratoon.windows.labels import encode, extended
from ratoon.windows.pins import Pin, ranges
from ratoon.windows.rows import Array
from ratoon.windows.snapshot import DatasetSnapshot

_TOLD = 20  # findings that an event names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vetted:
    """Rows that may be trained on, and what was found in the others."""

    found: LabelledRows
    said: str  # in words, for the run
    record: dict[str, Json]
    aside: Quarantined | None = None
    event: Event | None = None


class Vetting:
    """Holds the rows of a training to the rules of its loop."""

    def __init__(self, store: Store, schema: Schema, book: RuleBook | None, clock: Clock) -> None:
        """Check by the rules in a book; without a book nothing is checked."""
        self._store = store
        self._schema = schema
        self._book = book
        self._clock = clock

    def vet(self, run: Run, found: LabelledRows, target: Target, reference: str | None) -> Vetted:
        """Check rows, and leave out those of batches that fail.

        Args:
            run: the run that would train on them.
            found: the rows.
            target: what is predicted.
            reference: the digest of the snapshot that the champion was trained on; without one
                there is nothing to compare with, and only rules are inferred.

        Raises:
            DataUnfit: nothing of the rows may be trained on.
            SettingInvalid: the file of rules was edited so that it cannot be read.
        """
        if self._book is None or reference is None or not found.ids:
            return Vetted(found=found, said="", record={})
        held = rules.check(
            self._rules(reference),
            self._dataset(found, target),
            now=self._clock.now(),
            released=self._released(found),
        )
        record = dict(held.record())
        if held.blocked:
            raise DataUnfit(f"data checks: {_named(held)}; {held.summary()}")
        mask = held.quarantine
        if not mask.any():
            return Vetted(found=found, said=_named(held), record=record)
        aside, event = self._set_aside(run, taken(found, mask), held)
        return Vetted(
            found=taken(found, ~mask),
            said=f"{_named(held)}; {held.summary()}",
            record=record,
            aside=aside,
            event=event,
        )

    def _rules(self, reference: str) -> rules.DataRules:
        """Return the rules in force; where the champion has changed, they are inferred anew.

        What a person wrote into the file stays.
        """
        assert self._book is not None  # asked by `vet` alone, which looked
        written = self._book.read()
        known = None if written is None else rules.from_text(written.text)
        if written is not None and known is not None and written.reference == reference:
            return known
        pin = self._store.pin(reference)
        if pin is None:
            raise DataUnfit(f"data checks: snapshot {reference} of the champion is not pinned")
        snapshot = unpinned(pin, self._store)
        data = _of_snapshot(snapshot, self._times(pin))
        made = rules.infer(data) if known is None else rules.renewed(known, data)
        self._book.write(Written(text=rules.to_text(made.rules), reference=reference))
        return made.rules

    def _times(self, pin: Pin) -> Array:
        """Return the event times of the rows of a pin."""
        whole = RowRange(start=pin.rows[0].start, stop=pin.rows[-1].stop)
        return only(self._store.labelled(whole), pin.rows).columns["time"]

    def _dataset(self, found: LabelledRows, target: Target) -> rules.Dataset:
        grown = extended(target, found.values)
        return rules.Dataset(
            rows=features(found.columns, self._schema),
            target=grown,
            labels=encode(grown, found.values),
            ids=np.array(found.ids),
            times=found.columns["time"],
            batches=found.batches,
            label_batches=found.label_batches,
        )

    def _released(self, found: LabelledRows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Tell which rows a person has let go of before: they are not set aside again."""
        free = np.zeros(len(found.ids), dtype=bool)
        for batch in self._store.quarantined():
            if batch.released_at is not None:
                free |= within(found.ordinals, batch.rows)
        return free

    def _set_aside(
        self, run: Run, gone: LabelledRows, held: rules.Findings
    ) -> tuple[Quarantined, Event]:
        now = self._clock.now()
        reasons = tuple(one.message for one in held.found if one.severity == "fail")[:_TOLD]
        aside = Quarantined(
            id=derive("quarantine", run.id),
            at=now,
            rows=ranges(gone.ordinals),
            reasons=reasons,
            run_id=run.id,
        )
        event = Event(
            id=derive("event", run.loop, DATA_QUARANTINED, run.id),
            source=f"/ratoon/{run.loop}",
            type=DATA_QUARANTINED,
            time=now,
            subject=run.id,
            data={"quarantine": aside.id, "rows": len(gone.ids), "reasons": list(reasons)},
        )
        return aside, event


def _of_snapshot(snapshot: DatasetSnapshot, times: Array) -> rules.Dataset:
    return rules.Dataset(
        times=times,
        rows=snapshot.features,
        target=snapshot.target,
        labels=encode(snapshot.target, snapshot.labels),
    )


def _named(held: rules.Findings) -> str:
    """Return the findings in a line."""
    told = [f"{one.severity}: {one.message}" for one in held.found[:_TOLD]]
    return "; ".join(told) or "the data checks found nothing"
