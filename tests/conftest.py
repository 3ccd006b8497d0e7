"""What every test shares: the profiles of Hypothesis."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: a shared machine is slow at times, and a test's speed is no property of the code.
# In CI every run draws the same examples, and a failure prints how to draw it again.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
