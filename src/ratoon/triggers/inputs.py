"""The trigger on the distribution of what is asked, and of what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ratoon.core.deciding import Firing
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import DATA_DRIFT, PREDICTION_DRIFT
from ratoon.core.settings import one_of, whole
from ratoon.drift import Change, ColumnTest
from ratoon.drift.limits import judged_by
from ratoon.triggers.combine import Combines
from ratoon.triggers.protocol import QUIET, Fired, PredictionsClosed, Promoted, Side, View
from ratoon.triggers.suspects import Drift, Suspect, drifts_of, followed, told
from ratoon.windows.summaries import Summary

_SHOWN = 5  # drifts that the evidence describes
_BEFORE: Mapping[Side, str] = {"inputs": "in training", "outputs": "on held-out rows"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDriftState:
    """The columns that drift, or are on their way to: of other ones nothing is remembered."""

    suspects: tuple[Suspect, ...] = ()


@dataclass(frozen=True, slots=True)
class DataDrift(Combines):
    """Data drift: features, or predictions, are distributed otherwise than they were.

    Each window of predictions is compared with the champion's training data, column by column, by
    `ratoon.drift.ColumnTest`: the distribution of the values, the share that is missing, new
    categories, and numbers beyond the range. A column has drifted where the effect is large enough
    to matter *and* more than chance, over all columns and respects of the window. It fires when one
    has drifted in the same respect in `windows` windows in a row, and again for that column only
    after a window without, or a promotion (hysteresis).

    It says which columns, and since when: the window of the last eight from which on the counts are
    likeliest to be others (`ratoon.drift.since.onset`), looked for among those in a row in which
    the column was at least half-way.

    Args:
        features: names of columns; None for all.
        of: ``"inputs"`` for the features, ``"outputs"`` for what the champion answers: ``"output"``
            and, of a classifier with probabilities, ``"score of CLASS"``; that is compared with its
            answers to the rows that were held out from its training.
        distance: of distributions, as of `ColumnTest`.
        effect: least distance that matters; None for that of the distance.
        missing: least change of the missing share that matters, in (0, 1).
        fresh: least share in new categories, or beyond the range, that matters, in (0, 1).
        false_alarms: windows in which any column drifts, of those without drift, in (0, 1). With
            two windows in a row there are fewer alarms.
        windows: in a row.

    Raises:
        SettingInvalid: a setting breaks its rule.

    >>> print(DataDrift(("amount", "country"), effect=0.3) | DataDrift(of="outputs"))
    DataDrift(amount, country) | DataDrift(of=outputs)
    """

    features: tuple[str, ...] | None = None
    of: Side = field(default="inputs", kw_only=True)
    distance: str = field(default="jensen_shannon", kw_only=True)
    effect: float | None = field(default=None, kw_only=True)
    missing: float = field(default=0.05, kw_only=True)
    fresh: float = field(default=0.01, kw_only=True)
    false_alarms: float = field(default=0.001, kw_only=True)
    windows: int = field(default=2, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        if isinstance(self.features, str):
            raise SettingInvalid("features", "a tuple of names", self.features)
        if self.features is not None:
            object.__setattr__(self, "features", tuple(self.features))
        one_of("of", self.of, ("inputs", "outputs"))
        whole("windows", self.windows, least=1)
        self._test()

    def _test(self) -> ColumnTest:
        return ColumnTest(
            distance=self.distance,
            effect=self.effect,
            missing=self.missing,
            fresh=self.fresh,
            false_alarms=self.false_alarms,
        )

    def init(self) -> DataDriftState:
        """Return the state without suspects."""
        return DataDriftState()

    def fires(self, state: DataDriftState, view: View, /) -> tuple[DataDriftState, Fired]:
        """Judge the newest window of predictions."""
        if isinstance(view.happened, Promoted):
            return self.init(), QUIET
        if not isinstance(view.happened, PredictionsClosed) or view.happened.of != self.of:
            return state, QUIET
        closed = view.happened
        changes = self._compared(closed)
        suspects = followed(state.suspects, changes, closed)
        new = [one for one in suspects if not one.told and one.lasting >= self.windows]
        if not new:
            return DataDriftState(suspects=suspects), QUIET
        firing = self._firing(view, closed, drifts_of(new, changes, closed.reference))
        told = tuple(one.tell() if one in new else one for one in suspects)
        return DataDriftState(suspects=told), Fired(sparks=(firing,), causes=(firing,))

    def _compared(self, closed: PredictionsClosed) -> tuple[Change, ...]:
        """Return what was found of the columns that are watched, drifts first."""
        test, usual, columns = self._test(), ColumnTest(), closed.summary.columns
        if self.features is None and test == usual:
            return closed.changes
        if self.features is not None:
            columns = {name: columns[name] for name in self.features if name in columns}
        if self.distance == usual.distance:
            return judged_by(test, [c for c in closed.changes if c.column in columns])
        return test.compare(closed.reference, Summary(columns=columns), closed.window)

    def _firing(self, view: View, closed: PredictionsClosed, drifts: tuple[Drift, ...]) -> Firing:
        first, columns = drifts[0], {drift.change.column for drift in drifts}
        inputs, name = self.of == "inputs", first.change.column
        others = "" if len(columns) == 1 else f", and {len(columns) - 1} more"
        return Firing(
            trigger=str(self),
            event_type=DATA_DRIFT if inputs else PREDICTION_DRIFT,
            reason=f"{name} is not as {_BEFORE[self.of]}: {told(first.change)}{others}",
            at=view.at,
            since=first.since,
            subject=name,
            evidence={
                "columns": [drift.evidence() for drift in drifts[:_SHOWN]],
                "drifted": len(columns),
                "rows": closed.summary.rows,
                "windows": self.windows,
                "false_alarms": self.false_alarms,
            },
        )

    def __str__(self) -> str:
        """Write it as a person would."""
        named = list(self.features or ())
        return f"DataDrift({', '.join(named if self.of == 'inputs' else [*named, 'of=outputs'])})"
