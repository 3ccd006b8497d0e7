"""`ratoon retrain`."""

from __future__ import annotations

from ratoon.cli.common import App, By, Common, LoopName, Reason
from ratoon.cli.opening import asker
from ratoon.cli.telling import Message, tell
from ratoon.core.events import REQUESTED


def retrain(
    loop: LoopName, reason: Reason = "", by: By = None, app: App = None, *, common: Common
) -> None:
    """Ask a loop to retrain, whatever it waits for.

    Neither cooldown nor budget holds it up. The wish is stored at once, and a running loop takes
    it in at its next call. With --app the loop is opened here and retrains now. Its gate still
    decides whether the new model is promoted.

    Example:
        ratoon retrain fraud --reason "new merchants"
        ratoon retrain fraud --app fraud_app:loop
    """
    data = {"reason": reason, "by": asker(by)}
    tell(common, loop, app, Message(type=REQUESTED, data=data, subject=loop))
