"""Which column of a log is what, told or guessed from its name and kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ratoon.core.errors import RowsRefused, SettingInvalid

Held: TypeAlias = Literal["number", "text", "time", "other"]
"""What a column of a log holds; truths are texts, and what no monitor reads is "other"."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "time": ("time", "timestamp", "event_time", "datetime", "ts", "date"),
    "output": ("output", "prediction", "predicted", "pred", "y_pred", "y_hat"),
    "label": ("label", "target", "y", "y_true", "actual", "ground_truth"),
    "score": ("score", "probability", "proba", "y_score", "y_proba", "pred_proba"),
    "id": ("id", "prediction_id", "row_id", "request_id", "uuid"),
}
"""The names by which a column is known where none is given, whatever their case; best first."""

_FITS: Mapping[str, tuple[Held, ...]] = {
    "time": ("time",),
    "output": ("number", "text"),
    "label": ("number", "text"),
    "score": ("number",),
    "id": ("number", "text"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which column is what; all that is nothing else is a feature.

    Args:
        output: what the model answered.
        scores: the probability of the second class, or one column for each class in their order.
        label: what was true.
        time: when the prediction was made.
        id: of the prediction; it is not watched.
        features: what the model reads.
        ignore: what is not watched.
    """

    output: str | None = None
    scores: tuple[str, ...] = ()
    label: str | None = None
    time: str | None = None
    id: str | None = None
    features: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @property
    def watched(self) -> tuple[str, ...]:
        """All columns whose drift is looked for: features, output, scores, label."""
        rest = [name for name in (self.output, *self.scores, self.label) if name is not None]
        return (*self.features, *rest)

    def role(self, name: str) -> str:
        """Return what a watched column is: "input", "output", "score" or "label"."""
        known = {self.output: "output", self.label: "label"}
        return "score" if name in self.scores else known.get(name, "input")


@dataclass(slots=True, kw_only=True)
class _Guessing:
    """What has been told or guessed so far."""

    kinds: Mapping[str, Held]
    taken: set[str]
    notes: list[str] = field(default_factory=list[str])

    def one(self, role: str, told: str | None) -> str | None:
        """Return the column of a role."""
        if told is not None:
            return told
        known = {name.lower(): name for name in self.kinds if name not in self.taken}
        found = [known[name] for name in NAMES[role] if name in known]
        found = [name for name in found if self.kinds[name] in _FITS[role]]
        if not found and role == "time":
            found = [n for n, kind in self.kinds.items() if kind == "time" and n not in self.taken]
            found = found if len(found) == 1 else []
        if not found:
            return None
        self.taken.add(found[0])
        self.notes.append(f"Column {found[0]!r} is taken for the {role}, by its name.")
        return found[0]


def roles_of(kinds: Mapping[str, Held], told: Roles) -> tuple[Roles, tuple[str, ...]]:
    """Return what each column is, and what was guessed or left out, in words.

    Args:
        kinds: what each column holds, by name.
        told: what is known already; the rest is guessed.

    Raises:
        RowsRefused: a column that was told is not there, or nothing is left to watch.
        SettingInvalid: a column was told twice.

    >>> kinds = {"age": "number", "prediction": "text", "at": "time", "y": "text"}
    >>> found, notes = roles_of(kinds, Roles())
    >>> found.features, found.output, found.time, found.label
    (('age',), 'prediction', 'at', 'y')
    """
    given = [name for name in (told.output, told.label, told.time, told.id) if name is not None]
    given += [*told.scores, *told.features, *told.ignore]
    _check(given, kinds)
    guess = _Guessing(kinds=kinds, taken=set(given))
    time, output = guess.one("time", told.time), guess.one("output", told.output)
    label, row_id = guess.one("label", told.label), guess.one("id", told.id)
    score = None if told.scores else guess.one("score", None)
    features = told.features or _features(guess, kinds)
    roles = Roles(
        output=output,
        scores=told.scores or (() if score is None else (score,)),
        label=label,
        time=time,
        id=row_id,
        features=features,
        ignore=told.ignore,
    )
    if not roles.watched:
        raise RowsRefused(f"no column is left to watch, of {list(kinds)}")
    return roles, tuple(guess.notes)


def role_by_name(name: str, kind: Held) -> str | None:
    """Return the role that a column is known for by its name; None of a feature.

    >>> role_by_name("Timestamp", "time"), role_by_name("age", "number")
    ('time', None)
    """
    for role, names in NAMES.items():
        if name.lower() in names and kind in _FITS[role]:
            return role
    return None


def _features(guess: _Guessing, kinds: Mapping[str, Held]) -> tuple[str, ...]:
    rest = [name for name in kinds if name not in guess.taken]
    times = [name for name in rest if kinds[name] == "time"]
    others = [name for name in rest if kinds[name] == "other"]
    if times:
        guess.notes.append(f"Times are not watched: {listed(times)}.")
    if others:
        guess.notes.append(f"Neither numbers nor texts, and not watched: {listed(others)}.")
    return tuple(name for name in rest if kinds[name] in ("number", "text"))


def listed(names: Iterable[str], most: int = 8) -> str:
    """List names, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    every = list(names)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def _check(given: Sequence[str], kinds: Mapping[str, Held]) -> None:
    for name in given:
        if name not in kinds:
            raise RowsRefused(f"column {name!r} is not there; there are {list(kinds)}")
        if given.count(name) > 1:
            raise SettingInvalid("columns", "each named once", name)
