"""Lanes and lines: who is attempted when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from airgate.model.job import Execution, ExecutionStatus
from airgate.model.webhook import Delivery, DeliveryState, Webhook
from airgate.orchestration.pacing import LONG, MOST, OF_FAILING, SHORT, Lanes, Line, Standing

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ONE, TWO = UUID(int=1), UUID(int=2)
EXECUTION = Execution(id=ONE, execution_id=ONE, job_id=ONE, workspace_id=ONE, status=ExecutionStatus.FINISHED)


class Steady:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def webhook(key: UUID = ONE, **more: Any) -> Webhook:
    values: dict[str, Any] = {"workspace_id": ONE, "description": "", "is_active": True, "created_at": NOW}
    return Webhook(id=key, updated_at=NOW, **(values | more))


def standing(webhook_id: UUID = ONE, count: int = 1) -> list[Standing]:
    return [
        (
            Delivery(
                id=uuid7(), webhook_id=webhook_id, workspace_id=ONE, execution=ONE, cause="", created_at=NOW,
                state=DeliveryState.PENDING, next_attempt_at=NOW,
            ),
            EXECUTION,
        )
        for _ in range(count)
    ]  # fmt: skip


def hungry(line: Line) -> bool:
    return line.hungry


def read(line: Line, found: Iterable[Standing], *, cut: bool = False) -> None:
    line.read(found, line.reading(), cut=cut)


def test_lane_lets_in_as_many_as_its_webhook_allows_and_all_together_as_many_as_there_may_be() -> None:
    lanes = Lanes(5, Steady())
    assert [lanes.enter(webhook(max_concurrency=3)) for _ in range(4)] == [True, True, True, False]
    assert [lanes.enter(webhook(TWO, max_concurrency=3)) for _ in range(3)] == [True, True, False]
    lanes.leave(ONE)
    assert lanes.enter(webhook(TWO, max_concurrency=3))


def test_lane_of_a_failing_target_is_narrow_until_it_works() -> None:
    lanes = Lanes(50, Steady())
    failing = webhook(max_concurrency=8, failing_since=NOW)
    assert [lanes.enter(failing) for _ in range(8)].count(True) == OF_FAILING
    assert lanes.enter(webhook(max_concurrency=8))


def test_lane_with_a_rate_lets_in_by_the_clock() -> None:
    steady = Steady()
    lanes = Lanes(50, steady)
    paced = webhook(max_per_second=2.0)
    assert [lanes.enter(paced), lanes.enter(paced)] == [True, False]
    assert lanes.next_room([ONE, TWO]) == 0.5
    assert lanes.next_room([TWO]) is None
    lanes.leave(ONE)  # however short the attempt was
    assert not lanes.enter(paced)
    steady.now += 0.5
    assert lanes.next_room([ONE]) is None
    assert lanes.enter(paced)
    steady.now += 100  # what was not used is not saved up
    assert [lanes.enter(paced), lanes.enter(paced)] == [True, False]


def test_delivery_stands_in_line_once() -> None:
    line = Line()
    (only,) = standing()
    read(line, [only])
    read(line, [only])
    assert line.take(ONE) == only
    assert not line.has(ONE)
    read(line, [only])  # it is being attempted
    assert not line.has(ONE)


def test_delivery_whose_attempt_ended_during_a_read_is_not_brought_back_by_it() -> None:
    line = Line()
    (only,) = standing()
    read(line, [only])
    line.take(ONE)
    gap = line.reading()
    line.end(only[0].id)
    line.read([only], gap, cut=False)
    assert not line.has(ONE)
    read(line, [only])  # this read began after: it is due again
    assert line.has(ONE)


def test_flood_for_one_webhook_leaves_room_for_others() -> None:
    line = Line()
    read(line, standing(ONE, 5 * LONG), cut=True)
    assert hungry(line)
    assert line.reading().webhooks == {ONE}
    read(line, standing(TWO, 3))
    assert not hungry(line)
    assert line.has(TWO)
    for _ in range(LONG - SHORT):
        line.end(line.take(ONE)[0].id)
    assert not hungry(line)
    line.take(ONE)
    assert hungry(line)
    assert line.reading().webhooks == frozenset()


def test_webhooks_take_turns() -> None:
    line = Line()
    read(line, [*standing(ONE, 2), *standing(TWO, 2)])
    order = []
    while line.webhooks():
        order.append(line.take(line.webhooks()[0])[0].webhook_id)
    assert order == [ONE, TWO, ONE, TWO]


def test_line_does_not_grow_without_end() -> None:
    line = Line()
    for number in range(MOST // LONG):
        read(line, standing(UUID(int=number + 10), LONG), cut=True)
    assert not hungry(line)


def test_those_of_a_webhook_that_is_gone_leave_the_line() -> None:
    line = Line()
    found = standing(ONE, 3)
    read(line, found)
    line.drop(ONE)
    assert line.webhooks() == ()
    gap = line.reading()
    assert gap.deliveries == frozenset()
