"""Step Functions: moto's interpreter runs the real definition; this closes what it lacks and lets it run on a faster clock."""

from __future__ import annotations

import copy
import datetime
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
from jsonata.jexception import JException
from moto.core.exceptions import AWSError
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from localaws.clients import Aws
from localaws.moto import execution_history, jsonata
from localaws.patching import intercept, locate, replace, replace_imported

_ASL = "moto.stepfunctions.parser.asl"
_TASK_SERVICE = f"{_ASL}.component.state.exec.state_task.service.state_task_service:StateTaskService"
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
    replace("moto.stepfunctions.models:stepfunctions_backends", stepfunctions_parser_backends)
    locate("moto.core.config:default_user_config")[2]["stepfunctions"] = {"execute_state_machine": True}
    replace_imported(
        f"{_ASL}.utils.boto_client:boto_client_for",
        lambda region, service, state_credentials=None: _client(aws, service, state_credentials),
        "moto.stepfunctions",
    )
    _install_clock(speed)
    _install_jsonata()
    _install_service_integrations()
    _install_error_codes()
    execution = locate("moto.stepfunctions.parser.backend.execution:Execution")[2]
    execution.output = property(lambda self: self.__dict__.get("output"), _set_output)
    intercept(
        "moto.stepfunctions.parser.backend.execution:BaseExecutionWorkerCommunication._reflect_execution_status", status_last
    )
    intercept("moto.stepfunctions.parser.models:StepFunctionsParserBackend.start_execution", _start_named)
    execution_history.install()
    plain_json = types.SimpleNamespace(dumps=lambda value, **options: json.dumps(_plain(value), **options), loads=json.loads)
    replace("moto.stepfunctions.responses:json", plain_json)


def _client(aws: Aws, service: str, credentials: Any) -> Any:
    """A client for a state machine's call, which is made with the machine's role, for the machine."""
    if credentials is None:
        return aws.client(service)
    machines = stepfunctions_parser_backends[aws.account][aws.region].state_machines
    source = next((machine.arn for machine in machines if machine.roleArn == credentials.role_arn), "")
    return aws.client_as(credentials.role_arn, service, "states", source)


def _start_named(
    start_execution: Callable[..., Any], backend: Any, arn: str, name: str | None = None, *rest: Any, **named: Any
) -> Any:
    """An execution without a name gets a random one, as the service does it."""
    return start_execution(backend, arn, name or str(uuid.uuid4()), *rest, **named)


def _set_output(execution: Any, output: Any) -> None:
    """An execution's output is JSON text, also if it is a string (which moto would hand out bare)."""
    execution.__dict__["output"] = None if output is None else json.dumps(_plain(output), separators=(",", ":"))


def status_last(reflect: Callable[..., None], worker: Any) -> None:
    """Whoever sees that an execution has ended sees also how: moto sets the status before the output, the error and the cause."""
    ended = copy.copy(worker.execution)
    reflect(types.SimpleNamespace(execution=ended))
    for name in ("stop_date", "output", "error", "cause"):
        vars(worker.execution)[name] = vars(ended)[name]
    worker.execution.exec_status = ended.exec_status


def _install_error_codes() -> None:
    """The interpreter's errors carry their code under another name than the one that reaches the client."""
    for error in vars(locate("moto.stepfunctions.parser.api:InvalidDefinition")[0]).values():
        if isinstance(error, type) and issubclass(error, AWSError) and isinstance(error.code, str):
            error.TYPE = str(error.code)


def _install_clock(speed: float) -> None:
    replace(f"{_ASL}.component.state.wait.wait_function.wait_function:WaitFunction._wait_interval", _waiting(speed))
    clock = types.SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / speed))
    replace(f"{_ASL}.component.common.retry.retrier_decl:time", clock)


def _waiting(speed: float) -> Callable[[Any, Any, float], None]:
    """How a Wait state waits."""

    def wait(_: Any, env: Any, wait_seconds: float) -> None:
        deadline = time.monotonic() + max(wait_seconds / speed, min(wait_seconds, _SHORTEST_WAIT))
        while env.is_running() and (left := deadline - time.monotonic()) > 0:
            if env.program_state_event.wait(left):
                time.sleep(min(left, 0.05))  # woken for another reason: the event stays set

    return wait


def _install_jsonata() -> None:
    locate(f"{_ASL}.jsonata.jsonata:_eval_jsonata")
    replace(f"{_ASL}.jsonata.jsonata:_eval_jsonata", jsonata.evaluate)
    replace_imported(f"{_ASL}.jsonata.jsonata:encode_jsonata_variable_declarations", jsonata.declare, _ASL)
    replace(f"{_STRINGS}:get_intrinsic_functions_declarations", lambda variable_references: "")
    intercept(f"{_STRINGS}:StringJSONata._eval_body", _evaluate)


def _evaluate(eval_body: Callable[..., None], expression: Any, env: Any) -> None:
    """A faulty expression is the error States.QueryEvaluationError, which a state can catch."""
    try:
        eval_body(expression, env)
    except (JException, ValueError, TypeError, ArithmeticError) as error:
        raise _query_error(env, f"The JSONata expression '{expression.expression}' failed: {error}") from error


def _query_error(env: Any, cause: str) -> FailureEventException:
    """The error, which is in the history from now on."""
    kind, name = HistoryEventType.EvaluationFailed, StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    failed = EvaluationFailedEventDetails(error=name.error_name, cause=cause)
    details = EventDetails(evaluationFailedEventDetails=failed)  # type: ignore[typeddict-item]
    env.event_manager.add_event(context=env.event_history_context, event_type=kind, event_details=details)
    return FailureEventException(FailureEvent(env=env, error_name=name, event_type=kind, event_details=details))


@functools.cache
def _operation(service: str, action: str) -> OperationModel | None:
    model = botocore.session.get_session().get_service_model(service)
    wanted = xform_name(action)
    return next((model.operation_model(name) for name in model.operation_names if xform_name(name) == wanted), None)


def _install_service_integrations() -> None:
    """Parameters in the API's own spelling, answers in the spelling of Step Functions, timestamps as text."""
    replace(f"{_TASK_SERVICE}._normalise_parameters", _to_request)
    replace(f"{_TASK_SERVICE}._normalise_response", _from_response)
    replace(f"{_TASK_SERVICE}._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES", _SDK_SERVICE_NAMES)
    sdk = f"{_ASL}.component.state.exec.state_task.service.state_task_service_aws_sdk"
    locate(f"{sdk}:_SERVICE_ERROR_NAMES")[2].update(_SERVICE_ERROR_NAMES)


def _to_request(task: Any, parameters: Any, boto_service_name: str | None = None, service_action_name: str | None = None) -> None:
    model = _operation_of(task, boto_service_name, service_action_name)
    if model is not None and model.input_shape is not None:
        task._to_boto_request(parameters, model.input_shape)


def _from_response(
    task: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
) -> None:
    model = _operation_of(task, boto_service_name, service_action_name)
    if model is not None and model.output_shape is not None:
        task._from_boto_response(response, model.output_shape)
    if isinstance(response, dict):
        plain = _plain(response)
        response.clear()
        response.update(plain)


def _operation_of(task: Any, service: str | None, action: str | None) -> OperationModel | None:
    return _operation(task._get_boto_service_name(service), action or task.resource.api_action)


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
