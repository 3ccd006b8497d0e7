"""Parts that the log of rows is made of: write-ahead files, tables with numbered rows, indexes.

They know nothing of loops; `ratoon.stores` puts them together.
"""

__all__: list[str] = []
