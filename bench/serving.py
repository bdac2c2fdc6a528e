"""What serving costs: our own code beside a bare `get_recommendations` of boto3, both against the same constant stub.

    python -m bench.serving --json serving.json

Personalize and DynamoDB are stubbed at the socket. 25 results, 100 candidates, 5 rules, 100 attributes cached; then 500
candidates. Own time is the whole request less the same call through the function's own client, in the same run; that
client signs its calls without boto3 (lambdas/aws/signed.py), so it is faster than the bare call, which has boto3's defaults.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from rich.console import Console
from rich.table import Table

from bench.serving_peer import serving_function
from lambdas.config import Config
from lambdas.config.environment import Recommend
from lambdas.config.file import load_config
from lambdas.config.packed import pack
from lambdas.stores.deployment import Deployment
from stacks.layer import ROOT, layer_directory

CALLS, WARM_UP = 1000, 200
RESULTS, CANDIDATES, BUDGET_SECONDS = 25, (100, 500), 5
RULES: dict[str, Any] = {
    "sold_out": {"drop": {"attribute": "STOCK", "equals": 0}},
    "few_of_a_brand": {"cap": {"by": "BRAND", "at_most": 6}},
    "brands_apart": {"distance": {"by": "BRAND", "at_least": 2}},
    "cheap": {"boost": {"attribute": "PRICE", "below": 20, "factor": 2}},
    "hero": {"pin": {"item": "i7", "position": 3}},
}
#: A worker from its start to its first whole answer; the event is in sys.argv.
COLD = """
import json, sys
from types import SimpleNamespace
from lambdas.serving.recommend.handler import handler
context = SimpleNamespace(function_name="f", memory_limit_in_mb=1024, invoked_function_arn="arn", aws_request_id="r")
answer = handler(json.loads(sys.argv[1]), context)
assert json.loads(answer["body"])["source"] == "for-you", answer
"""
#: With SnapStart (`serving.snap_start`): what is in the snapshot; and a worker restored from it, to its first whole answer.
_SNAPSHOT = """
import os
os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] = "snap-start"
from awslambdaric import lambda_runtime_hooks_runner as hooks
import lambdas.serving.recommend.handler
hooks.run_before_snapshot()
"""
_RESTORED = _SNAPSHOT + "hooks.run_after_restore()" + COLD
#: What a worker imports before its first call, and the libraries in it by themselves.
_IMPORTS = {
    "nothing": "pass",
    "cold": COLD,
    "snapshot": _SNAPSHOT,
    "restored": _RESTORED,
    "all": "import lambdas.serving.recommend.handler",
    "signed calls": "import lambdas.aws.signed",
    "pydantic": "from pydantic import BaseModel",
    "powertools": "from aws_lambda_powertools import Logger, Metrics, event_handler",
    "config": "import lambdas.config",
}
_IMPORT_RUNS = 10
_CAMPAIGN = "arn:aws:personalize:us-east-1:123456789012:campaign/shop_for-you"


class Stub(BaseHTTPRequestHandler):
    """Enough items for GetRecommendations, all keys for BatchGetItem, no tombstones, no override in SSM."""

    protocol_version = "HTTP/1.1"
    bodies: ClassVar[dict[int, bytes]] = {
        n: json.dumps(
            {"itemList": [{"itemId": f"i{i}", "score": 1 / (i + 2)} for i in range(n)], "recommendationId": "RID-1"}
        ).encode()
        for n in (RESULTS, *CANDIDATES)
    }

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers.get("X-Amz-Target", "")
        if target.endswith("BatchGetItem"):
            self.answer(catalogue(json.loads(body)))
        elif target.endswith("GetItem"):
            self.answer(b"{}")
        elif target.endswith("GetParameters"):
            self.answer(deployed())
        else:
            wanted = json.loads(body)["numResults"]
            self.answer(self.bodies[min(n for n in self.bodies if n >= wanted)])

    def answer(self, body: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing to stderr."""


def catalogue(request: dict[str, Any]) -> bytes:
    rows = []
    for key in request["RequestItems"]["catalogue"]["Keys"]:
        n = int(key["item_id"]["S"][1:])
        columns = {
            "STOCK": {"N": str(n % 9)},
            "BRAND": {"S": f"brand{n % 23}"},
            "PRICE": {"N": str(n % 97)},
            "TITLE": {"S": f"Item {n}"},
        }
        rows.append({**key, "attributes": {"M": columns}})
    return json.dumps({"Responses": {"catalogue": rows}, "UnprocessedKeys": {}}).encode()


