"""The conductor: takes in what arrived, lets the policy decide, and does what it orders."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from ratoon.core import wire
from ratoon.core.deciding import SnapshotPlan
from ratoon.core.errors import (
    ArtifactCorrupt,
    DataUnfit,
    ModelUnusable,
    RatoonError,
    TrainingFailed,
)
from ratoon.core.events import ROLLBACK_REQUESTED, Event
from ratoon.core.measuring import RowRange
from ratoon.core.running import Run
from ratoon.core.schema import Schema
from ratoon.core.versions import Verdict
from ratoon.deployers import Local, Traffic
from ratoon.engine.carrying import carried_out
from ratoon.engine.checking import check_judges
from ratoon.engine.delays import DelayReader
from ratoon.engine.evidence import Evidence
from ratoon.engine.models import Models
from ratoon.engine.referring import Referring
from ratoon.engine.training import Ports, Training
from ratoon.policies import Policy, PolicyState, Standing, Turn, champions
from ratoon.policies.state import Trial
from ratoon.policies.turn import Complained, Grown, Labelled, Seen, Ticked, Told
from ratoon.stores.drafts import event_in
from ratoon.stores.protocol import Entry, LabelledRows, Record, Saved
from ratoon.windows.arrived import Arrived
from ratoon.windows.judged import Judged, Target
from ratoon.windows.labels import extended

_TRIED = 2  # rows of a new model that metrics, gate and rollout are tried on


class Conductor:
    """One loop at work. The journal is the truth; everything else follows from it.

    What arrived is stored first. Then each journal entry is taken in, turn by turn; every turn is
    stored whole. A process that dies between two turns goes on where the last one ended.
    """

    def __init__(self, policy: Policy, ports: Ports, schema: Schema, target: Target) -> None:
        """Open the loop where it was left."""
        self.policy = policy
        self.schema = schema
        self._ports = ports
        self._store = ports.store
        self.models = Models(ports.store, ports.vault, policy.loop)
        self._evidence = Evidence(self._joined, self.models, schema, policy.metrics)
        self._delays = DelayReader(ports.store)
        self._referring = Referring(ports.store, self.models, schema)
        self._newest: LabelledRows | None = None  # that were joined, read once for all who ask
        self._training = Training(ports, self.models, schema, policy.metrics, policy.train_on)
        self.deployer = Local()
        self.stale = False
        self._saved = ports.store.saved()
        self.target = _target(self._saved) or target
        self._definition = described(policy)
        self._schema = wire.dumps(schema)
        self._told = (self.target, wire.dumps(self.target))  # it hardly ever changes
        self.state = self._opened()

    def _opened(self) -> PolicyState:
        """Read the state; where the settings have changed, what depends on them starts anew."""
        if self._saved.state is None:
            return self.policy.init()
        if self._saved.definition == self._definition:
            return self.policy.load(self._saved.state)
        return self.policy.adopt(self._saved.state)

    def advance(self) -> None:
        """Take in all that has arrived, and do all that follows from it."""
        self._finish_training()
        for entry in self._store.entries(self._saved.cursor):
            self._delays.take(entry, self._joined)
            self._take_in(entry)
            self._finish_training()

    def close(self) -> None:
        """Store what need not be counted again."""
        told = None if self.stale or self._store.stale else self._delays.last()
        if told is not None:
            self._store.commit(Record(saved=self._saved, delays=told))

    def converge(self) -> None:
        """Let the champion of the records answer."""
        desired = Traffic(champion=self._store.alias("champion"))
        if desired.champion is not None and desired != self.deployer.observed():
            self.deployer.apply(desired, self.models.of_version(desired.champion))

    def begin(self, reason: str) -> None:
        """Train the first version, and raise what went wrong if it did."""
        self.advance()
        if self.state.reign is not None:
            return  # it was begun before, and only its end was missing
        turn = self.policy.begin(self.state, self._ports.clock.now(), reason)
        self._commit(turn)
        self.advance()
        self._raise_unless_started()

    def take(self, model: Any) -> None:
        """Make a finished model the first version, judged on all labelled rows."""
        self.advance()
        if self.state.reign is not None:
            return
        held_out = RowRange(start=0, stop=self.state.rows)
        plan = SnapshotPlan(train=RowRange(start=0, stop=0), holdout=held_out, rule="adopted")
        now = self._ports.clock.now()
        turn = self.policy.begin(self.state, now, "a model was adopted", plan)
        self._commit(turn, adopted=model)
        self.advance()
        self._raise_unless_started()

    def _raise_unless_started(self) -> None:
        if self.state.reign is not None:
            return
        if self.state.waiting is not None:
            raise DataUnfit(self.state.waiting.reason)
        failed = [run for run in self._store.runs() if run.status == "failed"]
        if failed:
            raise TrainingFailed(failed[-1].error or "the first training failed")

    def _take_in(self, entry: Entry) -> None:
        """Take in an entry: what it says first, then its labelled rows, turn by turn.

        Every turn is stored with how far the entry has been taken in, so that nothing of it counts
        twice, wherever a process ends.
        """
        if not self._saved.begun:
            turn = Turn(state=self.state)
            for seen in self._head(entry):
                turn = turn.followed_by(self.policy.step(turn.state, seen))
            if entry.draft.kind == "labels" and entry.joined:
                self._saved = replace(self._saved, begun=True)
            else:
                self._commit(turn, entry)
        while self._saved.begun:
            self._finish_training()
            seen, trial = self._labelled(entry), self.state.trial
            if trial is not None and seen.challenger is None:
                self._commit(self._dropped(seen.at, trial))
            else:
                self._commit(self.policy.step(self.state, seen), entry)

    def _reached(self, entry: Entry | None, state: PolicyState) -> Saved:
        """Return where the loop is, once the state has taken in what it has of an entry."""
        if entry is None:
            return self._saved
        if entry.draft.kind != "history" and state.rows < entry.joined.stop:
            return replace(self._saved, begun=True)
        return replace(self._saved, cursor=entry.seq, begun=False)

    def _head(self, entry: Entry) -> list[Seen]:
        """Return what there is to see in an entry but for its labelled rows."""
        draft = entry.draft
        match draft.kind:
            case "history":
                return [Grown(at=draft.at, rows=entry.joined.stop, first=entry.joined.start)]
            case "predictions":
                reign = self.state.reign
                champion = None if reign is None else reign.standing.version
                return [self._referring.predicted(draft, champion, self.target)]
            case "feedback":
                negative: Any = draft.note["negative"]
                return [Complained(at=draft.at)] * self._blamed([*negative])
            case "event":
                event = event_in(draft)
                return [Told(at=draft.at, event=event, to=self._asked_for(event))]
            case "tick":
                return [Ticked(at=draft.at)]
            case "labels":
                return []

    def _blamed(self, complained: list[str]) -> int:
        """Count complaints about answers of the champion; those about others say nothing of it."""
        reign = self.state.reign
        if reign is None:
            return 0
        answers = self._store.predictions(complained).values()
        return sum(int(a["version"][0]) == reign.standing.version for a in answers)

    def _asked_for(self, event: Event) -> Standing | None:
        """Return what is known of the version that a person wants to go back to."""
        if event.type != ROLLBACK_REQUESTED:
            return None
        to, reign = event.data.get("to"), self.state.reign
        if to is None and reign is not None:
            to = self.models.version(reign.standing.version).version.parent
        kept = self._store.version(to) if isinstance(to, int) else None
        return None if kept is None else wire.loads(Standing, kept.standing)

    def _labelled(self, entry: Entry) -> Labelled:
        """Return the labelled rows from the open window's first to the entry's last, scored."""
        rows = RowRange(start=self.state.window_start, stop=entry.joined.stop)
        self._evidence.cover(rows)
        self._grow_target(entry)
        reign, trial, watch = self.state.reign, self.state.trial, self.state.watch
        assert reign is not None  # labels join predictions, and those need a champion
        champion = self._judged(rows, reign.standing.version)
        return Labelled(
            at=entry.draft.at,
            rows=rows,
            times=self._evidence.times(rows),
            champion=champion or self._evidence.answered(rows, self.target),
            challenger=None if trial is None else self._judged(rows, trial.version),
            replaced=None if watch is None else self._judged(rows, watch.replaced.version),
            arrived=self._arrived(entry) if len(rows) >= self.policy.window else None,
        )

    def _arrived(self, entry: Entry) -> Arrived:
        """Return which labels were in with an entry."""
        self._delays.catch_up(entry.seq)
        return self._delays.arrived(entry.draft.at)

    def _joined(self, rows: RowRange) -> LabelledRows:
        """Return the labelled rows that an entry has completed."""
        if self._newest is None or self._newest.rows != rows:
            self._newest = self._store.labelled(rows)
        return self._newest

    def _judged(self, rows: RowRange, version: int) -> Judged | None:
        """Return rows as a version scores them; None where it cannot, which stops nobody else."""
        try:
            return self._evidence.judged(rows, version, self.target)
        except (ModelUnusable, ArtifactCorrupt):
            return None

    def _dropped(self, at: datetime, trial: Trial) -> Turn:
        """Refuse a challenger that cannot score the rows that have come."""
        reason = "it cannot score rows that have come since"
        verdict = Verdict(gate="none", outcome="fail", reason=reason, metric="", n=0)
        return champions.refuse(self.policy, Turn(state=self.state), at, trial, verdict)

    def _grow_target(self, entry: Entry) -> None:
        """Take in classes that no label had before."""
        joined = self._joined(entry.joined).values if entry.joined else ()
        self.target = extended(self.target, joined)

    def _commit(self, turn: Turn, entry: Entry | None = None, adopted: Any = None) -> None:
        """Store a turn with all that its orders change, and how far it has taken in an entry."""
        now = self._ports.clock.now()
        changes = carried_out(self._store, self.policy.loop, now, turn.orders)
        runs = tuple(changes.runs.values())
        if adopted is not None:
            runs = tuple(self._training.adopt(run, adopted) for run in runs)
        saved = replace(
            self._reached(entry, turn.state),
            state=wire.dumps(turn.state),
            definition=self._definition,
            schema=self._schema,
            target=self._target_text(),
            first_target=self._saved.first_target or self._target_text(),
        )
        self.stale = True  # until the store has said that it is done
        self._store.commit(
            Record(
                saved=saved,
                measurements=turn.measurements,
                events=turn.events,
                decisions=turn.decisions,
                runs=runs,
                versions=changes.versions,
                aliases=changes.aliases,
                delays=self._delays.unsaved(),
            )
        )
        self._saved, self.state, self.stale = saved, turn.state, False
        if self._ports.notifier is not None:
            for happened in (*turn.events, *turn.decisions):
                self._ports.notifier.notify(happened)

    def _target_text(self) -> str:
        """Return the target as JSON text."""
        if self._told[0] is not self.target:
            self._told = (self.target, wire.dumps(self.target))
        return self._told[1]

    def _finish_training(self) -> None:
        """Go on with the run that trains; when it has ended, show the policy how."""
        training = self.state.training
        if training is None:
            return
        run = self._training.go_on(training, self.target)
        if run is not None:
            self._commit(self._reported(run))

    def _reported(self, run: Run) -> Turn:
        """Show the policy how a training ended; a model that cannot be judged is no model."""
        try:
            self.target = self._training.target_of(run, self.target)
            seen = self._training.report(run, self.state, self.target)
            if seen.challenger is not None:
                check_judges(self.policy, seen.challenger.take(slice(0, _TRIED)))
        except RatoonError as error:
            seen = self._training.unjudged(run, error.fact)
        try:
            return self.policy.step(self.state, seen)
        except Exception as error:  # a metric or a gate may be a person's own code
            if seen.challenger is None:
                raise
            fact = error.fact if isinstance(error, RatoonError) else repr(error)
            return self.policy.step(self.state, self._training.unjudged(run, fact))

    def check_time(self) -> bool:
        """Tell whether time alone would make something happen now."""
        return self.policy.due(self.state, self._ports.clock.now())


def _target(saved: Saved) -> Target | None:
    return None if saved.target is None else wire.loads(Target, saved.target)


def described(policy: Policy) -> str:
    """Return the settings as text that is the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(policy))
