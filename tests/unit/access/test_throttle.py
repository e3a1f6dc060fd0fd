from __future__ import annotations

from airgate.access.throttle import FORGOTTEN_AFTER, FREE_GUESSES, LONGEST_DELAY, NAMES_REMEMBERED, Throttle


def guessed(times: int, at: float = 0.0) -> Throttle:
    throttle = Throttle()
    for _ in range(times):
        throttle.wrong("ada", at)
    return throttle


def test_name_is_not_delayed_while_few_passwords_were_wrong() -> None:
    assert guessed(FREE_GUESSES - 1).delay("ada", 0.0) == 0.0


def test_delay_doubles_with_every_wrong_password_beyond_the_free_ones() -> None:
    assert [guessed(FREE_GUESSES + more).delay("ada", 0.0) for more in range(4)] == [1.0, 2.0, 4.0, 8.0]


def test_delay_stays_bounded_however_many_guesses_there_were() -> None:
    assert guessed(5000).delay("ada", 0.0) == LONGEST_DELAY


def test_delay_passes_with_time() -> None:
    assert guessed(FREE_GUESSES).delay("ada", 0.25) == 0.75
    assert guessed(FREE_GUESSES).delay("ada", 2.0) == 0.0


def test_other_names_are_not_delayed() -> None:
    assert guessed(100).delay("grace", 0.0) == 0.0


def test_right_password_forgives_earlier_wrong_ones() -> None:
    throttle = guessed(100)
    throttle.right("ada")
    assert throttle.delay("ada", 0.0) == 0.0


def test_wrong_passwords_are_forgotten_after_a_quiet_while() -> None:
    throttle = guessed(100)
    throttle.wrong("ada", FORGOTTEN_AFTER + 1.0)
    assert throttle.delay("ada", FORGOTTEN_AFTER + 1.0) == 0.0


def test_memory_stays_bounded_when_names_are_made_up() -> None:
    throttle = Throttle()
    for number in range(NAMES_REMEMBERED + 10):
        throttle.wrong(f"name{number}", 0.0)
    assert len(throttle._names) == NAMES_REMEMBERED
