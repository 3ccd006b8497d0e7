"""The command line; it shows state and decides nothing."""

__all__: list[str] = []
