"""The SQL of the views in which a person sees the rows of a loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ratoon.core.measuring import RowRange
from ratoon.stores import shapes
from ratoon.windows.judged import Scalar, Target

VIEWS: Mapping[str, tuple[str, ...]] = {
    "predictions": ("predictions",),
    "labels": ("labels",),
    "feedback": ("feedback",),
    "labelled": ("predictions", "labels"),
}
"""What can be asked, and the tables that each of it is read from."""

BASE: Mapping[str, Mapping[str, str]] = {
    "predictions": {
        "row": "BIGINT",
        "seq": "BIGINT",
        "id": "VARCHAR",
        "arrived_at": "TIMESTAMPTZ",
        "time": "TIMESTAMPTZ",
        "version": "BIGINT",
        "output": "DOUBLE",
        "label": "BIGINT",
        "ordinal": "BIGINT",
    },
    "labels": {
        "row": "BIGINT",
        "seq": "BIGINT",
        "id": "VARCHAR",
        "arrived_at": "TIMESTAMPTZ",
        "value": "VARCHAR",
        "kind": "VARCHAR",
        "time": "TIMESTAMPTZ",
        "prediction": "BIGINT",
        "ordinal": "BIGINT",
        "source": "VARCHAR",
    },
    "feedback": {
        "row": "BIGINT",
        "seq": "BIGINT",
        "id": "VARCHAR",
        "arrived_at": "TIMESTAMPTZ",
        "said": "VARCHAR",
        "negative": "BOOLEAN",
    },
}
"""The columns that a table has beside features and scores, were it empty or not."""

_GIVEN = ("feature", "score")
_FEW = 8  # ranges that are compared with one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A feature or a score: how it is called in a table, in a view, and in truth."""

    outer: str  # in the table
    view: str  # in the view: DuckDB takes "A" and "a" for one
    true: str  # the column's own name


def given(names: Sequence[str]) -> tuple[Given, ...]:
    """Return the features and scores among the columns of a table, scores first.

    >>> [one.view for one in given(["row", "feature_a%20b", "feature_x", "feature_X", "score_0"])]
    ['score_0', 'feature_a b', 'feature_x', 'feature_X_2']
    """
    found: list[Given] = []
    taken: set[str] = set()
    wanted = [name for name in names if name.startswith(tuple(f"{kind}_" for kind in _GIVEN))]
    for name in sorted(wanted, key=lambda name: not name.startswith("score_")):
        true, number = shapes.inner(name).replace(":", "_", 1), 1
        view = true
        while view.lower() in taken:
            number += 1
            view = f"{true}_{number}"
        taken.add(view.lower())
        found.append(Given(outer=name, view=view, true=true))
    return tuple(found)


