"""Watching a deployment: one dashboard, the alarms that no other stack has, the budget. docs/operations.md explains each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch

from lambdas.config import Config
from stacks import names
from stacks.alarms import Alarms
from stacks.metrics import Metrics

_RUNBOOK = "docs/operations.md"
#: A dashboard is 24 units wide.
ROW_WIDTH, HEADING_HEIGHT, GRAPH_HEIGHT = 24, 2, 6
NDCG = "normalized_discounted_cumulative_gain_at_25"


class OperationsStack(cdk.Stack):
    """Output: DashboardName."""

    def __init__(self, scope: cdk.App, id_: str, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.config = config
        self.metrics = Metrics(config)
        self.provisioned_tps = {
            name: solution.campaign.min_provisioned_tps for name, solution in config.solutions.items() if solution.campaign
        }
        self.alarms = Alarms(self, config)
        self._service_alarms()
        self._campaign_alarms()
        if config.alarms.monthly_budget_usd is not None:
            self._budget(config.alarms.monthly_budget_usd)
        dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=config.name,
            default_interval=cdk.Duration.days(1),
            widgets=[*self._ingest(), *self._serving(), *self._training(), *self._batch(), *self._money()],
        )
        cdk.CfnOutput(self, "DashboardName", value=dashboard.dashboard_name)

    def _service_alarms(self) -> None:
        of = self.metrics

        def add(name: str, metric: cloudwatch.IMetric, threshold: float, periods: int = 1) -> None:
            self.alarms.add(name, metric, threshold, runbook=f"{_RUNBOOK}#{name}", periods=periods)

        add("api-errors", of.of_api("5XXError", "Average"), 0.01, periods=3)
        browsers = of.of_browser_api("5XXError", "Average")
        add("browser-api-errors", browsers, 0.01, periods=3)
        add("api-slow", of.of_api("Latency", "p99"), 1000, periods=3)
        add("recommend-errors", of.of_function("recommend", "Errors", "Sum"), 1, periods=3)
        add("recommend-throttled", of.of_function("recommend", "Throttles", "Sum"), 1)
        add("catalogue-failing", of.own("recommend", "CatalogueFailed"), 100)
        add("erasures-failing", of.own("erase_user", "ErasuresFailed"), 1)
        add("erase-user-errors", of.of_function("erase_user", "Errors", "Sum"), 1)
        full = of.of_stream("WriteProvisionedThroughputExceeded", "Sum")
        add("stream-full", full, 1, periods=3)
        add("recent-items-failing", of.own("put_events", "RecentItemsFailed"), 1, periods=3)

    def _campaign_alarms(self) -> None:
        """A campaign that is asked for more than it has provisioned scales by itself, after a while in which calls are lost."""
        for n, (solution, tps) in enumerate(self.provisioned_tps.items()):
            self.alarms.add(
                f"campaign-busy-{solution}",
                self.metrics.utilization(solution, f"c{n}", tps),
                100,
                runbook=f"{_RUNBOOK}#campaign-busy",
                description=f"Calls use all {tps} TPS of the campaign of {solution}: some get fallbacks. Run `reco utilization`",
                periods=3,
            )

    def _budget(self, dollars: float) -> None:
        """On what carries the deployment's tag: when the bill has passed it, and when the forecast does."""
        subscriber = budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=str(self.config.alarms.email))
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=f"recostack-{self.config.name}",
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=dollars, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:recostack:deployment${self.config.name}"]},
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN", notification_type=kind, threshold=100, threshold_type="PERCENTAGE"
                    ),
                    subscribers=[subscriber],
                )
                for kind in ("ACTUAL", "FORECASTED")
            ],
        )

    def _ingest(self) -> Iterator[list[cloudwatch.IWidget]]:
        of, queue = self.metrics, names.record_queue(self.config)
        put = [of.own("put_events", name) for name in ("EventsPut", "EventsArchiveOnly", "EventsDeadLettered")]
        lost = [
            of.of_queue(names.dead_letter_queue(self.config), "dead letters"),
            of.of_queue(f"{queue}-stuck", "records that are stuck"),
            of.of_queue(queue, "records that wait"),
        ]
        late = [of.of_stream("GetRecords.IteratorAgeMilliseconds", "Maximum", "stream, ms"), of.of_archive()]
        trouble = [of.own("put_events", "PutEventsThrottled"), of.own("put_events", "PutEventsFailed")]
        yield _heading("Ingest", "What came in, what became of it, and what waits.")
        yield row(_graph("Events", put), _graph("Waiting", lost), _graph("Delay", late), _graph("Personalize refuses", trouble))

    def _serving(self) -> Iterator[list[cloudwatch.IWidget]]:
        of = self.metrics
        calls = [of.of_api("Count", "Sum", "calls"), of.of_api("4XXError", "Sum", "4xx"), of.of_api("5XXError", "Sum", "5xx")]
        times = [of.of_api("Latency", "p50", "p50"), of.of_api("Latency", "p99", "p99")]
        lists = [of.own("recommend", name) for name in ("FallbackItems", "MissingItems")]
        failed = [of.own("recommend", name) for name in ("PersonalizeFailed", "SourceFailed", "CatalogueFailed")]
        yield _heading("Serving", "How often and how fast the API answers, and how often others than the campaign do.")
        yield row(
            _graph("Calls", calls),
            _graph("Latency, ms", times),
            _graph("Items from fallbacks, missing", lists),
            _graph("Failures", failed),
        )

    def _training(self) -> Iterator[list[cloudwatch.IWidget]]:
        of, solutions = self.metrics, self.config.solutions
        quality = [of.of_solution(solution, NDCG) for solution in solutions]
        coverage = [of.of_solution(solution, "coverage") for solution in solutions]
        yield _heading("Training", "Runs, and the metrics of each solution's newest version on held-out users.")
        yield row(self._runs("train"), _graph("NDCG@25", quality), _graph("Coverage", coverage))

    def _batch(self) -> Iterator[list[cloudwatch.IWidget]]:
        of = self.metrics
        written = of.of_table(names.batch_lists_table(self.config), "ConsumedWriteCapacityUnits", "write units")
        loaded = [of.of_function("load_recommendations", name, "Sum", name.lower()) for name in ("Invocations", "Errors")]
        yield _heading("Batch", "Runs, what they write, and the runs that keep the archive.")
        runs = [self._runs("batch"), self._runs("archive", "Runs of the archive")]
        yield row(*runs, _graph("Lists written", [written]), _graph("Loading", loaded))

    def _runs(self, machine: str, title: str = "Runs") -> cloudwatch.GraphWidget:
        ended = {"ExecutionsSucceeded": "succeeded", "ExecutionsFailed": "failed", "ExecutionsTimedOut": "timed out"}
        return _graph(title, [self.metrics.of_runs(machine, name, label) for name, label in ended.items()])

    def _money(self) -> Iterator[list[cloudwatch.IWidget]]:
        of = self.metrics
        used = [of.used_tps(solution, f"u{n}") for n, solution in enumerate(self.provisioned_tps)]
        shares = [of.utilization(solution, f"s{n}", tps) for n, (solution, tps) in enumerate(self.provisioned_tps.items())]
        bill = cloudwatch.Metric(
            namespace="AWS/Billing",
            metric_name="EstimatedCharges",
            dimensions_map={"Currency": "USD", "ServiceName": "AmazonPersonalize"},
            statistic="Maximum",
            period=cdk.Duration.hours(6),
            region="us-east-1",  # the one region that has it
            label="Personalize, the whole account",
        )
        yield _heading(
            "Money", "Campaigns are billed for what they provision or what they answer, whichever is more: `reco utilization`."
        )
        yield row(
            _graph("Used TPS of campaigns", used),
            _graph("Utilization, %", shares, annotation=100),
            _graph("The month's bill so far, USD", [bill]),
        )


def _heading(title: str, text: str) -> list[cloudwatch.IWidget]:
    return [cloudwatch.TextWidget(markdown=f"## {title}\n{text}", width=ROW_WIDTH, height=HEADING_HEIGHT)]


def row(*graphs: cloudwatch.GraphWidget) -> list[cloudwatch.IWidget]:
    return list(graphs)


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric], annotation: float | None = None) -> cloudwatch.GraphWidget:
    """A quarter of a row."""
    return cloudwatch.GraphWidget(
        title=title,
        left=list(metrics),
        left_y_axis=cloudwatch.YAxisProps(min=0),
        left_annotations=[cloudwatch.HorizontalAnnotation(value=annotation)] if annotation is not None else None,
        width=ROW_WIDTH // 4,
        height=GRAPH_HEIGHT,
    )
