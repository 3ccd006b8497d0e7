"""The check kit of stores: what every store does, whatever it keeps its rows in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ratoon.testing import arrivals, belongings, books
from ratoon.testing.drafts import StoreMaker

StoreCheck: TypeAlias = Callable[[StoreMaker], None]


def store_checks() -> tuple[StoreCheck, ...]:
    """Return the checks one by one, to run each as a test of its own.

    Each takes a function that opens the store of a loop by the loop's name: called again with the
    same name it opens the same loop again, as another process would. All checks may share one
    database, since each works on a loop of its own. Its docstring says what is checked; an
    `AssertionError` says what was expected and what was found.

    >>> from ratoon.testing import store_checks
    >>> store_checks()[0].__doc__
    'A loop that nothing has reached has nothing.'
    """
    return (
        arrivals.check_empty,
        arrivals.check_journal,
        arrivals.check_long_journal,
        arrivals.check_history,
        arrivals.check_labels_join,
        arrivals.check_parked_labels,
        arrivals.check_ordinals,
        arrivals.check_repeated_predictions,
        arrivals.check_conflicting_predictions,
        arrivals.check_repeated_labels,
        arrivals.check_conflicting_labels,
        arrivals.check_feedback,
        arrivals.check_events,
        arrivals.check_aliases_with_a_draft,
        arrivals.check_gather,
        arrivals.check_predictions_by_id,
        arrivals.check_many_ids,
        arrivals.check_sent_arrays_are_copied,
        books.check_commit,
        books.check_commits_add_up,
        books.check_events_of_records,
        books.check_commit_is_whole,
        books.check_loops_apart,
        books.check_reopened,
        belongings.check_made_ids,
        belongings.check_made_ids_of_threads,
        belongings.check_labels_of_a_model,
        belongings.check_ordinals_of_ids,
        belongings.check_forget,
        belongings.check_forget_history,
        belongings.check_forget_on_record,
        belongings.check_pins,
        belongings.check_files_are_whole,
    )


def check_store(make_store: StoreMaker) -> None:
    """Run every check of the kit on a store.

    Args:
        make_store: opens the store of the loop with the given name; see `store_checks`.

    Raises:
        AssertionError: the store breaks its contract; the message says where.

    >>> from ratoon.stores import MemoryStore
    >>> from ratoon.testing import check_store
    >>> loops = {}
    >>> check_store(lambda loop: loops.setdefault(loop, MemoryStore()))
    """
    for check in store_checks():
        check(make_store)
