"""Reports: what a loop or a replay did, rendered to be read."""

__all__: list[str] = []
