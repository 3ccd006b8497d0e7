"""Adapters to other systems, one folder and one extra each."""

__all__: list[str] = []