def deployed() -> bytes:
    """Of the two documents in SSM, the one that says what is deployed."""
    there = Deployment(run_id="r", dataset_group_arn="g", tracking_id="t", campaigns={"for-you": _CAMPAIGN}, filters={})
    return json.dumps({"Parameters": [{"Name": "deployment", "Type": "String", "Value": there.model_dump_json()}]}).encode()


@contextlib.contextmanager
def stubbed() -> Iterator[int]:
    """The stub's port. It is a process of its own, so that it takes no time from who calls it."""
    ours, theirs = multiprocessing.Pipe()
    stub = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
    stub.start()
    try:
        yield ours.recv()
    finally:
        stub.terminate()


def _serve(pipe: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    pipe.send(server.server_port)
    server.serve_forever()


def environment(folder: Path, port: int) -> dict[str, str]:
    """As the stacks give it to the function, with the shop's config and five rules at its placement `home`."""
    raw = load_config(ROOT / "config" / "shop.yaml").model_dump(mode="json", by_alias=True, exclude_defaults=True)
    raw["rules"], raw["batch"] = RULES, {}
    raw["placements"] = {"home": {"solution": "for-you", "rules": list(RULES)}}
    raw["api"]["browser_placements"] = ["home"]
    raw["serving"] = {"time_budget_ms": 1000 * BUDGET_SECONDS}
    (folder / "config.pickle").write_bytes(pack(Config.model_validate(raw)))
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "CONFIG_PATH": str(folder / "config.pickle"),
        **Recommend(
            batch_lists_table="lists",
            catalogue_table="catalogue",
            data_bucket="data",
            deployment_parameter="deployment",
            erasures_table="erasures",
            event_stream="events",
            recent_items_table="recent",
            rules_parameter="rules",
        ).variables(),
        "POWERTOOLS_SERVICE_NAME": "recommend",
        "POWERTOOLS_METRICS_NAMESPACE": "bench",
        "POWERTOOLS_LOG_LEVEL": "ERROR",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
    }


def event(results: int, user: int = 1) -> dict[str, Any]:
    query = {"user_id": f"u{user}", "num_results": str(results)}
    return {
        "resource": "/recommendations/{placement}",
        "path": "/recommendations/home",
        "httpMethod": "GET",
        "headers": {},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
        "requestContext": {"requestId": "r", "stage": "v1", "httpMethod": "GET", "path": "/", "identity": {}},
        "body": None,
        "isBase64Encoded": False,
    }


