"""A model as bytes: skops where its types are trusted, else pickle in the own store."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from itertools import count
from typing import Any, cast

_TRUSTED = (
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""Types beyond skops' own list. A crafted tree can crash a process: the digest is checked first."""

_SCHEMA = "schema.json"
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip archive can tell


def dump(model: Any) -> tuple[bytes, str]:
    """Return a model's bytes and their format; the same model gives the same bytes.

    "skops" cannot run code when it is loaded; it is used where every type in the model is known.
    A model with classes of its own becomes "pickle": only what an own run wrote is ever read back,
    after its digest was checked.
    """
    import skops.io as sio  # noqa: PLC0415 - slow to import

    try:
        body = _settled(sio.dumps(model))
        if set(sio.get_untrusted_types(data=body)) <= set(_TRUSTED):
            sio.loads(body, trusted=list(_TRUSTED))
            return body, "skops"
    except Exception:  # noqa: BLE001, S110 - whatever skops cannot write is pickled
        pass
    import cloudpickle  # noqa: PLC0415

    sink = io.BytesIO()
    cast("Any", cloudpickle).dump(model, sink)
    return sink.getvalue(), "pickle"


def digest_of(model: Any) -> str:
    """Return the SHA-256 of a model's bytes, by which it would be kept."""
    return hashlib.sha256(dump(model)[0]).hexdigest()


def load(body: bytes, kind: str) -> Any:
    """Read a model from bytes whose digest has been checked."""
    if kind == "skops":
        import skops.io as sio  # noqa: PLC0415 - slow to import

        return sio.loads(body, trusted=list(_TRUSTED))
    import cloudpickle  # noqa: PLC0415

    return cloudpickle.loads(body)


def _settled(body: bytes) -> bytes:
    """Return a skops archive without what differs from one writing to the next.

    skops names objects and files by their address in memory or by chance, and notes the time;
    here they are numbered in the order in which the schema comes to them.
    """
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    numbers: dict[object, int] = {}
    schema = _numbered(json.loads(files.pop(_SCHEMA)), files, numbers, count())
    named = {_file_name(numbers[name], name): content for name, content in files.items()}
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as settled:
        for name in sorted(named):
            _put(settled, name, named[name])
        _put(settled, _SCHEMA, json.dumps(schema, separators=(",", ":")).encode())
    return sink.getvalue()


def _numbered(
    node: Any, files: Mapping[str, bytes], numbers: dict[object, int], following: count[int]
) -> Any:
    """Return a part of the schema with a number for each address and each file."""
    if isinstance(node, list):
        items = cast("list[Any]", node)
        return [_numbered(item, files, numbers, following) for item in items]
    if not isinstance(node, dict):
        return node
    found: dict[str, Any] = {}
    for key, value in cast("dict[str, Any]", node).items():
        if key == "__id__" and isinstance(value, int):
            found[key] = _number(value, numbers, following)
        elif key == "file" and isinstance(value, str) and value in files:
            found[key] = _file_name(_number(value, numbers, following), value)
        else:
            found[key] = _numbered(value, files, numbers, following)
    return found


def _number(key: object, numbers: dict[object, int], following: count[int]) -> int:
    if key not in numbers:
        numbers[key] = next(following)
    return numbers[key]


def _file_name(number: int, name: str) -> str:
    return f"{number}.{name.rpartition('.')[2]}"


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    about = zipfile.ZipInfo(name, _NO_TIME)
    about.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(about, content)
