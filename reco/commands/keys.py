"""`reco keys`: the API's addresses and keys, and a call that works."""

from __future__ import annotations

import json
import shlex
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from lambdas.config import Config
from lambdas.config.recipes import RECIPES
from reco.console import results, show_json
from reco.local.attach import connect
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, config_of
from reco.target import Target

#: What `--export` sets.
_VARIABLES = {
    "RECO_URL": "api_url",
    "RECO_KEY": "api_key",
    "RECO_BROWSER_URL": "browser_api_url",
    "RECO_BROWSER_KEY": "browser_api_key",
}


def keys(
    export: Annotated[bool, typer.Option("--export", help='Print variables for a shell: eval "$(reco keys --export)".')] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print the API's addresses and keys, and calls that work as they stand."""
    found = config_of(config)
    target = connect(found.name, aws)
    if as_json:
        show_json(_keys(found, target))
        return
    answer = _keys(found, target)
    if export:
        for variable, name in _VARIABLES.items():
            print(f"export {variable}={shlex.quote(answer[name])}")
        return
    results.print(f"Servers  {answer['api_url']}\n  key    {answer['api_key']}", markup=False)
    results.print(f"Browsers {answer['browser_api_url']}\n  key    {answer['browser_api_key']}", markup=False)
    results.print(f"  may    {answer['browsers_may']}", markup=False)
    results.print(f"\nRecommendations:\n{answer['curl']}", markup=False)
    results.print(f"\nAn event from a page:\n{answer['curl_event']}", markup=False)


def _keys(config: Config, target: Target) -> dict[str, Any]:
    return {
        "api_url": target.api_url,
        "api_key": target.api_key,
        "browser_api_url": target.browser_api_url,
        "browser_api_key": target.browser_api_key,
        "browsers_may": config.api.browsers_may,
        "auth": "iam" if target.signs else "key",
        "curl": curl(config, target),
        "curl_event": _curl_event(config, target),
    }


def curl(config: Config, target: Target) -> str:
    """A call of the first placement that a list can be had of without an item; of a ranking, where there is no other."""
    kinds = {name: RECIPES[config.solutions[placement.solution].recipe].type for name, placement in config.placements.items()}
    wanted = ("USER_PERSONALIZATION", "POPULAR_ITEMS", "RELATED_ITEMS")
    chosen = min(kinds, key=lambda name: wanted.index(kinds[name]) if kinds[name] in wanted else len(wanted))
    if kinds[chosen] == "PERSONALIZED_RANKING":
        body = '{"user_id": "1", "item_ids": ["1", "2"]}'
        return _command(target, f"{target.api_url}/rankings/{chosen}", target.api_key, body)
    query = {"item_id": "1"} if kinds[chosen] == "RELATED_ITEMS" else {"user_id": "1"}
    url = f"{target.api_url}/recommendations/{quote(chosen)}?{urlencode(query)}"
    return _command(target, url, target.api_key, None)


def _curl_event(config: Config, target: Target) -> str:
    types = [name for name, event_type in config.event_types.items() if not event_type.archive_only] or list(config.event_types)
    event = {"user_id": "1", "session_id": "s1", "item_id": "1", "event_type": types[0]}
    return _joined(target.browser_api_url + "/events", target.browser_api_key, "", json.dumps({"events": [event]}))


def _command(target: Target, url: str, key: str, body: str | None) -> str:
    region = target.client("apigateway").meta.region_name
    signed = f'--aws-sigv4 aws:amz:{region}:execute-api --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'
    return _joined(url, key, signed if target.signs else "", body)


def _joined(url: str, key: str, signed: str, body: str | None) -> str:
    """The command as a shell takes it, a part a line."""
    sent = f"-H 'content-type: application/json' -d {shlex.quote(body)}" if body else ""
    return " \\\n  ".join(
        part for part in (f"curl {shlex.quote(url)}", f"-H {shlex.quote('x-api-key: ' + key)}", signed, sent) if part
    )
