"""SIGTERM unwinds one kind of block at once, and waits in the other until it is asked for."""

import signal
import threading
from collections.abc import Callable

import pytest

from svg_quality.tracking.termination import Terminated, sigterm_as_exception, sigterm_held


def come() -> None:
    signal.raise_signal(signal.SIGTERM)


def terminated(block: Callable[[list[str]], None]) -> list[str]:
    """What the block had done when SIGTERM ended it."""
    done: list[str] = []
    with pytest.raises(Terminated) as caught:
        block(done)
    assert caught.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    return done


def test_it_unwinds_a_block_at_once() -> None:
    def block(done: list[str]) -> None:
        with sigterm_as_exception():
            done.append("before")
            come()
            done.append("after")

    assert terminated(block) == ["before"]


def test_it_waits_until_a_block_that_holds_it_asks() -> None:
    def block(done: list[str]) -> None:
        with sigterm_held() as end_if_asked:
            end_if_asked()
            come()
            done.append("whole")
            end_if_asked()
            done.append("next")

    assert terminated(block) == ["whole"]


def test_a_block_that_never_asks_is_done_whole_and_ends_there() -> None:
    def block(done: list[str]) -> None:
        with sigterm_as_exception():
            with sigterm_held():
                come()
                done.append("whole")
            done.append("next")

    assert terminated(block) == ["whole"]


def test_after_a_block_that_held_it_it_unwinds_again() -> None:
    def block(done: list[str]) -> None:
        with sigterm_as_exception():
            with sigterm_held():
                done.append("quiet")
            come()
            done.append("after")

    assert terminated(block) == ["quiet"]


def test_an_error_of_the_block_goes_before_the_signal() -> None:
    def block() -> None:
        with sigterm_held():
            come()
            raise ValueError("of the block")

    with pytest.raises(ValueError, match="of the block"):
        block()


def test_another_thread_may_hold_it_and_replaces_nothing() -> None:
    """Signals find the main thread only."""
    found = []

    def held() -> None:
        with sigterm_held() as end_if_asked:
            end_if_asked()
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=held)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]
