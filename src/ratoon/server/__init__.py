"""The service: HTTP API and page; they show state and decide nothing."""

__all__: list[str] = []
