"""Policies by name, and triggers from the text of an expression, which is never run."""

from __future__ import annotations

import pytest

import ratoon as rt
from ratoon.core.errors import SettingInvalid
from ratoon.engine.naming_policies import policy_named, short_names, trigger_named
from ratoon.gates import Untested

LOOP = rt.Loop("fraud", trainer=lambda data: data, window=70)


@pytest.mark.parametrize(
    ("text", "trigger"),
    [
        ("never", rt.triggers.Never()),
        ("every:30d", rt.triggers.Every(days=30)),
        ("worth:1_200", rt.triggers.WorthIt(1200)),
        ("degraded:0.1", rt.triggers.Degraded(by=0.1)),
        ("drift", rt.triggers.Drift()),
        ("data-drift", rt.triggers.DataDrift()),
        ("labels:1000", rt.triggers.NewLabels(1000)),
        ("cron:0 3 * * MON", rt.triggers.Cron("0 3 * * MON")),
        ("Degraded(by=0.1)", rt.triggers.Degraded(by=0.1)),
        ("Never", rt.triggers.Never()),
        ("rt.triggers.On('pricing.*')", rt.triggers.On("pricing.*")),
        (
            "Drift() | WorthIt(200) | Every('7d')",
            rt.triggers.Drift() | rt.triggers.WorthIt(200) | rt.triggers.Every("7d"),
        ),
        ("Drift() & DataDrift()", rt.triggers.Drift() & rt.triggers.DataDrift()),
        (
            "AtLeast(2, Drift(), DataDrift(), within='3d')",
            rt.triggers.AtLeast(2, rt.triggers.Drift(), rt.triggers.DataDrift(), within="3d"),
        ),
    ],
)
def test_a_text_tells_a_trigger(text: str, trigger: object) -> None:
    """Short names and expressions make the trigger that Python would."""
    assert policy_named(text, LOOP).retrain_when == trigger


def test_all_else_stays_as_it_is() -> None:
    """Only the trigger changes, and the gate where the calendar promotes without a test."""
    assert policy_named("loop", LOOP) is LOOP
    worth = policy_named("worth:3", LOOP)
    assert (worth.name, worth.window, worth.accept_if) == ("fraud", 70, LOOP.accept_if)
    assert policy_named("every:1d", LOOP).accept_if == Untested()
    assert policy_named("Every(days=1)", LOOP).accept_if == LOOP.accept_if


def test_every_example_of_a_short_name_works() -> None:
    """What is told as an example can be written so."""
    for name, named in short_names().items():
        assert named.example.startswith(name)
        assert policy_named(named.example, LOOP)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sometimes",
        "never:1",
        "loop:2",
        "worth",
        "worth:",
        "worth:much",
        "worth:-1",
        "labels:1.5",
        "every:often",
        "cron:whenever",
        "Degraded(much=1)",
        "Degraded(by=-1)",
        "View()",
        "Trigger()",
        "Fired()",
        "Combines()",
        "Degraded(",
        "Drift() + Drift()",
        "Drift() if 1 else Drift()",
        "1",
        "Degraded(**{'by': 1})",
        "Degraded(*[1])",
        "x" * 3000,
        "(" * 900,
        "os.Drift()",
    ],
)
def test_what_tells_no_policy_is_refused(text: str) -> None:
    """The message says what a policy may be, or which setting is wrong."""
    with pytest.raises(SettingInvalid):
        policy_named(text, LOOP)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "Every(days=__import__('os').getpid())",
        "Every(days=(lambda: 1)())",
        "Never().__class__",
        "[Drift() for _ in range(3)][0]",
        "On(f'{print(1)}')",
        "On(open('/etc/passwd').read())",
    ],
)
def test_an_expression_is_read_and_never_run(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Calls of anything but triggers, attributes and the like are refused unseen."""
    with pytest.raises(SettingInvalid):
        trigger_named(text)
    assert capsys.readouterr().out == ""
