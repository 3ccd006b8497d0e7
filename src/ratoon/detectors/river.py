"""Detectors of river, as detectors of ours."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Detection, Measurement
from ratoon.core.wire import Json
from ratoon.detectors.scanning import Batch, Scans
from ratoon.detectors.steps import Onset, answer, drift, onset_of, stable, value_of

_DEPTH = 8  # objects within objects of a detector, at most
_OBJECT, _BYTES, _QUEUE, _CHANCE = "object", "bytes", "queue", "chance"
Memory: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiverState:
    """The attributes of river's detector, as JSON; none before the first value."""

    memory: Any = None
    onset: Onset | None = None  # the first window of the warning that stands


@dataclass(frozen=True, slots=True, kw_only=True)
class River(Scans[RiverState]):
    """A drift detector of river (`pip install ratoon[river]`), with a state that is JSON.

    It alarms where river's detector does. The state holds that detector's attributes: numbers,
    texts, queues, the state of its random generator, and the bytes in which river's compiled parts
    write themselves. It is read back by the same version of river alone.

    The statistic is 1 at a drift and 0 else, the threshold 0.5: river's detectors tell neither. The
    change point is the first window of the warning that led to the drift, where the detector
    warns, and else the window that raised the alarm.

    Each step reads and writes the whole memory, at some 100 microseconds; a scan does it once.

    Args:
        detector: an object of `river.drift` or `river.drift.binary`, or of one's own with the same
            methods; it is taken as new (`clone`), and itself not changed. One that draws by
            chance needs a seed.

    Raises:
        SettingInvalid: where it has no `update`, `clone` or `drift_detected`, draws by chance
            without a seed, or holds what cannot be written.

    Example:
        >>> from river import drift
        >>> losses = [float(row % 5 == 0 if row < 1000 else row % 5 != 0) for row in range(2000)]
        >>> detector = River(detector=drift.binary.DDM())
        >>> state, alarms = detector.scan(detector.init(), losses)
        >>> for alarm in alarms:
        ...     print(f"seen at row {alarm.row}, since row {alarm.detection.change_row}")
        seen at row 1043, since row 1021

    References:
        Montiel, J. et al. (2021). River: machine learning for streaming data in Python. Journal of
        Machine Learning Research 22 (110), 1-8.

    """

    detector: Any

    def __post_init__(self) -> None:
        """Check the detector."""
        got = type(self.detector).__name__
        is_one = all(hasattr(self.detector, n) for n in ("update", "clone", "drift_detected"))
        if not is_one or isinstance(self.detector, type):
            raise SettingInvalid("detector", "a drift detector of river", got)
        if getattr(self.detector, "seed", 0) is None:
            raise SettingInvalid("detector", "one with a seed, as it draws by chance", got)
        written(self.detector.clone())

    def init(self) -> RiverState:
        """Return the state before the first measurement."""
        return RiverState()

    def step(self, state: RiverState, m: Measurement, /) -> tuple[RiverState, Detection]:
        """Take in `m`: return the state after it, and what it says of a change."""
        value = value_of(m)
        if value is None:
            return state, stable(0.0, 0.5)
        live = self._live(state)
        onset, detection = _updated(live, value, state.onset, onset_of(m.window))
        return RiverState(memory=written(live), onset=onset), detection

    def _live(self, state: RiverState) -> Any:
        """Return river's detector with the memory of the state."""
        live = self.detector.clone()
        if state.memory is not None:
            _restore(live, state.memory)
        return live

    def _read(
        self, state: RiverState, batch: Batch
    ) -> tuple[RiverState, list[tuple[int, Detection]]]:
        live, onset = self._live(state), state.onset
        found: list[tuple[int, Detection]] = []
        for i, value in enumerate(batch.values.tolist()):
            onset, detection = _updated(live, value, onset, batch.place(i))
            if detection.status == "drift":
                found.append((i, detection))
        if not len(batch):
            return replace(state), found
        return RiverState(memory=written(live), onset=onset), found


def _updated(
    live: Any, value: float, onset: Onset | None, place: Onset
) -> tuple[Onset | None, Detection]:
    """Update river's detector: the onset of the warning that stands, and the answer."""
    live.update(value)
    if live.drift_detected:
        return None, drift(1.0, 0.5, onset or place)
    warned = bool(getattr(live, "warning_detected", False))
    return (onset or place) if warned else None, answer(0.0, 0.5, warned=warned)


def written(thing: Any, depth: int = 0) -> Json:
    """Return what an object of river knows, as JSON.

    Raises:
        SettingInvalid: where it holds something that has no such form.

    """
    if thing is None or isinstance(thing, (bool, int, float, str)):
        return thing
    if depth > _DEPTH:
        raise SettingInvalid("detector", f"nested at most {_DEPTH} deep", type(thing).__name__)
    if isinstance(thing, deque):
        values = [written(value, depth + 1) for value in cast("deque[Any]", thing)]
        return {_QUEUE: values, "most": cast("deque[Any]", thing).maxlen}
    if isinstance(thing, (list, tuple)):
        return [written(value, depth + 1) for value in cast("Sequence[Any]", thing)]
    if hasattr(thing, "getrandbits"):
        return {_CHANCE: written(thing.getstate(), depth + 1)}
    if hasattr(thing, "__dict__"):
        attributes = cast("dict[str, Any]", vars(thing))
        told = {k: v for k, v in attributes.items() if not callable(v)}
        return {_OBJECT: {k: written(v, depth + 1) for k, v in told.items()}}
    state = thing.__getstate__()
    if isinstance(state, bytes):
        return {_BYTES: state.hex()}
    raise SettingInvalid("detector", "made of parts that can be written", type(thing).__name__)


def _restore(thing: Any, memory: Any) -> None:
    """Give a new object of river what it knew."""
    for name, value in memory[_OBJECT].items():
        setattr(thing, name, _restored(getattr(thing, name, None), value))


def _restored(fresh: Any, value: Any) -> Any:
    """Return the value of an attribute, from what is written of it and a new one."""
    if isinstance(value, list):
        return [_restored(None, item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    told = cast("dict[str, Any]", value)
    if _QUEUE in told:
        return deque((_restored(None, item) for item in told[_QUEUE]), maxlen=told["most"])
    if _CHANCE in told:
        version, numbers, following = told[_CHANCE]
        fresh.setstate((version, tuple(numbers), following))
    elif _BYTES in told:
        fresh.__setstate__(bytes.fromhex(told[_BYTES]))
    else:
        _restore(fresh, told)
    return fresh
