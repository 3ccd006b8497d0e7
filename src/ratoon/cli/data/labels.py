"""`ratoon data labels`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.data import looking
from ratoon.cli.opening import opened
from ratoon.cli.showing import Column

if TYPE_CHECKING:
    from ratoon.stores.asking import Asking
    from ratoon.stores.local import LocalStore

_SOURCES = """
    SELECT source, count(*) AS labels, min(arrived_at) AS first, max(arrived_at) AS last
    FROM labels GROUP BY source ORDER BY labels DESC, source"""
_HISTORY, _MODEL = "history", "model"  # sources of labels that are not brought by anyone


def labels(loop: LoopName, *, common: Common) -> None:
    """Count what was predicted and labelled, and by whom.

    A label whose prediction has not come is parked. Labels that a model made neither judge a
    model nor train one. Classes stand in the order in which scores are given.

    Example:
        ratoon data labels fraud
        ratoon data labels fraud --json | jq .parked
    """
    with opened(common.folder, loop) as store, looking.asked(common.folder, store) as asking:
        found = _read(store, asking)
    if common.json:
        showing.print_json({"loop": loop, **found})
        return
    for tell in (_tell_counts, _tell_sources):
        tell(found)


def _read(store: LocalStore, asking: Asking) -> dict[str, Any]:
    """Return all that is known of labels."""
    counts, target = store.counts(), looking.target_of(store)
    sources = looking.rows(asking, _SOURCES)
    by_source = {row["source"]: row["labels"] for row in sources}
    history = by_source.get(_HISTORY, 0)
    labelled = counts.labelled - history
    return {
        "task": None if target is None else target.task,
        "classes": [] if target is None else target.classes,
        "history": history,
        "predictions": counts.predictions,
        "labelled": labelled,
        "unlabelled": counts.predictions - labelled,
        "parked": counts.parked,
        "from_model": by_source.get(_MODEL, 0),
        "refused": sum(row["kind"] == "labels" for row in store.refused()),
        "pending": store.pending(),
        "sources": sources,
    }


def _tell_counts(found: dict[str, Any]) -> None:
    classes = ", ".join(str(label) for label in found["classes"])
    predictions = found["predictions"]
    share = f" ({found['labelled'] / predictions:.1%})" if predictions else ""
    facts = {
        "task": f"{found['task']}: {classes}" if classes else str(found["task"]),
        "history": f"{showing.counted(found['history'], 'row')}, labelled from the beginning",
        "predictions": f"{predictions:,}",
        "labelled": f"{found['labelled']:,}{share}",
        "without": f"{found['unlabelled']:,}, so far",
        "parked": f"{found['parked']:,}, whose predictions have not come",
        "of a model": f"{found['from_model']:,}, which neither judge a model nor train one",
    }
    if found["refused"]:
        facts["refused"] = f"{found['refused']:,}: see `ratoon data quarantine`"
    if found["pending"]:
        batches = showing.counted(found["pending"], "batch or event", "batches and events")
        facts["pending"] = f"{batches}, taken in at the loop's next call"
    showing.print_facts(facts)
    showing.say("")


def _tell_sources(found: dict[str, Any]) -> None:
    columns = (
        Column(name="Source"),
        Column(name="Labels", numeric=True),
        Column(name="First (UTC)", whole=True),
        Column(name="Last (UTC)", whole=True),
    )
    lines = [
        (
            row["source"] or "not said",
            f"{row['labels']:,}",
            showing.when(row["first"]),
            showing.when(row["last"]),
        )
        for row in found["sources"]
    ]
    showing.print_table(columns, lines, empty="There is no label yet.")
