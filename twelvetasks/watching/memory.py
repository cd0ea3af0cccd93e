"""The tasks a watch remembers, each as it was seen last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from twelvetasks.values.models import Task


class Memory:
    """The last state of each task that has been seen; of the `most` seen last, if that is given."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._tasks: OrderedDict[str, Task] = OrderedDict()

    @property
    def ids(self) -> Iterable[str]:
        """All that are remembered, by the time they were seen first or changed last."""
        return self._tasks

    def get(self, id: str) -> Task | None:  # noqa: A002
        """Give a task as it was seen last; None if it is not remembered."""
        return self._tasks.get(id)

    def count_with(self, tasks: Iterable[Task]) -> int:
        """Count the tasks that are remembered and those, each once."""
        return len(self._tasks) + len({task.id for task in tasks} - self._tasks.keys())

    def add(self, tasks: Iterable[Task]) -> None:
        """Remember tasks of which nothing is known yet."""
        for task in tasks:
            if task.id not in self._tasks:
                self.swap(task)

    def swap(self, task: Task) -> Task | None:
        """Remember the state of a task, and give the one before it."""
        before = self._tasks.pop(task.id, None)
        self._tasks[task.id] = task
        if self._most is not None and len(self._tasks) > self._most:
            self._tasks.popitem(last=False)
        return before

    def forget(self, id: str) -> Task:  # noqa: A002
        """Give a task as it was seen last, and remember it no more."""
        return self._tasks.pop(id)
