"""What may be promoted: paired evidence with a stated error rate."""

from ratoon.gates.paired import Better, NotWorse
from ratoon.gates.protocol import Gate, Looked
from ratoon.gates.untested import Untested

__all__ = ["Better", "Gate", "Looked", "NotWorse", "Untested"]
