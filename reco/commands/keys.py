"""`reco keys`: the API's addresses and keys, and a call that works."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from lambdas.config import Config
from lambdas.config.recipes import RECIPES
from personalize_rules.filters import parse_filter, required_placeholders
from reco.console import results, show_json
from reco.data.load import Example, example_of
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
    if answer["put_in"]:
        results.print(put_in(answer["put_in"]), markup=False)


def _keys(config: Config, target: Target) -> dict[str, Any]:
    example = example_of(target)
    call = curl(config, target, example)
    return {
        "api_url": target.api_url,
        "api_key": target.api_key,
        "browser_api_url": target.browser_api_url,
        "browser_api_key": target.browser_api_key,
        "browsers_may": config.api.browsers_may,
        "auth": "iam" if target.signs else "key",
        "curl": call.command,
        "curl_event": _curl_event(config, target, example),
        "put_in": list(dict.fromkeys([*call.put_in, *([] if example else ["user_id", "item_id"])])),
    }


@dataclass(frozen=True)
class Call:
    """A command for a shell, and what in it stands for values of the shop's own that are not known here."""

    command: str
    put_in: list[str]


def put_in(names: Sequence[str]) -> str:
    """What to say of values that stand in a command for others."""
    return f"Put in your shop's own: {', '.join(names)}. Those of the command only show where they stand."


def curl(config: Config, target: Target, example: Example | None) -> Call:
    """A call of the placement that needs least: no value for its filter, no item; of a ranking, where there is no other.

    `example` has ids of the data that is loaded.
    """
    kinds = {name: RECIPES[config.solutions[placement.solution].recipe].type for name, placement in config.placements.items()}
    wanted = ("USER_PERSONALIZATION", "POPULAR_ITEMS", "RELATED_ITEMS")
    chosen = min(
        kinds,
        key=lambda name: (
            len(_parameters(config, name)),
            wanted.index(kinds[name]) if kinds[name] in wanted else len(wanted),
        ),
    )
    parameters = _parameters(config, chosen)
    user, items = (example.user_id, example.item_ids) if example else ("1", ["1", "2"])
    if kinds[chosen] == "PERSONALIZED_RANKING":
        body: dict[str, Any] = {"user_id": user, "item_ids": items}
        body |= {"filter_values": {name: [name] for name in parameters}} if parameters else {}
        put = [*([] if example else ["user_id", "item_ids"]), *parameters]
        return Call(
            _command(target, f"{target.api_url}/rankings/{quote(chosen)}", target.api_key, json.dumps(body, ensure_ascii=False)),
            put,
        )
    query = {"item_id": items[0]} if kinds[chosen] == "RELATED_ITEMS" else {"user_id": user}
    url = f"{target.api_url}/recommendations/{quote(chosen)}?{urlencode(query | {name: name for name in parameters})}"
    return Call(_command(target, url, target.api_key, None), [*([] if example else query), *parameters])


def _parameters(config: Config, placement: str) -> list[str]:
    """The values that a call must give for the placement's filter, or for that of a variant which may answer."""
    of = config.placements[placement]
    filters = {each.filter for each in (of, *of.variants().values()) if each.filter}
    return sorted({name for each in filters for name in required_placeholders(parse_filter(config.filters[each]))})


def _curl_event(config: Config, target: Target, example: Example | None) -> str:
    types = [name for name, event_type in config.event_types.items() if not event_type.archive_only] or list(config.event_types)
    user, item = (example.user_id, example.item_ids[0]) if example else ("1", "1")
    event = {"user_id": user, "session_id": "s1", "item_id": item, "event_type": types[0]}
    body = json.dumps({"events": [event]}, ensure_ascii=False)
    return _joined(target.browser_api_url + "/events", target.browser_api_key, "", body)


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
