"""A model as bytes: skops where its types are trusted, else pickle in the own store."""

from __future__ import annotations

import io
from typing import Any

_TRUSTED = (
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""Types beyond skops' own list. A crafted tree can crash a process: the digest is checked first."""


def dump(model: Any) -> tuple[bytes, str]:
    """Return a model's bytes and their format.

    "skops" cannot run code when it is loaded; it is used where every type in the model is known.
    A model with classes of its own becomes "pickle": only what an own run wrote is ever read back,
    after its digest was checked.
    """
    import skops.io as sio  # noqa: PLC0415 - slow to import

    try:
        body = sio.dumps(model)
        if set(sio.get_untrusted_types(data=body)) <= set(_TRUSTED):
            sio.loads(body, trusted=list(_TRUSTED))
            return body, "skops"
    except Exception:  # noqa: BLE001, S110 - whatever skops cannot write is pickled
        pass
    import cloudpickle  # noqa: PLC0415

    sink = io.BytesIO()
    cloudpickle.dump(model, sink)
    return sink.getvalue(), "pickle"


def load(body: bytes, kind: str) -> Any:
    """Read a model from bytes whose digest has been checked."""
    if kind == "skops":
        import skops.io as sio  # noqa: PLC0415 - slow to import

        return sio.loads(body, trusted=list(_TRUSTED))
    import cloudpickle  # noqa: PLC0415

    return cloudpickle.loads(body)
