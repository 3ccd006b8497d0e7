"""What a store keeps, and what is asked of it. It speaks of events and rows, not of SQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeAlias

from ratoon.core.deciding import Decision
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement, RowRange
from ratoon.core.quarantine import Quarantined
from ratoon.core.running import Run
from ratoon.core.versions import Alias, ModelVersion
from ratoon.core.wire import Json
from ratoon.windows.judged import Scalar
from ratoon.windows.labels import Labels
from ratoon.windows.pins import Pin
from ratoon.windows.rows import Array

Columns: TypeAlias = Mapping[str, Array]
Aliases: TypeAlias = Mapping[Alias, int | None]
EntryKind = Literal["history", "predictions", "labels", "feedback", "event", "tick"]
NO_ROWS = RowRange(start=0, stop=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draft:
    """Something that arrived, before it is stored.

    `ids` name the rows of predictions, labels and feedback. Of predictions that have none yet,
    `nameless` tells how many they are: the store makes their ids in the same step. `values` are the
    labels of history and labels, or what a user said of a prediction, as JSON text. `columns` are
    the rows of history (features, time) and of predictions (features, time, output and scores), and
    the time of labels where it is known. `note` says where labels come from: those whose source is
    "model" were made by a model, and join nothing.
    """

    kind: EntryKind
    at: datetime
    ids: tuple[str, ...] = ()
    nameless: int = 0  # predictions for which the store makes ids; then `ids` is empty
    values: tuple[Scalar, ...] = ()
    columns: Columns = field(default_factory=dict[str, Array])
    note: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """Something that arrived, as it stands in the journal."""

    seq: int
    draft: Draft
    joined: RowRange = NO_ROWS  # the labelled rows that it completed


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a draft: an entry, and how many of its rows were new, known or parked."""

    seq: int | None  # None where nothing was new
    stored: int = 0
    repeated: int = 0  # rows that were known already, with the same content
    parked: int = 0  # labels whose prediction has not come yet
    ids: tuple[str, ...] = ()  # that were made for predictions: labels come back with them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledRows:
    """Labelled rows in order of arrival: what was predicted, and what was true."""

    rows: RowRange  # that were asked for
    ids: tuple[str, ...]
    values: Labels
    columns: Columns
    ordinals: Array  # of the rows that are there: all that were asked for, but for erased ones
    batches: Array  # the journal entry that brought each row
    label_batches: Array  # the journal entry that brought its label
    whence: str | None = None
    """The files that all of them were read from, and their numbers there, as a SHA-256.

    As the files are named by their own SHA-256, which is checked, equal ones mean equal rows. None
    where that was not asked for, or no file has some of the rows.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was erased at a person's wish."""

    ids: tuple[str, ...]  # those that were known
    rows: int  # predictions and rows of history
    labels: int
    feedback: int
    ordinals: tuple[RowRange, ...]  # of the labelled rows among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What of the rows is kept.

    Rows older than `age` go, and the oldest ones beyond `rows`. What `needed` names stays in any
    case, and rows may stay for longer that lie among many of those in a file.
    """

    now: datetime
    age: timedelta | None = None
    rows: int | None = None  # predictions and rows of history
    needed: tuple[RowRange, ...] = ()  # ordinals of labelled rows
    snapshots: tuple[str, ...] = ()  # digests of those that are needed
    dry: bool = False  # whether they are only counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A version, and what the policy knows of it, as JSON text."""

    version: ModelVersion
    standing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Where a loop is: all that it needs to go on."""

    cursor: int = 0  # the last journal entry that was taken in whole
    begun: bool = False  # whether the entry behind it was taken in but for its labelled rows
    state: str | None = None  # the policy's state, as JSON text
    definition: str = ""  # the policy's settings when the state was saved
    schema: str | None = None
    target: str | None = None
    first_target: str | None = None  # the target by the labels that the loop began with


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that one turn changes; it is stored whole or not at all."""

    saved: Saved | None = None  # where the loop is then; None: as before
    measurements: Sequence[Measurement] = ()
    events: Sequence[Event] = ()
    decisions: Sequence[Decision] = ()
    runs: Sequence[Run] = ()  # new or changed
    versions: Sequence[Kept] = ()
    pins: Sequence[Pin] = ()  # of snapshots that are new, or had rows erased
    quarantined: Sequence[Quarantined] = ()  # new or changed
    aliases: Aliases = field(default_factory=dict[Alias, "int | None"])
    delays: str | None = None  # what is known of label delays, as JSON text; None: as before


OnRecord: TypeAlias = Callable[[Forgotten], Record]
"""Returns what is to be stored of rows that are erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much a loop holds."""

    predictions: int
    labelled: int
    parked: int
    feedback: int
    entries: int


