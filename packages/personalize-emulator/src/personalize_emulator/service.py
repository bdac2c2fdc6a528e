"""All operations of Amazon Personalize, wired together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from personalize_emulator.clock import Clock, Timers
from personalize_emulator.errors import InvalidInput, LimitExceeded, ResourceInUse, ResourceNotFound, UnknownOperation
from personalize_emulator.faults import Faults
from personalize_emulator.jobs.runner import JobRunner
from personalize_emulator.quotas import Quotas
from personalize_emulator.resources.attributions import MetricAttributions
from personalize_emulator.resources.batch import BatchJobs
from personalize_emulator.resources.campaigns import Campaigns
from personalize_emulator.resources.context import Context, Operation
from personalize_emulator.resources.data_jobs import DataJobs
from personalize_emulator.resources.datasets import Datasets
from personalize_emulator.resources.events import Events
from personalize_emulator.resources.lifecycle import LifeCycle
from personalize_emulator.resources.reading import describe_operations, list_operations
from personalize_emulator.resources.recipe_catalogue import recipe_operations
from personalize_emulator.resources.recommenders import Recommenders
from personalize_emulator.resources.records import ResourceStore
from personalize_emulator.resources.serving import Runtime
from personalize_emulator.resources.solutions import Solutions
from personalize_emulator.resources.stores import DatasetStores
from personalize_emulator.resources.tags import Tags
from personalize_emulator.resources.trackers_and_filters import TrackersAndFilters
from personalize_emulator.resources.upkeep import Upkeep
from personalize_emulator.wire import Operation as ApiOperation
from personalize_rules.filters import InvalidFilter
from personalize_rules.schemas import InvalidSchema


class Service:
    """One account and region of Amazon Personalize, with its state in a directory."""

    def __init__(
        self,
        directory: Path,
        *,
        account: str,
        region: str,
        speed: float,
        quotas: Quotas,
        durations: Mapping[str, Sequence[float]],
        filter_lag: float,
        environment: Mapping[str, str] | None = None,
        s3_root: Path | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        store = ResourceStore(directory / "resources.sqlite")
        clock, timers = Clock(speed, durations), Timers()
        runner = JobRunner({"AWS_REGION": region, **(environment or {})})
        self.context = Context(
            account,
            region,
            directory,
            store,
            DatasetStores(directory, store, filter_lag / speed),
            clock,
            timers,
            runner,
            LifeCycle(store, clock, timers, runner),
            Faults(),
            quotas,
            s3_root=s3_root.resolve() if s3_root else None,
        )
        solutions, campaigns = Solutions(self.context), Campaigns(self.context)
        recommenders, self._runtime = Recommenders(self.context), Runtime(self.context)
        self._upkeep = Upkeep(self.context, solutions, campaigns, recommenders)
        self._operations: dict[str, Operation] = {
            **describe_operations(self.context, {"solution": solutions.latest_version}),
            **list_operations(self.context),
            **Datasets(self.context).operations(),
            **DataJobs(self.context).operations(),
            **TrackersAndFilters(self.context).operations(),
            **solutions.operations(),
            **campaigns.operations(),
            **recommenders.operations(),
            **BatchJobs(self.context).operations(),
            **MetricAttributions(self.context).operations(),
            **Tags(self.context).operations(),
            **recipe_operations(),
        }
        self._streams: dict[str, Operation] = {
            **self._runtime.operations(),
            **Events(self.context).operations(),
        }

    def start(self) -> None:
        """Go on where the last process ended."""
        self.context.timers.start()
        self.context.lifecycle.recover()
        self._upkeep.start()

    def call(self, operation: ApiOperation, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer of an operation to a decoded request.

        Raises PersonalizeError: one that the service model declares for the operation, save for throttling.
        """
        try:
            return self._call(operation, request)
        except (ResourceNotFound, ResourceInUse, LimitExceeded) as error:
            if error.code in operation.errors:
                raise
            raise InvalidInput(error.message) from error
        except (InvalidSchema, InvalidFilter) as error:
            raise InvalidInput(str(error)) from error

    def _call(self, operation: ApiOperation, request: Mapping[str, Any]) -> dict[str, Any] | None:
        self.context.faults.meet(operation.name)
        stream = self._streams.get(operation.name)
        if stream:
            answer = stream(request)
            self.context.calls.count(operation.name, request)
            return answer
        managed = self._operations.get(operation.name)
        if managed is None:
            raise UnknownOperation(f"Operation {operation.name} is not emulated")
        with self.context.store.transaction():
            return managed(request)

    def reset(self) -> None:
        """Forget every resource, all data and the faults; other settings stay."""
        context = self.context
        with context.store.transaction():
            context.runner.cancel_all()
            context.store.clear()
            context.stores.clear()
            context.discard_all_files()
            self._runtime.clear()
        context.faults.replace([])

    def stop(self) -> None:
        self.context.timers.close()
        self.context.runner.close()
        self.context.stores.close()
        self.context.store.close()
