"""Triggers, limits, gates and rollouts become decisions."""

from ratoon.policies.limits import Limits
from ratoon.policies.policy import Policy
from ratoon.policies.state import PolicyState, Standing
from ratoon.policies.turn import Turn

__all__ = ["Limits", "Policy", "PolicyState", "Standing", "Turn"]