def quoted(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text as SQL has it."""
    return "'" + value.replace("'", "''") + "'"


def among(rows: Sequence[RowRange]) -> str:
    """Return a SELECT of the labelled rows with these ordinals, as what a query is made from.

    >>> among([RowRange(start=3, stop=9)])
    '(SELECT * FROM labelled WHERE (ordinal >= 3 AND ordinal < 9))'
    """
    if 0 < len(rows) <= _FEW:
        each = " OR ".join(f"(ordinal >= {r.start} AND ordinal < {r.stop})" for r in rows)
        return f"(SELECT * FROM labelled WHERE {each})"  # noqa: S608 - numbers
    firsts, stops = [r.start for r in rows], [r.stop for r in rows]
    ranges = f"(SELECT unnest({firsts}::BIGINT[]) AS first, unnest({stops}::BIGINT[]) AS stop)"
    joined = f"labelled l ASOF JOIN {ranges} r ON l.ordinal >= r.first"  # one look at each row
    return f"(SELECT l.* FROM {joined} WHERE l.ordinal < r.stop)"  # noqa: S608 - numbers


def views(columns: Sequence[Given], target: Target | None) -> Mapping[str, str]:
    """Return the SELECT of each view, over `inside.all_predictions`, `inside.all_labels`, ….

    Args:
        columns: the features and scores of predictions.
        target: what is predicted; it says how outputs and labels read. None: as they are stored.
    """
    return {
        "predictions": _predictions(columns, target),
        "labels": _labels(target),
        "feedback": _feedback(),
        "labelled": _labelled(columns, target),
    }


def _predictions(columns: Sequence[Given], target: Target | None) -> str:
    picked = f"id, time, arrived_at, version, {_output('output', target)} AS output"
    rows = "inside.all_predictions WHERE output IS NOT NULL"  # rows of history were never answered
    return f"SELECT {picked}, {_listed(columns)} row, seq FROM {rows}"  # noqa: S608 - names are quoted


def _labels(target: Target | None) -> str:
    picked = f"id, {_label('', target)} AS label, time, arrived_at, source, row, seq"
    return f"SELECT {picked} FROM inside.all_labels"  # noqa: S608 - classes are quoted


def _feedback() -> str:
    return (
        "SELECT id, CAST(json_extract_string(said, '$.rating') AS DOUBLE) AS rating, "
        "json_extract_string(said, '$.correction') AS correction, negative, arrived_at, row, seq "
        "FROM inside.all_feedback"
    )


def _labelled(columns: Sequence[Given], target: Target | None) -> str:
    """Return predictions with their labels; the two know each other by their numbers.

    A label that came later names its prediction. One that came first was parked, and there the
    prediction names its label. Features are joined once, at the end: what DuckDB keeps in memory
    for that are the labels, which are narrow.
    """
    label = "l.value, l.kind, l.time, l.arrived_at, l.source, l.row, l.seq"
    later = (
        f"SELECT l.ordinal, l.prediction AS partner, {label} "  # noqa: S608 - names of our own
        "FROM inside.all_labels l WHERE l.ordinal IS NOT NULL"
    )
    parked = (
        f"SELECT q.ordinal, q.row AS partner, {label} "  # noqa: S608 - names of our own
        "FROM inside.all_predictions q JOIN inside.all_labels l ON q.label = l.row "
        "WHERE q.ordinal IS NOT NULL AND l.ordinal IS NULL"
    )
    picked = (
        f"l.ordinal, p.id, p.time, p.arrived_at, p.version, {_output('p.output', target)} "
        f"AS output, {_listed(columns, 'p.')} {_label('l.', target)} AS label, "
        "l.time AS label_time, l.arrived_at AS label_arrived_at, l.source AS label_source, "
        "p.row, p.seq, l.row AS label_row, l.seq AS label_seq"
    )
    return (
        f"SELECT {picked} FROM inside.all_predictions p "  # noqa: S608 - names are quoted
        f"JOIN ({later} UNION ALL {parked}) l ON l.partner = p.row"
    )


def _listed(columns: Sequence[Given], of: str = "") -> str:
    return "".join(f"{of}{quoted(one.view)}, " for one in columns)


def _output(name: str, target: Target | None) -> str:
    """Return an output as what it means: a number, or a class."""
    if target is None or target.task == "regression" or not target.classes:
        return name
    kind = _kind(target)
    values = [int(c) if kind == "BIGINT" else c for c in target.classes]
    classes = ", ".join(f"CAST({text(shapes.text_of(value))} AS {kind})" for value in values)
    return f"list_extract([{classes}], CAST({name} AS INTEGER) + 1)"


def _label(of: str, target: Target | None) -> str:
    """Return a label as a value of the kind that the outputs have."""
    if target is None or (target.task != "regression" and not target.classes):
        return f"{of}value"
    kind = _kind(target)
    if kind != "BIGINT":
        return f"CAST({of}value AS {kind})"
    truth = f"CAST(CAST({of}value AS BOOLEAN) AS BIGINT)"  # a truth among whole numbers
    return f"CASE {of}kind WHEN 'truth' THEN {truth} ELSE CAST({of}value AS BIGINT) END"


def _kind(target: Target) -> str:
    if target.task == "regression":
        return "DOUBLE"
    kinds: set[type[Scalar]] = {type(label) for label in target.classes}
    if str in kinds:
        return "VARCHAR"
    return "BOOLEAN" if kinds == {bool} else "BIGINT"
