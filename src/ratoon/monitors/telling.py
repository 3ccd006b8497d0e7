"""What was found, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ratoon.core.measuring import Measurement
from ratoon.drift import Change
from ratoon.drift.multivariate import Joint
from ratoon.estimates import Estimate
from ratoon.metrics import interval
from ratoon.monitors.drifts import ColumnDrift
from ratoon.monitors.findings import Findings, MetricFound
from ratoon.monitors.roles import listed

_MOST = 12  # findings of a kind that are listed
_KINDS = {
    "distribution": "the distribution of its values",
    "missing": "values that are missing",
    "new categories": "categories that the reference does not have",
    "range": "values beyond the reference's range",
}


def told(found: Findings) -> str:
    """Return what was found as a few lines of text."""
    lines = [headline(found), summary(found), ""]
    lines += list(_drifts(found))
    lines += list(_performance(found))
    lines += list(_slices(found))
    if found.notes:
        lines += ["Notes"] + [f"  - {note}" for note in found.notes]
    return "\n".join(lines).rstrip()


def summary(found: Findings) -> str:
    """Say what was looked at: rows, windows, the reference."""
    there = f"{_counted(found.rows, 'row')} {_windows(found)}"
    reference = found.reference
    return f"{there}, against {_counted(reference.rows, 'row')}: {reference.told}"


def headline(found: Findings) -> str:
    """Say in a sentence or two what matters most.

    Columns are named that explain most of the drift; metrics that are surely another value.
    """
    return f"{_on_drift(found)} {_on_performance(found)}".strip()


def _on_drift(found: Findings) -> str:
    names = list(dict.fromkeys(drift.newest.column for drift in found.now))
    if not names:
        if found.together:
            return "No single column has drifted, but what columns have to do with each other has."
        if found.past:
            return "Nothing has drifted in the newest window; something had in an earlier one."
        return "Nothing has drifted."
    of = f"{len(names):,} of {_counted(len(found.roles), 'column')}"
    said = f"{of} {'has' if len(names) == 1 else 'have'} drifted"
    features = [name for name in names if found.roles[name] == "input"]
    few = list(found.explained)
    if few and (len(few) < len(features) or len(few) < len(names)):
        verb = "explains" if len(few) == 1 else "explain"
        of_all = "most of it" if len(few) < len(features) else "it"
        return f"{said}; {listed(few, 5)} {verb} {of_all}."
    return f"{said}: {listed(names, 5)}."


def _on_performance(found: Findings) -> str:
    worse = [m for m in found.metrics if m.worse]
    better = [m for m in found.metrics if m.better]
    known = [m for m in found.metrics if m.newest is not None and m.before is not None]
    if worse:
        return f"The model is worse than on the reference: {_moved(worse[0])}."
    if better:
        return f"The model is better than on the reference: {_moved(better[0])}."
    if known:
        return "The model is as good as on the reference, as far as labels tell."
    return ""


def _moved(metric: MetricFound) -> str:
    before, newest = metric.before, metric.newest
    values = [_number(m.value if m is not None else None) for m in (before, newest)]
    return f"{metric.name.replace('_', ' ')} was {values[0]}, and is {values[1]}"


def because(change: Change) -> str:
    """Say of a change how large it is, and from what on it matters."""
    measured = change.measurement
    if change.before is not None:
        now, before = _share(measured.value), _share(change.before)
        return f"{now} of the rows, {before} before"
    name = measured.metric.replace("_", " ")
    return f"{name} {_number(measured.value)}, matters from {change.least:g}"


def kind_of(change: Change) -> str:
    """Say in which respect a column has changed."""
    return _KINDS.get(change.aspect, change.aspect)


def valued(measurement: Measurement) -> str:
    """Write a value with its 95 % interval."""
    if measurement.value is None:
        return "undefined"
    ends = interval(measurement)
    around = "" if ends is None else f" ({_number(ends[0])} to {_number(ends[1])})"
    return f"{_number(measurement.value)}{around}"


def band(estimate: Estimate) -> str:
    """Write an estimate with its 95 % band, or why it was withdrawn."""
    if estimate.withdrawn is not None:
        return f"withdrawn: {estimate.withdrawn}"
    ends = estimate.band
    around = "" if ends is None else f" ({_number(ends[0])} to {_number(ends[1])})"
    return f"{_number(estimate.measurement.value)}{around}"


def _drifts(found: Findings) -> Iterator[str]:
    if found.now:
        yield "Drift in the newest window, the heaviest first"
        yield from _listing(found, found.now)
        yield ""
    if found.past:
        yield "Drift in earlier windows, as before again"
        yield from _listing(found, found.past)
        yield ""
    if found.together:
        yield "Drift of several columns together, in the newest window"
        yield from (f"  {together(one)}" for one in found.together[:_MOST])
        yield ""


def together(one: Joint) -> str:
    """Say what a test of several columns has found."""
    change = one.change
    measured, names = change.measurement, listed([part.column for part in one.columns], 5)
    by = f", by {names}" if names else ""
    value, before = _number(measured.value), _number(change.before)
    match change.aspect:
        case "separability":
            can = "tells" if one.drifted else "cannot tell"
            return f"A classifier {can} new rows from the reference, AUC {value}{by}"
        case "correlation":
            of = names or measured.subject
            now, was = (f"{round(r or 0.0, 3) + 0.0:g}" for r in (measured.value, change.before))
            return f"The correlation of {of} is {now}, {was} before"
        case "reconstruction":
            is_now = "is" if one.drifted else "is about as before:"
            return f"The error of principal components {is_now} {value}, {before} before{by}"
        case _:
            are = "are apart" if one.drifted else "are not apart"
            return f"The joint distributions {are}, maximum mean discrepancy {value}{by}"


def _listing(found: Findings, drifts: Sequence[ColumnDrift]) -> Iterator[str]:
    width = max(len(drift.newest.column) for drift in drifts[:_MOST])
    for drift in drifts[:_MOST]:
        change = drift.newest if drift.now else drift.strongest
        since = found.since(drift)
        when = f"; since {since}" if since is not None and drift.now else ""
        role = found.roles.get(change.column, "input")
        yield (
            f"  {change.column:<{width}}  {role:<6}  {kind_of(change)}: {because(change)}"
            f"; in {_counted(drift.windows, 'window')}{when}"
        )
    if len(drifts) > _MOST:
        yield f"  and {len(drifts) - _MOST:,} more"


def _performance(found: Findings) -> Iterator[str]:
    known = [m for m in found.metrics if m.newest is not None]
    if known:
        yield f"Performance in {known[0].window}, the newest window whose labels are in"
        width = max(len(m.name) for m in known)
        for metric in known:
            if metric.newest is not None:
                before = "" if metric.before is None else f", {valued(metric.before)} before"
                way = " - worse" if metric.worse else " - better" if metric.better else ""
                yield f"  {metric.name:<{width}}  {valued(metric.newest)}{before}{way}"
        yield ""
    waiting = [w for w in found.windows if w.estimates]
    if waiting:
        newest = waiting[-1]
        yield f"Estimated for {newest.name}, whose labels are not in"
        for one in newest.estimates:
            yield f"  {one.measurement.metric}  {band(one)}"
        yield ""


def _slices(found: Findings) -> Iterator[str]:
    if found.slices:
        yield "Slices where the model is surely worse"
        for seen in found.slices[:_MOST]:
            one, m = seen.finding, seen.finding.measurement
            before = "" if seen.before is None else f", {_number(seen.before.value)} before"
            share = f"{_share(one.share)} of the rows"
            yield f"  {one.slice}: {m.metric} {valued(m)}{before}; {share}"
        yield ""


def _windows(found: Findings) -> str:
    first, last = found.windows[0].name, found.windows[-1].name
    if len(found.windows) == 1:
        return f"in one window, {first}"
    return f"in {len(found.windows):,} windows, from {first} to {last}"


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"


def _share(value: float | None) -> str:
    return "undefined" if value is None else f"{100 * value:.3g} %"
