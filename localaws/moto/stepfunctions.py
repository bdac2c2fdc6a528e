"""Step Functions: moto's interpreter runs the real definition; this closes what it lacks and lets it run on a faster clock."""

from __future__ import annotations

import datetime
import enum
import functools
import json
import time
import types
import uuid
from collections.abc import Callable
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel
from moto.core.exceptions import AWSError

from localaws.clients import Aws
from localaws.moto import execution_history, jsonata
from localaws.patching import locate, replace, replace_imported, wrap

_ASL = "moto.stepfunctions.parser.asl"
_TASK_SERVICE = f"{_ASL}.component.state.exec.state_task.service.state_task_service:StateTaskService"
_ITEM_READER = f"{_ASL}.component.state.exec.state_map.item_reader"
_STRINGS = f"{_ASL}.component.common.string.string_expression"
#: However fast the clock runs, a machine that waits for a job asks no more often than this: each look is a function's work.
_SHORTEST_WAIT = 0.3

# The prefix of an error name of an aws-sdk integration: `Personalize.ResourceAlreadyExistsException`.
_SERVICE_ERROR_NAMES = {
    "cloudwatch": "CloudWatch",
    "eventbridge": "EventBridge",
    "firehose": "Firehose",
    "glue": "Glue",
    "kinesis": "Kinesis",
    "lambda": "Lambda",
    "personalize": "Personalize",
    "personalizeevents": "PersonalizeEvents",
    "personalizeruntime": "PersonalizeRuntime",
    "s3": "S3",
    "scheduler": "Scheduler",
    "sns": "Sns",
    "sqs": "Sqs",
    "ssm": "Ssm",
}
_SDK_SERVICE_NAMES = {
    "sfn": "stepfunctions",
    "states": "stepfunctions",
    "eventbridge": "events",
    "personalizeevents": "personalize-events",
    "personalizeruntime": "personalize-runtime",
    "cloudwatchlogs": "logs",
}


def install(aws: Aws, speed: float) -> None:
    """Replaces the interpreter's parts. Wait seconds and Retry intervals are divided by `speed`."""
    backends = locate("moto.stepfunctions.parser.models:stepfunctions_parser_backends")[2]
    replace("moto.stepfunctions.models:stepfunctions_backends", backends)
    locate("moto.core.config:default_user_config")[2]["stepfunctions"] = {"execute_state_machine": True}
    replace_imported(
        f"{_ASL}.utils.boto_client:boto_client_for",
        lambda region, service, state_credentials=None: _client(aws, service, state_credentials),
        "moto.stepfunctions",
    )
    _install_clock(speed)
    _install_jsonata()
    _install_service_integrations()
    _install_json_lines()
    _install_error_codes()
    execution = locate("moto.stepfunctions.parser.backend.execution:Execution")[2]
    execution.output = property(lambda self: self.__dict__.get("output"), _set_output)
    wrap("moto.stepfunctions.parser.models:StepFunctionsParserBackend.start_execution", _with_name)
    execution_history.install()
    plain_json = types.SimpleNamespace(dumps=lambda value, **options: json.dumps(_plain(value), **options), loads=json.loads)
    replace("moto.stepfunctions.responses:json", plain_json)


def _client(aws: Aws, service: str, credentials: Any) -> Any:
    """A client for a state machine's call, which is made with the machine's role."""
    return aws.client_as(credentials.role_arn, service) if credentials is not None else aws.client(service)


def _with_name(start_execution: Callable[..., Any]) -> Callable[..., Any]:
    """An execution without a name gets a random one, as the service does it."""

    def start(
        self: Any,
        state_machine_arn: str,
        name: str | None = None,
        execution_input: Any = None,
        trace_header: Any = None,
    ) -> Any:
        return start_execution(self, state_machine_arn, name or str(uuid.uuid4()), execution_input, trace_header)

    return start


def _set_output(execution: Any, output: Any) -> None:
    """An execution's output is JSON text, also if it is a string (which moto would hand out bare)."""
    execution.__dict__["output"] = None if output is None else json.dumps(_plain(output), separators=(",", ":"))


def _install_error_codes() -> None:
    """The interpreter's errors carry their code under another name than the one that reaches the client."""
    for error in vars(locate("moto.stepfunctions.parser.api:InvalidDefinition")[0]).values():
        if isinstance(error, type) and issubclass(error, AWSError) and isinstance(error.code, str):
            error.TYPE = str(error.code)


def _install_clock(speed: float) -> None:
    def wait(_: Any, env: Any, wait_seconds: float) -> None:
        deadline = time.monotonic() + max(wait_seconds / speed, min(wait_seconds, _SHORTEST_WAIT))
        while env.is_running() and (left := deadline - time.monotonic()) > 0:
            if env.program_state_event.wait(left):
                time.sleep(min(left, 0.05))  # woken for another reason: the event stays set

    replace(f"{_ASL}.component.state.wait.wait_function.wait_function:WaitFunction._wait_interval", wait)
    clock = types.SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / speed))
    replace(f"{_ASL}.component.common.retry.retrier_decl:time", clock)


