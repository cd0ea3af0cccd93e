"""The tasks a watch remembers, each as it was last seen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any


class Memory:
    """The last state of each task seen; only of the `most` recent ones if `most` is given."""

    def __init__(self, most: int | None, id_of: Callable[[Any], str]) -> None:
        self._most = most
        self._id_of = id_of
        # Unlike a dict, it finds its oldest entry at once, however many were there before.
        self._tasks: OrderedDict[str, Any] = OrderedDict()

    @property
    def ids(self) -> Iterable[str]:
        """All remembered ids, ordered by when each was first seen or last changed."""
        return self._tasks

    def get(self, id: str) -> Any:  # noqa: A002
        """Return a task as it was last seen; None if it is not remembered."""
        return self._tasks.get(id)

    def count_with(self, tasks: Iterable[Any]) -> int:
        """Count the remembered tasks together with these, each once."""
        return len(self._tasks) + len(set(map(self._id_of, tasks)) - self._tasks.keys())

    def add(self, tasks: Iterable[Any]) -> None:
        """Remember the tasks that are not known yet."""
        for task in tasks:
            if self._id_of(task) not in self._tasks:
                self.swap(task)

    def swap(self, task: Any) -> Any:
        """Remember a task's state, and return the state before it."""
        task_id = self._id_of(task)
        before = self._tasks.pop(task_id, None)
        self._tasks[task_id] = task
        if self._most is not None and len(self._tasks) > self._most:
            self._tasks.popitem(last=False)
        return before

    def forget(self, id: str) -> Any:  # noqa: A002
        """Forget a task, and return it as it was last seen."""
        return self._tasks.pop(id)
