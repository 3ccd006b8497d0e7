"""Where the rules of the data checks are written down, for people to read and to edit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ratoon.core.errors import RulesUnreadable
from ratoon.log import disk

_HEAD = "# reference: snapshot "


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Rules as text, and the digest of the snapshot that they were inferred from."""

    text: str
    reference: str
    source: str = ""  # the file that they stand in


class RuleBook(Protocol):
    """Keeps the newest rules."""

    def read(self) -> Written | None:
        """Return the rules; None where there are none yet."""
        ...

    def write(self, rules: Written, /) -> None:
        """Keep rules in the place of those before."""
        ...


@dataclass(slots=True)
class MemoryRuleBook:
    """Keeps the rules in memory."""

    _rules: Written | None = None

    def read(self) -> Written | None:
        """Return the rules."""
        return self._rules

    def write(self, rules: Written, /) -> None:
        """Keep rules."""
        self._rules = rules


@dataclass(frozen=True, slots=True)
class FileRuleBook:
    """Keeps the rules in a file that a person may edit; each version before has a file too."""

    path: Path  # LOOP.rules.toml

    def read(self) -> Written | None:
        """Read the file.

        Raises:
            RulesUnreadable: it cannot be opened, or is no text in UTF-8.
        """
        name = str(self.path)
        try:
            found = self.path.read_bytes()
            text = found.decode("utf-8-sig").replace("\r\n", "\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            rule = f"a file that can be read ({error.strerror})"
            raise RulesUnreadable("the file of the rules", rule, name) from error
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            at, got = f"{name}, line {line}", error.object[error.start : error.end]
            raise RulesUnreadable(at, "text in UTF-8", got, line=line) from error
        first = text.partition("\n")[0]
        return Written(text=text, reference=first.removeprefix(_HEAD) if first else "", source=name)

    def write(self, rules: Written, /) -> None:
        """Write the file, and keep the one before under its number."""
        before = self.read()
        if before is not None:
            earlier = sorted(self.path.parent.glob(f"{self.path.stem}.*.toml"))
            aside = self.path.with_name(f"{self.path.stem}.{len(earlier) + 1:04d}.toml")
            disk.write_durably(aside, before.text.encode())
        body = f"{_HEAD}{rules.reference}\n{rules.text}"
        disk.write_durably(self.path, body.encode())
