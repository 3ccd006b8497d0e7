"""Which column of a table is what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ratoon.core.errors import RowsRefused, SettingInvalid

Roles = Mapping[str, str]
"""The column that has each role, by role; a role that no column has is left out."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "prediction_id"),
    "time": ("time", "timestamp", "event_time"),
    "observed": ("observed_at", "label_time"),
    "output": ("output", "prediction"),
    "version": ("version", "model_version"),
    "label": ("label", "target", "y"),
    "source": ("source", "label_source"),
    "rating": ("rating",),
    "correction": ("correction",),
}
"""The names by which a column is known where none is given; "observed" is the time of a label."""


_SINGLE = ("id", "time", "output", "version", "label", "source", "rating", "correction")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnsOf:
    """Which column is what, by name; what is left out is told from the names of the columns.

    The names that are known are, exactly so: `id` or `prediction_id`; `time`, `timestamp` or
    `event_time`; `output` or `prediction`; `version` or `model_version`; `label`, `target` or `y`;
    `source` or `label_source`; `rating`; `correction`; and for the time at which a label was
    observed `observed_at` or `label_time`. Two of one list in a table are refused: one must be
    named here. Scores are known by no name, as their order matters.

    Args:
        id: the ids of predictions: texts or whole numbers.
        time: of predictions, the event time; of labels, when they were observed.
        output: what the model answered.
        scores: one column for each class, in the order of the loop's classes.
        version: which version answered: whole numbers.
        label: what was true.
        source: who says so.
        rating: what a user thought of the answer; below 0 is a complaint.
        correction: what a user says the answer should have been.
        features: the features of predictions; by default every column that is nothing else.
        ignore: columns that are left out.

    >>> ColumnsOf(ignore=("note",)).predictions(["id", "age", "output", "note"])
    ({'id': 'id', 'output': 'output'}, ('age',))
    """

    id: str | None = None
    time: str | None = None
    output: str | None = None
    scores: tuple[str, ...] | None = None
    version: str | None = None
    label: str | None = None
    source: str | None = None
    rating: str | None = None
    correction: str | None = None
    features: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that each column has one role."""
        for role in _SINGLE:
            if not isinstance(getattr(self, role), str | None):
                raise SettingInvalid(role, "the name of a column", getattr(self, role))
        for role in ("scores", "features", "ignore"):
            if not isinstance(getattr(self, role), tuple | None):
                raise SettingInvalid(role, "a tuple of names of columns", getattr(self, role))
        given = [*self._named(), *(self.scores or ()), *(self.features or ())]
        for name in given:
            if given.count(name) > 1:
                raise SettingInvalid("columns", "each named once", name)

    def predictions(self, names: Sequence[str]) -> tuple[Roles, tuple[str, ...]]:
        """Return the roles of the columns of predictions, and the features.

        A column of labels is neither: such a table may be read twice, for both.

        Raises:
            RowsRefused: where a column that is needed is missing, or two could be meant.
        """
        roles = self._roles(names, ("id", "time", "output", "version"))
        _need(roles, ("id", "output"), names)
        scores = _there(names, self.scores or ())
        if self.features is not None:
            return roles, _there(names, self.features)
        label = self._known(names, "label") if self.label is None else self.label
        others = {*roles.values(), *scores, *self._named(), label, *NAMES["observed"]}
        features = tuple(name for name in names if name not in others)
        if not features:
            raise RowsRefused(f"no column is left for the features, of {list(names)}")
        return roles, features

    def labels(self, names: Sequence[str]) -> Roles:
        """Return the roles of the columns of labels: id, label, and perhaps time and source.

        `time` is taken for the time of the observation only where it is named, or where the table
        has nothing but labels: beside features it is more likely that of the prediction.

        Raises:
            RowsRefused: where a column that is needed is missing, or two could be meant.
        """
        roles = self._roles(names, ("id", "label", "source"))
        _need(roles, ("id", "label"), names)
        if self.time is not None:
            return {**roles, "time": _there(names, (self.time,))[0]}
        observed = self._known(names, "observed")
        if observed is not None:
            return {**roles, "time": observed}
        time = self._known(names, "time")
        if time is None:
            return roles
        others = set(names) - set(roles.values()) - {time} - set(self._named())
        if others:
            raise RowsRefused(
                f"column {time!r} may say when the labels were observed, or when the predictions "
                f"were made: there are other columns too, as {min(others)!r}",
                hint=f"say time={time!r}, or ignore=({time!r},) for labels observed now",
            )
        return {**roles, "time": time}

    def feedback(self, names: Sequence[str]) -> Roles:
        """Return the roles of the columns of feedback: id, and rating, correction or both.

        Raises:
            RowsRefused: where a column that is needed is missing, or two could be meant.
        """
        roles = self._roles(names, ("id", "rating", "correction"))
        _need(roles, ("id",), names)
        if len(roles) == 1:
            raise RowsRefused(f"no column for the ratings or corrections among {list(names)}")
        return roles

    def _roles(self, names: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for role in wanted:
            name = getattr(self, role)
            known = self._known(names, role) if name is None else _there(names, (name,))[0]
            if known is not None:
                found[role] = known
        return found

    def _known(self, names: Sequence[str], role: str) -> str | None:
        """Return the column that is known by its name, unless it was named for something else."""
        taken = {*self._named(), *(self.features or ()), *(self.scores or ())}
        found = [name for name in names if name in NAMES[role] and name not in taken]
        if len(found) > 1:
            hint = f"name one: {'time' if role == 'observed' else role}={found[0]!r}"
            raise RowsRefused(f"columns {found} may all be the {role}", hint=hint)
        return found[0] if found else None

    def _named(self) -> tuple[str, ...]:
        """Return the columns that were given a role of their own, or none."""
        given: list[str | None] = [getattr(self, role) for role in _SINGLE]
        return (*self.ignore, *(name for name in given if name is not None))


def _there(names: Sequence[str], wanted: tuple[str, ...]) -> tuple[str, ...]:
    for name in wanted:
        if name not in names:
            raise RowsRefused(f"column {name!r} is not there; there are {list(names)}")
    return wanted


def _need(roles: Roles, wanted: Sequence[str], names: Sequence[str]) -> None:
    for role in wanted:
        if role not in roles:
            known = " or ".join(NAMES[role])
            hint = f"call it {known}, or name it: {role}=COLUMN"
            raise RowsRefused(f"no column for the {role} among {list(names)}", hint=hint)
