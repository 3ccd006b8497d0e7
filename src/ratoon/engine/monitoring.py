"""Any log against a reference: what changed, since when, how surely, and what it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from ratoon.core import settings
from ratoon.core.errors import BatchEmpty, SettingInvalid
from ratoon.core.times import duration
from ratoon.drift import ColumnTest
from ratoon.drift.multivariate import JointTest
from ratoon.drift.multivariate.together import joint_test
from ratoon.engine.monitor_columns import layout_of
from ratoon.engine.monitor_labels import Labels
from ratoon.engine.monitor_reading import first_part, tables
from ratoon.metrics.protocol import Metric
from ratoon.monitors.collecting import FEWEST_ROWS, LADDER, Collected, Cut, collect
from ratoon.monitors.drifts import DriftMonitor
from ratoon.monitors.findings import Findings
from ratoon.monitors.gathering import Base, Gathering
from ratoon.monitors.judging import Judgement, judge
from ratoon.monitors.layout import Layout
from ratoon.monitors.references import Against, Fixed
from ratoon.monitors.roles import Roles, listed
from ratoon.monitors.telling import told

Table = Any
Moved: TypeAlias = Callable[[int], None]
"""Told how many rows have been read."""

_FIRST_BYTES = 192 << 20  # of a reference, of which bins are made
_CELLS = 4_000_000  # rows in all samples, times their columns
_SAMPLED = 20_000  # rows of the reference's sample
_COUNTS = 60_000_000  # bins of all columns and windows
_STUB = 0.25  # of the usual rows: a newest window with fewer is told of


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring(Findings):
    """What a monitor has found: print it, show it in a notebook, save it as a page or as JSON."""

    def __str__(self) -> str:
        """Return what was found as a few lines of text."""
        return told(self)

    def to_html(self) -> str:
        """Return what was found as one HTML page, which loads nothing."""
        from ratoon.report import monitoring_page  # noqa: PLC0415 - only for those who look

        return monitoring_page(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the page to a file."""
        Path(path).write_text(self.to_html(), encoding="utf-8", errors="replace", newline="\n")

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, for notebooks."""
        page = self.to_html().replace("&", "&amp;").replace('"', "&quot;")
        return f'<iframe srcdoc="{page}" width="100%" height="720" frameborder="0"></iframe>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """How a log is monitored; all of it may be left out.

    Args:
        label: the column of what was true. What is not named is guessed from the names of columns
            ("label", "target", "y", …), and the answer says so.
        output: the column of what the model answered.
        scores: the column of the second class's probability, or one for each class, in order.
        time: the column of event times.
        id: the column of ids, which is not watched.
        features: the columns that the model reads; by default all that are nothing else.
        ignore: columns that are left out.
        task: "binary", "multiclass" or "regression"; told from labels and outputs by default.
        window: how long a window is: ``"1d"``, a timedelta, or a number of rows. By default
            windows are put together as they come, so that there are at most 60.
        metrics: by which the model is measured where there are labels.
        test: of each column and window; its `effect` and `false_alarms` say what is a drift.
        against: what each window is compared with.
        weights: importance of features for the model; by default the share of the output's
            variance that each explains by itself.
        joint: tests of all features together, or their names: "classifier", "correlations", "mmd",
            "pca". Each looks at some thousand rows at most; None for none.
        joint_windows: so many of the newest windows are looked at together.
        slices: whether to look for slices where the model is worse.
        estimates: whether to estimate metrics where labels lack.
        bins: of a column of numbers.
        query: what to read where the log is a database.

    Raises:
        SettingInvalid: a setting breaks its rule.
    """

    label: str | None = None
    output: str | None = None
    scores: str | Sequence[str] | None = field(default=None)
    time: str | None = None
    id: str | None = None
    features: Sequence[str] | None = None
    ignore: Sequence[str] = ()
    task: str | None = None
    window: str | timedelta | int | None = None
    metrics: Sequence[Metric] | None = None
    test: ColumnTest = field(default_factory=ColumnTest)
    against: Against = field(default_factory=Fixed)
    weights: Mapping[str, float] = field(default_factory=dict[str, float], hash=False)
    joint: str | JointTest | Sequence[str | JointTest] | None = ("classifier", "correlations")
    joint_windows: int = 1
    slices: bool = True
    estimates: bool = True
    bins: int = 200
    query: str | None = None

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.whole("bins", self.bins, least=2)
        if self.task is not None:
            settings.one_of("task", self.task, ("binary", "multiclass", "regression"))
        _cut_of(self.window, by_time=True)
        self._drift()

    def run(
        self,
        log: object,
        reference: object = None,
        *,
        labels: object = None,
        progress: Moved | None = None,
    ) -> Monitoring:
        """Compare a log with a reference; see `ratoon.monitor`."""
        known = None if labels is None else Labels(tables(labels), self._told())
        given = tables(log, self.query)
        if known is not None:
            given = known.joined(given, "log")
        if reference is None:
            first, given, source = first_part(given)
            base_tables: Iterator[Table] = iter(first)
        else:
            base_tables, source = tables(reference), "as given"
            if known is not None:
                base_tables = known.joined(base_tables, None)
        before, base_tables = _peeked(base_tables, "the reference")
        after, given = _peeked(given, "the log")
        told = self._told() if known is None else known.roles
        layout, notes = layout_of(before, after, told, self.task, self.metrics)
        base = self._base(layout, base_tables)
        collected = self._collected(layout, base, given, progress)
        how = Judgement(
            drift=self._drift(),
            slices=self.slices,
            estimates=self.estimates,
            weights=self.weights,
        )
        found = judge(layout, base, collected, how, source)
        said = _said(self, base, collected, reference, layout)
        every = (*notes, *(known.told() if known is not None else ()), *said, *found.notes)
        body: dict[str, Any] = {name: getattr(found, name) for name in Findings.__slots__}
        body["notes"] = every
        return Monitoring(**body)

    def _drift(self) -> DriftMonitor:
        given = self.joint or ()
        named = (given,) if isinstance(given, str) or not isinstance(given, Sequence) else given
        return DriftMonitor(
            test=self.test,
            against=self.against,
            joint=tuple(joint_test(one) for one in named),
            joint_windows=self.joint_windows,
        )

    def _told(self) -> Roles:
        scores = (self.scores,) if isinstance(self.scores, str) else tuple(self.scores or ())
        return Roles(
            output=self.output,
            scores=scores,
            label=self.label,
            time=self.time,
            id=self.id,
            features=tuple(self.features or ()),
            ignore=tuple(self.ignore),
        )

    def _base(self, layout: Layout, given: Iterable[Table]) -> Base:
        gathering = Gathering(
            layout, bins=self.bins, most_bytes=_FIRST_BYTES, sampled=_sampled(layout)
        )
        for table in given:
            gathering.add(layout.shaped(table))
        return gathering.done()

    def _collected(
        self, layout: Layout, base: Base, given: Iterable[Table], progress: Moved | None
    ) -> Collected:
        cut = _cut_of(self.window, by_time=layout.roles.time is not None)
        if cut.by_time and layout.roles.time is None:
            rule = "a number of rows, as there is no column of times (name one: time=)"
            raise SettingInvalid("window", rule, self.window)
        found = Collected(cut=cut, parts={})
        size = sum(len(grid) + 1 for grid in base.reference.grids.values())
        for table in given:
            found = collect(found, layout, base.reference, layout.shaped(table), _CELLS)
            if len(found.parts) * size > _COUNTS:
                rule = f"longer: {len(found.parts):,} windows of {size:,} bins are too many"
                raise SettingInvalid("window", rule, self.window)
            if progress is not None:
                progress(found.rows)
        if not found.parts:
            raise BatchEmpty("the log, of rows that have a time,")
        return found


def monitor(
    log: object,
    reference: object = None,
    *,
    labels: object = None,
    progress: Moved | None = None,
    **given: Any,
) -> Monitoring:
    """Compare any log of a model's rows with a reference: what has changed, and since when.

    It needs no loop. Features, outputs, scores and labels are watched for drift; where there are
    labels the model is measured window by window, where they lack its metrics are estimated from
    its scores. What is guessed, sampled or left out is said in the answer's `notes`.

    The log is read once, batch by batch, in bounded memory: what is kept of a window merges, so
    that rows may come in any order. Slices, estimates and the test of all features together work
    on samples of the rows, which are the same each time.

    Args:
        log: a pandas, polars or pyarrow frame, a dict of columns, a list of dicts, the path of
            a file or a pattern of paths, a Delta table, the URL of a database with `query`, or an
            iterator of frames.
        reference: the same: training or validation rows, or a good month. By default the first
            fifth of the log; of a large log, a fifth of its first million rows.
        labels: the same, where labels come in a table of their own: a column of ids and one of
            labels, which are held in memory and joined to the rows of log and reference.
        progress: called with the number of rows that have been read.
        given: the settings of `ratoon.engine.Monitor`, as ``label="y"``, ``window="1d"``.

    Returns:
        What was found: it prints, it has `to_json()`, `to_html()` and `save(path)`.

    Raises:
        SettingInvalid: a setting breaks its rule, or there is no such log.
        RowsRefused: rows cannot be read, or a column is not there.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> good = {"age": rng.normal(40, 9, 3000), "size": rng.normal(size=3000)}
    >>> log = {"age": rng.normal(46, 9, 3000), "size": rng.normal(size=3000)}
    >>> found = monitor(log, good, window=1000)
    >>> found.drifted, found.explained
    (True, ('age',))
    """
    return Monitor(**given).run(log, reference, labels=labels, progress=progress)


def _cut_of(window: str | timedelta | int | None, *, by_time: bool) -> Cut:
    """Return how a log is cut."""
    if window is None:
        every = LADDER[0] if by_time else FEWEST_ROWS
        return Cut(every=every, by_time=by_time, chosen=False)
    if isinstance(window, int):
        settings.whole("window", window, least=1)
        return Cut(every=window, by_time=False)
    length = duration("window", window) // timedelta(microseconds=1)
    if length <= 0:
        raise SettingInvalid("window", "longer than 0", window)
    return Cut(every=length, by_time=True)


def _peeked(given: Iterator[Table], what: str) -> tuple[Table, Iterator[Table]]:
    first = next(given, None)
    if first is None:
        raise BatchEmpty(what)
    return first, chain([first], given)


def _sampled(layout: Layout) -> int:
    return max(1000, min(_SAMPLED, _CELLS // max(1, len(layout.kinds))))


def _said(
    asked: Monitor, base: Base, collected: Collected, reference: object, layout: Layout
) -> Iterator[str]:
    """Say what was chosen, sampled or left out."""
    if reference is None:
        yield "No reference was given: the first rows of the log are taken for it."
    cut = collected.cut
    if asked.window is None:
        length = timedelta(microseconds=cut.every) if cut.by_time else f"{cut.every:,} rows"
        yield f"No window was given: {_length(length)} is taken, for at most 60 windows."
    if base.binned < base.rows:
        yield f"Bins of numbers were made of the first {base.binned:,} of {base.rows:,} rows."
    if collected.timeless:
        yield f"{collected.timeless:,} rows have no time, and are in no window."
    sizes = [part.rows for _, part in sorted(collected.parts.items())]
    usual = sorted(sizes)[len(sizes) // 2]
    if sizes[-1] < _STUB * usual:
        yield (
            f"The newest window has {sizes[-1]:,} rows, where windows usually have {usual:,}: what "
            "has changed may not be seen in it yet."
        )
    largest = max(sizes)
    if largest > collected.sampled and (layout.target is not None or asked.joint):
        yield (
            f"Slices, estimates and the test of all features together look at up to "
            f"{collected.sampled:,} rows of a window, and {len(base.sample):,} of the reference."
        )
    alike = [name for name, times in base.inflation.items() if times > 2]  # noqa: PLR2004 - many
    if alike:
        yield (
            "Rows that follow each other are alike, so that more is needed to call it a drift: "
            f"{listed(alike)}."
        )


def _length(length: timedelta | str) -> str:
    if isinstance(length, str):
        return length
    days, seconds = length.days, length.seconds
    if days:
        return "a day" if days == 1 else f"{days} days"
    if seconds % 3600 == 0:
        return "an hour" if seconds == 3600 else f"{seconds // 3600} hours"  # noqa: PLR2004 - s
    return f"{seconds // 60} minutes" if seconds > 60 else "a minute"  # noqa: PLR2004 - seconds
