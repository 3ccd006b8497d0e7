"""Chance without a generator: a number that follows from a seed and a counter alone."""

from __future__ import annotations

import hashlib

_BITS = 53  # a float holds so many


def uniform(seed: int, number: int) -> float:
    """Return the `number`-th draw of a seed, uniform on [0, 1).

    It is the first 53 bits of BLAKE2b of seed and number, over 2^53. Draws need no state and no
    order, so that a replay draws what the live loop drew.

    Source: counter-based generators, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
    SC 2011, section 2; here with a hash in place of their ciphers.

    >>> round(uniform(0, 1), 6), round(uniform(0, 2), 6)
    (0.945917, 0.809932)
    """
    digest = hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> (64 - _BITS)) / 2**_BITS
