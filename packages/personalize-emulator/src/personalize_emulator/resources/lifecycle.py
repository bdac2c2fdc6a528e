"""Life cycles: the states that resources pass through, and the work that is done meanwhile."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from personalize_emulator.clock import Clock, Timers
from personalize_emulator.jobs.runner import JobRunner
from personalize_emulator.resources.records import Resource, ResourceStore, Transition

_GONE = ""  # the end of a course after which the resource does not exist


@dataclass(frozen=True)
class _Course:
    """The transitional states of one kind of change, in their order, and how it ends."""

    states: tuple[str, ...]
    end: str
    failed: str = "CREATE FAILED"


_COURSES = {
    "create": _Course(("CREATE PENDING", "CREATE IN_PROGRESS"), "ACTIVE"),
    "delete": _Course(("DELETE PENDING", "DELETE IN_PROGRESS"), _GONE),
    "update": _Course(("UPDATE PENDING", "UPDATE IN_PROGRESS"), "ACTIVE", "UPDATE FAILED"),
    "stop": _Course(("STOP PENDING", "STOP IN_PROGRESS"), "INACTIVE"),
    "start": _Course(("START PENDING", "START IN_PROGRESS"), "ACTIVE"),
    "stop-training": _Course(("CREATE STOPPING",), "CREATE STOPPED"),
    "delete-data": _Course(("PENDING", "IN_PROGRESS"), "COMPLETED", "FAILED"),
}
_DURATION_OF = {"delete": "delete", "update": "update", "stop": "stop", "start": "start", "stop-training": "stop"}

# Called in a transaction when a course has ended well, with the job's answer; returns why it failed after all.
_Finish = Callable[[Resource, Mapping[str, Any]], str | None]


class LifeCycle:
    """Moves resources through their courses. Everything here happens inside a store transaction.

    A course may concern the resource itself (`on="status"`) or one of its updates, a member of `fields` such
    as latestCampaignUpdate. What must happen at the end of a course is registered with `finish`.
    """

    def __init__(self, store: ResourceStore, clock: Clock, timers: Timers, runner: JobRunner) -> None:
        self._store = store
        self._clock = clock
        self._timers = timers
        self._runner = runner
        self._finish: dict[tuple[str, str], _Finish] = {}

    def finish(self, resource_type: str, course: str, call: _Finish, on: str = "status") -> None:
        """Have `call` run when resources of this type end this course."""
        self._finish[(resource_type, f"{on}/{course}")] = call

    def begin(
        self,
        resource: Resource,
        course: str,
        *,
        on: str = "status",
        job: dict[str, Any] | None = None,
        fail: str | None = None,
    ) -> None:
        """Put a resource on a course, replacing one that it is on, and write it."""
        self._runner.cancel(_key(resource, on))
        transition = Transition(course, 0, self._due(resource, course, on, 0), job, fail=fail)
        resource.transitions[on] = transition
        self._show(resource, on, _COURSES[course].states[0])
        self._enter(resource, on, transition)

    def recover(self) -> None:
        """Go on with every course that was under way when the process ended; a job starts again."""
        with self._store.transaction():
            for resource in self._store.all():
                for on, transition in list(resource.transitions.items()):
                    self._enter(resource, on, transition)

    def _enter(self, resource: Resource, on: str, transition: Transition) -> None:
        self._store.put(resource)
        last = transition.step == len(_COURSES[transition.course].states) - 1
        if last and transition.job and transition.result is None and not transition.fail:
            created = resource.created
            self._runner.submit(
                _key(resource, on),
                transition.job,
                lambda result: self._job_ended(resource.arn, created, on, transition, result),
            )
        arn = resource.arn
        self._timers.at(transition.due, lambda: self._advance(arn, on, transition))

    def _job_ended(self, arn: str, created: float, on: str, transition: Transition, result: dict[str, Any]) -> None:
        with self._store.transaction():
            resource = self._store.get(arn)
            if resource and resource.created == created and resource.transitions.get(on) is transition:
                transition.result = result
                self._store.put(resource)
                self._advance(arn, on, transition)

    def _advance(self, arn: str, on: str, transition: Transition) -> None:
        with self._store.transaction():
            resource = self._store.get(arn)
            if resource is None or resource.transitions.get(on) is not transition:
                return
            if self._clock.now() < transition.due:
                self._timers.at(transition.due, lambda: self._advance(arn, on, transition))
                return
            states = _COURSES[transition.course].states
            if transition.step + 1 < len(states):
                transition.step += 1
                transition.due = self._due(resource, transition.course, on, transition.step)
                self._show(resource, on, states[transition.step])
                self._enter(resource, on, transition)
            elif not transition.fail and transition.result and "then" in transition.result:
                transition.job, transition.result = transition.result["then"], None
                self._enter(resource, on, transition)
            elif transition.fail or not transition.job or transition.result is not None:
                self._end(resource, on, transition)

    def _end(self, resource: Resource, on: str, transition: Transition) -> None:
        course = _COURSES[transition.course]
        del resource.transitions[on]
        result = transition.result or {}
        reason = transition.fail or result.get("failure")
        finish = self._finish.get((resource.type, f"{on}/{transition.course}"))
        if not reason and finish:
            try:
                reason = finish(resource, result)
            except Exception:
                logging.getLogger(__name__).exception("%s of %s", transition.course, resource.arn)
                reason = "Internal error: see the log of the emulator"
        if reason:
            self._show(resource, on, course.failed, reason)
        elif course.end == _GONE:
            self._store.remove(resource)
            return
        else:
            self._show(resource, on, course.end)
        self._store.put(resource)

    def _show(self, resource: Resource, on: str, status: str, reason: str | None = None) -> None:
        now = self._clock.now()
        resource.updated = now
        if on == "status":
            resource.status = status
            fields = resource.fields
        else:
            fields = resource.fields[on]
            fields |= {"status": status, "lastUpdatedDateTime": now}
        if reason:
            fields["failureReason"] = reason

    def _due(self, resource: Resource, course: str, on: str, step: int) -> float:
        work = _DURATION_OF.get(course) or (resource.type if on == "status" else "update")
        return self._clock.due(work, 1 if course == "stop-training" else step)


def _key(resource: Resource, on: str) -> str:
    return f"{resource.arn}#{on}"
