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
from ratoon.engine.pinning import only, taken, unpinned, usable, within
from ratoon.stores.protocol import LabelledRows, Store
from ratoon.stores.rulebook import RuleBook, Written
from ratoon.windows import rules
from ratoon.windows.judged import Target
from ratoon.windows.labels import encode, extended
from ratoon.windows.pins import ranges

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

    def vet(
        self, run: Run, rows: RowRange, held_out: RowRange, target: Target, reference: str | None
    ) -> Vetted:
        """Read rows to train on but for those set aside, and leave out batches that fail.

        Args:
            run: the run that would train on them.
            rows: their ordinals.
            held_out: ordinals of the rows that will judge the model; they are checked too.
            target: what is predicted.
            reference: the digest of the snapshot that the champion was trained on; without one
                there is nothing to compare with, and only rules are inferred.

        Raises:
            DataUnfit: nothing of the rows may be trained on.
            RulesUnreadable: the file of rules was edited so that it cannot be read.
        """
        if self._book is None or reference is None:
            return Vetted(found=self._usable((rows,)), said="", record={})
        found = self._usable((rows, held_out) if held_out else (rows,))
        judging = within(found.ordinals, (held_out,)) & ~within(found.ordinals, (rows,))
        if judging.all():
            return Vetted(found=taken(found, ~judging), said="", record={})
        held = rules.check(
            self._rules(reference),
            dataset_of(self._store, found, self._schema, target, judging),
            now=self._clock.now(),
            released=self._released(found),
        )
        record = dict(held.record())
        if held.blocked:
            raise DataUnfit(f"data checks: {_named(held)}; {held.summary()}")
        trained = taken(found, held.passed & ~judging)
        if held.passed.all():
            return Vetted(found=trained, said=_named(held), record=record)
        said = f"{_named(held)}; {held.summary()}"
        if not held.quarantine.any():
            return Vetted(found=trained, said=said, record=record)
        aside, event = self._set_aside(run, taken(found, held.quarantine), held)
        return Vetted(
            found=trained,
            said=said,
            record=record,
            aside=aside,
            event=event,
        )

    def _usable(self, wanted: tuple[RowRange, ...]) -> LabelledRows:
        """Read the labelled rows of some ranges, but for those that are set aside."""
        every = RowRange(start=min(r.start for r in wanted), stop=max(r.stop for r in wanted))
        found = usable(self._store.labelled(every), self._store.quarantined())
        among = np.any([within(found.ordinals, (r,)) for r in wanted], axis=0)
        return found if among.all() else taken(found, among)

    def _rules(self, reference: str) -> rules.DataRules:
        """Return the rules in force; where the champion has changed, they are inferred anew.

        What a person wrote into the file stays.
        """
        assert self._book is not None  # asked by `vet` alone, which looked
        written = self._book.read()
        known = None if written is None else rules.from_text(written.text, written.source)
        if written is not None and known is not None and written.reference == reference:
            return known
        data = reference_of(self._store, reference)
        made = rules.infer(data) if known is None else rules.renewed(known, data)
        self._book.write(Written(text=rules.to_text(made.rules), reference=reference))
        return made.rules

    def _released(self, found: LabelledRows) -> rules.Mask:
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


def dataset_of(
    store: Store,
    found: LabelledRows,
    schema: Schema,
    target: Target,
    held_out: rules.Mask | None = None,
) -> rules.Dataset:
    """Return labelled rows with all that is known of them, to be held to rules."""
    grown = extended(target, found.values)
    return rules.Dataset(
        rows=features(found.columns, schema),
        target=grown,
        labels=encode(grown, found.values),
        ids=np.array(found.ids),
        times=found.columns["time"],
        arrived=store.arrived(found.batches),
        labelled=store.arrived(found.label_batches),
        held_out=held_out,
        batches=found.batches,
        label_batches=found.label_batches,
    )


def reference_of(store: Store, digest: str) -> rules.Dataset:
    """Return the rows of a snapshot, to infer rules from.

    Raises:
        DataUnfit: there is no such snapshot.
    """
    pin = store.pin(digest)
    if pin is None:
        raise DataUnfit(f"data checks: snapshot {digest} of the champion is not pinned")
    whole = RowRange(start=pin.rows[0].start, stop=pin.rows[-1].stop)
    snapshot = unpinned(pin, store)
    return rules.Dataset(
        times=only(store.labelled(whole, columns=("time",)), pin.rows).columns["time"],
        rows=snapshot.features,
        target=snapshot.target,
        labels=encode(snapshot.target, snapshot.labels),
    )


def _named(held: rules.Findings) -> str:
    """Return the findings in a line."""
    told = [f"{one.severity}: {one.message}" for one in held.found[:_TOLD]]
    return "; ".join(told) or "the data checks found nothing"
