"""The children of one DAG-file process: which are idle, which are promised to work, which are still being forked."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from airgate.engine.processes.slots import ChildSlot
from airgate.sdk import protocol


class Parent(Protocol):
    """The DAG-file process, as its children's bookkeeping sees it."""

    def takes(self, slot: ChildSlot) -> bool:
        """Whether a free child is kept; else it is let go."""

    def slots_changed(self, *, free: bool = False) -> None:
        """Something has changed: with `free`, a child can take work; else one was used, has gone or was never born."""


class Children:
    """Implements `airgate.engine.processes.slots.SlotOwner`."""

    def __init__(self, parent: Parent) -> None:
        self.forking = 0
        """How many were ordered and have not said hello yet."""
        self._parent = parent
        self._idle: deque[ChildSlot] = deque()
        self._all: dict[int, ChildSlot] = {}

    def __len__(self) -> int:
        return len(self._all)

    @property
    def ready(self) -> int:
        """How many can take work, now or in a moment."""
        return len(self._idle) + self.forking

    @property
    def busy(self) -> bool:
        """Whether any runs work, or is about to."""
        return any(child.busy or child.reserved for child in self._all.values())

    @property
    def promised(self) -> bool:
        """Whether any is reserved for work that has not come yet."""
        return any(child.reserved for child in self._all.values())

    def connected(self, slot: ChildSlot) -> None:
        """A spare said hello."""
        self.forking = max(0, self.forking - 1)
        self._all[slot.pid] = slot
        self.child_free(slot)

    def reserve(self) -> ChildSlot | None:
        """Take an idle one."""
        if not self._idle:
            return None
        slot = self._idle.popleft()
        slot.reserved = True
        return slot

    def discard_idle(self) -> None:
        """Let go of those that wait for work."""
        while self._idle:
            self._idle.popleft().discard()

    def child_free(self, slot: ChildSlot) -> None:
        """See the port."""
        if not self._parent.takes(slot):
            slot.discard()
            self._parent.slots_changed()
            return
        self._idle.append(slot)
        self._parent.slots_changed(free=True)

    def child_settled(self, slot: ChildSlot) -> None:
        """See the port."""
        self._parent.slots_changed()

    def child_gone(self, slot: ChildSlot) -> None:
        """See the port."""
        self._all.pop(slot.pid, None)
        if slot in self._idle:
            self._idle.remove(slot)
        self._parent.slots_changed()

    def reaped(self, message: protocol.ChildGone, *, by_parent: bool) -> None:
        """How a child ended, told by its parent, or by the nursery that had adopted it."""
        child = self._all.get(message.pid)
        if child is not None:
            child.exited(message.status)
        elif by_parent:
            # It never said hello, or its end was known already. Only the former frees a place in the queue; mistaking
            # one for the other costs a spare too many, never one too few.
            self.forking = max(0, self.forking - 1)
            self._parent.slots_changed()
