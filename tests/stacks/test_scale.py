"""What the simulation of growth takes for granted of the stacks is what their templates say."""

from __future__ import annotations

import yaml

from bench import scale
from reco.cost.inputs import ROOT
from tests.stacks.conftest import Templates, all_of


def test_the_stream_is_read_as_the_simulation_reads_it(templates: Templates) -> None:
    mappings = all_of(templates, "ingestion", "AWS::Lambda::EventSourceMapping")
    [stream] = [mapping for mapping in mappings if "ParallelizationFactor" in mapping]
    source = scale.EVENT_SOURCE
    assert (stream["BatchSize"], stream["MaximumBatchingWindowInSeconds"]) == (source.batch, source.window)
    assert stream["ParallelizationFactor"] == source.factor


def test_functions_have_the_memory_and_the_loads_the_concurrency(templates: Templates) -> None:
    for stack, name in (("ingestion", "put-events"), ("serving", "recommend")):
        functions = all_of(templates, stack, "AWS::Lambda::Function")
        [memory] = [of["MemorySize"] for of in functions if str(of["FunctionName"]).endswith(f"_{name}")]
        assert memory == scale.MEMORY_MB
    machine = yaml.safe_load((ROOT / "statemachines" / "batch.asl.yaml").read_text())
    states = machine["States"]["Make the batches"]["ItemProcessor"]["States"]
    assert states["Load lists"]["MaxConcurrency"] == scale.LOADERS
