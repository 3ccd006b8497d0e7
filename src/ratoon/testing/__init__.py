"""Public check kits for extensions, a virtual clock, a crashing store, drifting streams."""

__all__: list[str] = []
