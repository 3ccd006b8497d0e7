"""`ratoon data labels`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.data import looking
from ratoon.cli.opening import opened
from ratoon.cli.showing import Column

if TYPE_CHECKING:
    from ratoon.engine.delays import Delays
    from ratoon.stores.asking import Asking
    from ratoon.stores.local import LocalStore

_SOURCES = """
    SELECT source, count(*) AS labels, min(arrived_at) AS first, max(arrived_at) AS last
    FROM labels GROUP BY source ORDER BY labels DESC, source"""
_HISTORY, _MODEL = "history", "model"  # sources of labels that are not brought by anyone


def labels(loop: LoopName, *, common: Common) -> None:
    """Count labels, by whom they came, and tell how long they take.

    How long is estimated from the labels that came and from those that are waited for; so is the
    share of the predictions that is ever labelled. A window is mature when nearly all of the
    labels that it will have are in. A label whose prediction has not come is parked. Labels that
    a model made neither judge a model nor train one. Classes stand in the order in which scores
    are given.

    Example:
        ratoon data labels fraud
        ratoon data labels fraud --json | jq .delays.p90
    """
    with opened(common.folder, loop) as store, looking.asked(common.folder, store) as asking:
        found, delays = _read(store, asking), looking.data_of(store, loop).delays()
    if common.json:
        showing.print_json({"loop": loop, **found, "delays": _record(delays)})
        return
    _tell_counts(found)
    _tell_delays(delays)
    _tell_sources(found)


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


def _record(delays: Delays) -> dict[str, Any]:
    """Return delays as JSON: lengths of time in seconds; sources stand beside them."""
    found = showing.plain(delays)
    del found["sources"]
    return found


def _tell_delays(delays: Delays) -> None:
    """Tell how long labels take, and how many of the newest windows are in."""
    from ratoon.windows.arrived import span  # noqa: PLC0415 - slow to import

    showing.say(delays.said)
    matched, stderr = delays.matched, delays.label_rate_stderr
    facts: dict[str, str] = {}
    if delays.p50 is not None and delays.p90 is not None and delays.p99 is not None:
        facts["half within"] = span(delays.p50)
        facts["90 % within"] = span(delays.p90)
        facts["99 % within"] = span(delays.p99)
    if delays.label_rate is not None and stderr is not None:
        facts["in the end"] = f"{delays.label_rate:.1%} ± {stderr:.2%} of the predictions labelled"
    if delays.watermark is not None:
        facts["mature"] = f"what happened until {showing.when(delays.watermark)}"
    if matched.overdue:
        facts["overdue"] = f"{matched.overdue:,}, which wait longer than 99 % of the labels took"
    if matched.stranded:
        facts["stranded"] = f"{matched.stranded:,} labels are parked for longer than that"
    showing.print_facts(facts)
    showing.say("")
    if delays.windows:
        _tell_windows(delays)
        showing.say("")


def _tell_windows(delays: Delays) -> None:
    columns = (
        Column(name="Window (UTC)", whole=True),
        Column(name="Rows", numeric=True, whole=True),
        Column(name="Labels", numeric=True, whole=True),
        Column(name="Expected", numeric=True, whole=True),
        Column(name="In", numeric=True, whole=True),
        Column(name="Mature", whole=True),
    )
    lines: list[tuple[str, ...]] = []
    for seen in delays.windows:
        found = seen.maturity
        expected = "" if found.expected is None else f"{found.expected:,.0f}"
        share = "not known" if found.share is None else f"{found.share:.1%}"
        mature = "" if found.share is None else ("yes" if found.mature else "no")
        rows, labelled = f"{found.rows:,.0f}", f"{found.labelled:,.0f}"
        window = looking.told_window(seen.window)
        lines.append((window, rows, labelled, expected, share, mature))
    showing.print_table(columns, lines, empty="")


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