def _install_jsonata() -> None:
    locate(f"{_ASL}.jsonata.jsonata:_eval_jsonata")
    replace(f"{_ASL}.jsonata.jsonata:_eval_jsonata", jsonata.evaluate)
    replace_imported(f"{_ASL}.jsonata.jsonata:encode_jsonata_variable_declarations", jsonata.declare, _ASL)
    replace(f"{_STRINGS}:get_intrinsic_functions_declarations", lambda variable_references: "")
    wrap(f"{_STRINGS}:StringJSONata._eval_body", _failing_as_query_error)


def _failing_as_query_error(eval_body: Callable[..., None]) -> Callable[..., None]:
    """A faulty expression is the error States.QueryEvaluationError, which a state can catch."""
    from jsonata.jexception import JException
    from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    kind = HistoryEventType.EvaluationFailed

    def evaluate(self: Any, env: Any) -> None:
        try:
            eval_body(self, env)
        except (JException, ValueError, TypeError, ArithmeticError) as error:
            name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
            cause = f"The JSONata expression '{self.expression}' failed: {error}"
            failed = EvaluationFailedEventDetails(error=name.error_name, cause=cause)
            details = EventDetails(evaluationFailedEventDetails=failed)  # type: ignore[typeddict-item]
            env.event_manager.add_event(context=env.event_history_context, event_type=kind, event_details=details)
            raise FailureEventException(FailureEvent(env=env, error_name=name, event_type=kind, event_details=details)) from error

    return evaluate


@functools.cache
def _operation(service: str, action: str) -> OperationModel | None:
    model = botocore.session.get_session().get_service_model(service)
    wanted = xform_name(action)
    return next((model.operation_model(name) for name in model.operation_names if xform_name(name) == wanted), None)


def _install_service_integrations() -> None:
    """Parameters in the API's own spelling, answers in the spelling of Step Functions, timestamps as text."""

    def operation(task: Any, service: str | None, action: str | None) -> OperationModel | None:
        return _operation(task._get_boto_service_name(service), action or task.resource.api_action)

    def to_request(
        task: Any,
        parameters: Any,
        boto_service_name: str | None = None,
        service_action_name: str | None = None,
    ) -> None:
        model = operation(task, boto_service_name, service_action_name)
        if model is not None and model.input_shape is not None:
            task._to_boto_request(parameters, model.input_shape)

    def from_response(
        task: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        model = operation(task, boto_service_name, service_action_name)
        if model is not None and model.output_shape is not None:
            task._from_boto_response(response, model.output_shape)
        if isinstance(response, dict):
            plain = _plain(response)
            response.clear()
            response.update(plain)

    replace(f"{_TASK_SERVICE}._normalise_parameters", to_request)
    replace(f"{_TASK_SERVICE}._normalise_response", from_response)
    replace(f"{_TASK_SERVICE}._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES", _SDK_SERVICE_NAMES)
    sdk = f"{_ASL}.component.state.exec.state_task.service.state_task_service_aws_sdk"
    locate(f"{sdk}:_SERVICE_ERROR_NAMES")[2].update(_SERVICE_ERROR_NAMES)


def _plain(value: Any) -> Any:
    """Values of a boto3 answer as JSON has them."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def _install_json_lines() -> None:
    """The JSONL input type of a Distributed Map's item reader."""
    transformers = f"{_ITEM_READER}.eval.resource_output_transformer"
    base = locate(f"{transformers}.transformer:ResourceOutputTransformer")[2]
    original = locate(f"{transformers}.transformer_factory:resource_output_transformer_for")[2]
    input_types = enum.Enum("InputTypeValue", {"CSV": "CSV", "JSON": "JSON", "JSONL": "JSONL"})  # type: ignore[misc]

    def eval_body(_: Any, env: Any) -> None:
        config = env.stack.pop()
        lines = [json.loads(line) for line in env.stack.pop().splitlines() if line.strip()]
        env.stack.append(lines[: config["MaxItemsValue"]])

    json_lines = type("ResourceOutputTransformerJSONL", (base,), {"_eval_body": eval_body})

    def transformer_for(input_type: Any) -> Any:
        return json_lines() if input_type.input_type_value.value == "JSONL" else original(input_type)

    for module in (f"{_ITEM_READER}.reader_config.input_type", f"{transformers}.transformer_factory"):
        replace(f"{module}:InputTypeValue", input_types)
    replace_imported(f"{transformers}.transformer_factory:resource_output_transformer_for", transformer_for, _ASL)