def _timed_in_turn(calls: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Milliseconds of each call, taken in turn so that a busy machine troubles all alike."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for n in range(WARM_UP + CALLS):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if n >= WARM_UP:
                taken[name].append(1000 * (time.perf_counter() - began))
    return taken


def percentile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def _powertools_alone() -> Callable[[], object]:
    """A route that answers at once: what the resolver takes."""
    app = APIGatewayRestResolver()
    app.get("/recommendations/<placement>")(lambda placement: {})
    return lambda: app.resolve(event(RESULTS), SimpleNamespace())  # type: ignore[arg-type]


def _lean_call(endpoint: str, candidates: int) -> Callable[[], object]:
    """GetRecommendations with botocore's signer alone, on a connection that is kept: what boto3's other layers cost."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint).netloc)
    signer = SigV4Auth(Credentials("test", "test"), "personalize", "us-east-1")

    def call() -> object:
        body = json.dumps({"campaignArn": _CAMPAIGN, "userId": "u1", "numResults": candidates}).encode()
        request = AWSRequest("POST", f"{endpoint}/recommendations", {"Content-Type": "application/json"}, body)
        signer.add_auth(request)
        connection.request("POST", "/recommendations", body, dict(request.headers.items()))
        return json.loads(connection.getresponse().read())

    return call


def measure() -> dict[int, dict[str, dict[str, float]]]:
    from lambdas.serving.recommend.handler import handler  # its module reads the environment
    from lambdas.serving.recommend.worker import worker

    client, own_client = boto3.client("personalize-runtime"), worker().campaigns.client
    users, peer = itertools.count(2), serving_function(_CAMPAIGN, "catalogue")
    context: Any = SimpleNamespace(
        function_name="f",
        memory_limit_in_mb=1024,
        invoked_function_arn="arn",
        aws_request_id="r",
        get_remaining_time_in_millis=lambda: 9000,
    )
    found = {}
    for candidates, results in zip(CANDIDATES, (RESULTS, 100), strict=True):
        answer = json.loads(handler(event(results), context)["body"])
        assert (answer["returned"], answer["source"]) == (results, "for-you"), answer
        taken = _timed_in_turn(
            {
                "bare": lambda n=candidates: client.get_recommendations(campaignArn=_CAMPAIGN, userId="u1", numResults=n),  # type: ignore[misc]
                "client": lambda n=candidates: own_client.get_recommendations(campaignArn=_CAMPAIGN, userId="u1", numResults=n),  # type: ignore[misc]
                "all": lambda n=results: handler(event(n), context),  # type: ignore[misc]
                "new_user": lambda n=results: handler(event(n, next(users)), context),  # type: ignore[misc]
                "peer": lambda n=results: peer(event(n), context),  # type: ignore[misc]
                "powertools": _powertools_alone(),
                "lean": _lean_call(os.environ["AWS_ENDPOINT_URL"], candidates),
            }
        )
        found[candidates] = {name: {"p50": percentile(ms, 0.5), "p99": percentile(ms, 0.99)} for name, ms in taken.items()}
    return found


def import_ms(env: dict[str, str]) -> dict[str, float]:
    """Processor time of the imports, of their parts when each is imported alone, and of a worker's start to its first answer: the
    least of many fresh interpreters, taken in turn, less that of an empty one. Processor time, because other work on the machine
    must not count.
    """
    taken: dict[str, list[float]] = {name: [] for name in _IMPORTS}
    for _ in range(_IMPORT_RUNS):
        for name, code in _IMPORTS.items():
            before = _children_ms()
            command = [sys.executable, "-c", code, json.dumps(event(RESULTS))]
            subprocess.run(command, env=os.environ | env, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            taken[name].append(_children_ms() - before)
    least = {name: min(values) for name, values in taken.items()}
    return {name: ms - least["nothing"] for name, ms in least.items() if name != "nothing"}


def _children_ms() -> float:
    """The processor time so far of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (used.ru_utime + used.ru_stime)


def zipped_mb() -> float:
    """Layer and code, as Lambda gets them."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for folder in (layer_directory(), ROOT / "lambdas"):
                for path in folder.rglob("*"):
                    if path.is_file() and (folder != ROOT / "lambdas" or "__pycache__" not in path.parts):
                        archive.write(path, path.relative_to(folder))
        return file.tell() / 1e6


def run() -> dict[str, Any]:
    with stubbed() as port, tempfile.TemporaryDirectory() as folder:
        env = environment(Path(folder), port)
        os.environ.update(env)
        return results(measure(), import_ms(env))


def results(found: dict[int, dict[str, dict[str, float]]], imported: dict[str, float]) -> dict[str, Any]:
    bare, client, whole, powertools = (found[CANDIDATES[0]][name] for name in ("bare", "client", "all", "powertools"))
    own = {name: whole[name] - client[name] for name in whole}
    return {
        "own_ms": own,
        "all_ms": whole,
        "bare_boto3_ms": bare,
        "own_client_ms": client,
        "powertools_ms": powertools,
        "vs_bare_boto3": {
            "own_p50": own["p50"] / bare["p50"],
            "all_p50": whole["p50"] / bare["p50"],
            "all_p99": whole["p99"] / bare["p99"],
        },
        "at_500_candidates": {
            "all_ms": found[CANDIDATES[1]]["all"],
            "own_client_ms": found[CANDIDATES[1]]["client"],
            "bare_boto3_ms": found[CANDIDATES[1]]["bare"],
        },
        "vs_plain_function": whole["p50"] / found[CANDIDATES[0]]["peer"]["p50"],
        "lean_signed_call_ms": found[CANDIDATES[0]]["lean"],
        "new_user_ms": found[CANDIDATES[0]]["new_user"],
        "requests_per_s": 1000 / whole["p50"],
        "cold_ms": imported.pop("cold"),
        "restored_ms": imported.pop("restored") - imported.pop("snapshot"),
        "import_ms": imported.pop("all"),
        "import_parts_ms": imported,
        "zipped_mb": zipped_mb(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    made = run()
    table = Table("measure", "value", title="Serving")
    for name, value in made.items():
        numbers = value if isinstance(value, dict) else {"": value}
        for part, number in numbers.items():
            table.add_row(f"{name} {part}", f"{number:.3f}" if isinstance(number, float) else json.dumps(number))
    Console().print(table)
    target = parser.parse_args().json
    if target:
        target.write_text(json.dumps(made, indent=2) + "\n")


if __name__ == "__main__":
    main()
