"""The files of a row table in an S3-compatible object store."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.fs as pafs

from ratoon.core.errors import SettingInvalid, StoreUnreachable
from ratoon.log.files import read_name
from ratoon.log.table_storage import LocalStorage, Stamp, Storage, local_root

_SCHEMES = ("s3://", "s3a://")
_PIECE = 8 << 20  # bytes that are sent at once
# What deltalake calls them, without the "aws_" before, and what pyarrow does.
_NAMES = {
    "access_key_id": "access_key",
    "secret_access_key": "secret_key",
    "session_token": "session_token",
    "token": "session_token",
    "region": "region",
    "default_region": "region",
    "endpoint_url": "endpoint_override",
    "endpoint": "endpoint_override",
}


def open_storage(uri: str, options: Mapping[str, str]) -> Storage:
    """Return where the files of the table at `uri` lie.

    Raises:
        SettingInvalid: The URI is of another kind.
    """
    root = local_root(uri)
    if root is not None:
        return LocalStorage(root)
    if not uri.startswith(_SCHEMES):
        raise SettingInvalid("uri", "a path, or of the form s3://bucket/path", uri)
    return ObjectStorage(uri, options)


def s3_arguments(options: Mapping[str, str]) -> dict[str, Any]:
    """Return how pyarrow reaches a store that deltalake reaches by `options`.

    Both look for what is missing where the AWS tools do; options that have nothing to do with
    reaching the store are passed over.

    >>> s3_arguments({"AWS_ENDPOINT_URL": "http://localhost:9000", "aws_region": "eu-west-1"})
    {'endpoint_override': 'http://localhost:9000', 'region': 'eu-west-1'}
    """
    plain = {name.lower().removeprefix("aws_"): value for name, value in options.items()}
    found: dict[str, Any] = {_NAMES[name]: value for name, value in plain.items() if name in _NAMES}
    if plain.get("skip_signature", "").lower() == "true":
        found["anonymous"] = True
    if plain.get("virtual_hosted_style_request", "").lower() == "true":
        found["force_virtual_addressing"] = True
    return found


class ObjectStorage:
    """The files of a table in an object store.

    An object is written whole or not at all, and durable once its write has returned. It is
    never changed after that, so its digest is checked when it is first read and not again.
    """

    def __init__(self, uri: str, options: Mapping[str, str]) -> None:
        """Connect to nothing yet; `options` are those of `deltalake`, beside the environment's."""
        self._uri = uri.rstrip("/")
        known = {name: said for name, said in os.environ.items() if name.startswith("AWS_")}
        store = cast("Any", pafs).S3FileSystem(**s3_arguments({**known, **options}))
        self._files = pafs.SubTreeFileSystem(self._uri.partition("://")[2], store)

    @property
    def is_remote(self) -> bool:
        """So it is."""
        return True

    @property
    def filesystem(self) -> Any:
        """What lies below the URI."""
        return self._files

    def path(self, name: str) -> str:
        """Return the URI of a file."""
        return f"{self._uri}/{name}"

    def aside(self) -> Path:
        """Return a new empty file in the system's folder for such files."""
        opened, path = tempfile.mkstemp(prefix="ratoon-", suffix=".part")
        os.close(opened)
        return Path(path)

    def keep(self, aside: Path, name: str) -> None:
        """Send a file."""
        files = self._files
        with self._asking(name), aside.open("rb") as file, files.open_output_stream(name) as stream:
            while piece := file.read(_PIECE):
                stream.write(piece)
        aside.unlink()

    def settle(self) -> None:
        """Do nothing: what was sent is durable."""

    def stamp(self, name: str) -> Stamp | None:  # noqa: ARG002 - objects do not change
        """Return the same for all: to ask would cost a request at each read."""
        return ()

    def open(self, name: str) -> Any:
        """Open an object; parts of it are asked for as they are read."""
        return self._files.open_input_file(name)

    def open_first(self, name: str) -> tuple[str, Any]:
        """Fetch an object whole."""
        with self.open(name) as file:
            body = file.read_buffer()
        return hashlib.sha256(body).hexdigest(), pa.BufferReader(body)

    def listing(self) -> dict[str, datetime]:
        """List the objects of the table, but not those of its log."""
        with self._asking(""):
            found = self._files.get_file_info(pafs.FileSelector("", allow_not_found=True))
        return {info.path: info.mtime for info in cast("Any", found) if read_name(info.path)}

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects."""
        for name in names:
            with suppress(FileNotFoundError), self._asking(name):
                self._files.delete_file(name)

    def note(self, name: str) -> bytes | None:
        """Read a small object, or return None where there is none."""
        with suppress(FileNotFoundError), self._asking(name), self.open(name) as file:
            return file.read()
        return None

    def save(self, name: str, body: bytes) -> None:
        """Write a small object."""
        with self._asking(name), self._files.open_output_stream(name) as stream:
            stream.write(body)

    @contextmanager
    def _asking(self, name: str) -> Generator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreUnreachable(self.path(name), str(error)) from error
