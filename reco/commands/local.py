"""`reco up`, `deploy`, `down`, `status`: the deployment on this machine."""

from __future__ import annotations

import contextlib
import os
from typing import Annotated, Any

import typer

from lambdas.stores.deployment import NotDeployed, parameter_name, read_deployment
from reco.commands.keys import curl, put_in
from reco.console import results, say, show_json, show_table
from reco.data.load import example_of
from reco.local.attach import connect
from reco.local.running import deploy_local, start_local, stop_local, wait_until_stopped
from reco.local.synth import ENVIRONMENT
from reco.options import DEFAULT_CONFIG, ConfigOption, JsonOption, config_of
from reco.remembered import remember
from reco.target import DATA, Target

#: The outputs of the api stack that are addresses.
_URLS = ("ApiUrl", "BrowserApiUrl", "StorefrontUrl")


def up(
    config: ConfigOption = DEFAULT_CONFIG,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it answers, and keep it running.")] = False,
    port: Annotated[int, typer.Option(help="Port of the AWS endpoint; 0 takes a free one.")] = 4566,
    api_port: Annotated[int, typer.Option(help="Port of the API; 0 takes a free one.")] = 4567,
    personalize_port: Annotated[int, typer.Option(help="Port of the Personalize emulator; 0 takes a free one.")] = 4568,
    speed: Annotated[float, typer.Option(help="How much faster than AWS waits pass.", min=1)] = 60,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start empty, without the data that this deployment held.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Synthesize the app, start the local AWS environment with what the deployment held, deploy into it, print the endpoints."""
    ports = {"port": port, "api_port": api_port, "personalize_port": personalize_port}
    found = config_of(config)
    environment, _ = start_local(found, config, DATA, detach=detach, speed=speed, ports=ports, fresh=fresh)
    remember(config, os.environ.get(ENVIRONMENT) or None, "reco up")
    _show_endpoints(environment, as_json)
    if not as_json:
        target = Target(found.name, environment)
        say("It is trained and answers:" if _is_trained(target) else "Once it is trained (`reco load`, `reco train --wait`):")
        call = curl(found, target, example_of(target))
        results.print(call.command, markup=False)
        if call.put_in:
            results.print(put_in(call.put_in), markup=False)
    if detach:
        return
    with environment:
        say("Press Ctrl-C to stop.")
        wait_until_stopped(DATA)


def deploy(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Deploy a changed config or changed code into the running local AWS environment. Its data stays."""
    config_of(config)
    environment = deploy_local(config, DATA)
    remember(config, os.environ.get(ENVIRONMENT) or None, "reco deploy")
    _show_endpoints(environment, as_json)


def down() -> None:
    """Stop the local AWS environment. What it holds is there again after the next `reco up` with the same deployment."""
    say("Stopped." if stop_local(DATA) else "Nothing was running.")


def status(as_json: JsonOption = False) -> None:
    """Show where the local AWS environment answers. Exit code 1: one of its parts does not answer."""
    environment = connect("", aws=False).local
    if not _show_endpoints(environment, as_json):
        raise typer.Exit(1)


def _is_trained(target: Target) -> bool:
    """Whether a train run has published what serving reads."""
    with contextlib.suppress(NotDeployed):
        read_deployment(target.client("ssm"), parameter_name(target.deployment))
        return True
    return False


def _show_endpoints(environment: Any, as_json: bool) -> bool:
    """Whether all parts answer."""
    outputs = {name: value for of in environment.stacks.values() for name, value in of.items()}
    urls = {name: environment.url_of(outputs[name]).rstrip("/") for name in _URLS if name in outputs}
    endpoints = {
        "api_url": urls.get("ApiUrl"),
        "browser_api_url": urls.get("BrowserApiUrl"),
        "aws_endpoint": environment.aws_endpoint,
        "personalize_endpoint": environment.personalize_endpoint,
    }
    parts: dict[str, str] = environment.parts()
    if as_json:
        key = _browser_key(environment, outputs) if parts["aws"] == "up" else None
        show_json({**endpoints, "browser_key": key, "storefront_url": urls.get("StorefrontUrl"), "parts": parts})
    else:
        states = [parts[name] for name in ("api", "api", "aws", "personalize")]
        show_table("Endpoints", ["what", "URL", "state"], list(zip(endpoints, endpoints.values(), states, strict=True)))
        if "StorefrontUrl" in urls:
            results.print(f"The storefront: {urls['StorefrontUrl']}")
        down = [name for name, state in parts.items() if state == "down"]
        if down:
            say(f"{' and '.join(down)} does not answer. `reco down && reco up` starts it again; what it holds is kept.")
    return "down" not in parts.values()


def _browser_key(environment: Any, outputs: dict[str, str]) -> str | None:
    """The value of the browsers' API key; None before the api stack is there."""
    if "BrowserKeyId" not in outputs:
        return None
    key = environment.client("apigateway").get_api_key(apiKey=outputs["BrowserKeyId"], includeValue=True)
    return str(key["value"])