class Store(Protocol):
    """Keeps one loop. Every write is durable when the call returns, and whole or not there."""

    def append(self, draft: Draft, /, *, aliases: Aliases | None = None) -> Receipt:
        """Store what arrived, once.

        Predictions and labels whose id is known with the same content are not stored again; with
        another content the whole draft is refused (`IdConflict`). A label joins its prediction;
        without one it is parked and joins it when it comes. Feedback needs a known prediction
        (`RowsRefused`), and is given once, like a label. An event whose (source, id) is known is
        not stored again. Predictions without ids get ids that no row has, each its own, however
        many threads append at once (`Receipt.ids`).

        `aliases` are pointed in the same write, unless nothing of the draft was new: so a rollback
        that a person asks for holds at once, and the loop comes to the same when it takes in the
        event.
        """
        ...

    def entries(self, after: int, /) -> Iterator[Entry]:
        """Read the journal behind the entry `after`, in order."""
        ...

    def last_seq(self) -> int:
        """Return the number of the last journal entry; 0 where there is none."""
        ...

    def arrived(self, seqs: Array, /) -> Array:
        """Return when journal entries arrived by their numbers, datetime64[us] in UTC."""
        ...

    def labelled(
        self, rows: RowRange, /, *, columns: Collection[str] | None = None
    ) -> LabelledRows:
        """Read labelled rows by their ordinals.

        Args:
            rows: Their ordinals.
            columns: Which of their columns, by name; then `whence` is told, and neither ids nor
                batches are. By default all.
        """
        ...

    def compared(self, digest: str, /) -> str | None:
        """Return where the rows of a snapshot lay when they were last compared with its digest.

        See `LabelledRows.whence`. None where they never were.
        """
        ...

    def note_compared(self, digest: str, whence: str, /) -> None:
        """Note that the rows that lie there have this digest; it may be forgotten again."""
        ...

    def forget(self, ids: Sequence[str], /, *, record: OnRecord | None = None) -> Forgotten:
        """Erase all rows with these ids: predictions, labels and feedback, from every file.

        Rows of history are named `history-ENTRY-PLACE`, by the entry that brought them and their
        place there, from 0 on. The ordinals of labelled rows stay what they are; `labelled` leaves
        out what was erased.

        Args:
            ids: Of rows; the same one may stand there twice.
            record: Called with what will be erased, while all of it is there; returns what is
                stored of it. Both happen, or neither.
        """
        ...

    def prune(self, keeping: Keeping, /) -> int:
        """Remove old rows but for those needed; return how many predictions and rows went.

        A store may keep more than it is asked to, where little of a file goes.
        """
        ...

    def ordinals(self, ids: Sequence[str], /) -> tuple[RowRange, ...]:
        """Return the ordinals of those rows that are labelled, in order."""
        ...

    def verify(self) -> Iterator[str]:
        """Read every file of rows; tell of each that is not what was written."""
        ...

    def predictions(self, ids: Sequence[str], /) -> Mapping[str, Columns]:
        """Read the predictions with these ids, one row each; unknown ids are left out."""
        ...

    @property
    def stale(self) -> bool:
        """Whether it knows of rows that are not durable, so that it must be opened anew."""
        ...

    def table_versions(self) -> Mapping[str, int]:
        """Bring the rows to their tables, and return each one's version; empty without tables."""
        ...

    def saved(self) -> Saved:
        """Return where the loop is."""
        ...

    def delays(self) -> str | None:
        """Return what is known of label delays, as JSON text; None where nothing was stored."""
        ...

    def commit(self, record: Record, /) -> None:
        """Store what a turn changed."""
        ...

    def events(self) -> Sequence[Event]:
        """Return all events in order of their storing."""
        ...

    def decisions(self) -> Sequence[Decision]:
        """Return all decisions in order."""
        ...

    def measurements(self) -> Sequence[Measurement]:
        """Return all measurements in order."""
        ...

    def runs(self) -> Sequence[Run]:
        """Return all runs in order of their start."""
        ...

    def versions(self) -> Sequence[Kept]:
        """Return all versions in order of their numbers."""
        ...

    def run(self, run_id: str, /) -> Run | None:
        """Return a run by its id."""
        ...

    def version(self, number: int, /) -> Kept | None:
        """Return a version by its number."""
        ...

    def pins(self) -> Sequence[Pin]:
        """Return the pins of all snapshots in order of their making."""
        ...

    def pin(self, digest: str, /) -> Pin | None:
        """Return the pin of a snapshot by its digest."""
        ...

    def quarantined(self) -> Sequence[Quarantined]:
        """Return all rows that were ever set aside, in order."""
        ...

    def alias(self, name: Alias, /) -> int | None:
        """Return the version that an alias names."""
        ...

    def counts(self) -> Counts:
        """Count what is there."""
        ...

    def close(self) -> None:
        """Let go of files and locks."""
        ...
