"""The demo: a model that drifts, is retrained, promoted and rolled back, on one machine."""

__all__: list[str] = []
