"""The demo: a real stream through a live loop in virtual time, beside what people do without it."""

__all__: list[str] = []
