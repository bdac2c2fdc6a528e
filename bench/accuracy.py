"""Accuracy of the recipes on MovieLens 100k, beside simple and well-known recommenders on the same split.

    python -m bench.accuracy --json FILE [--markdown FILE] [--seeds 5] [--data DIR] [--cache DIR]

The split is the service's own: a tenth of the users is held out, the newest tenth of their events is to be
predicted. A seed is a draw of the users. Figures are means and standard deviations over the seeds.
"""

from __future__ import annotations

import argparse
import io
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table
from scipy import sparse
from threadpoolctl import threadpool_limits

from bench.baselines import BASELINES, Matrix
from bench.cold_start import cold_items, cold_users
from personalize_emulator.datasets import DatasetStore, TrainingData
from personalize_emulator.metrics import Answer, ranking_metrics
from personalize_emulator.recipes import TrainingOptions, train
from personalize_emulator.recipes.events import Prepared, prepare, rows_of
from personalize_emulator.recipes.features import Features
from personalize_emulator.recipes.holdout import Case
from personalize_emulator.recipes.model import best
from personalize_emulator.recipes.training import Trial, try_out
from personalize_rules.schemas import Kind, parse_schema
from reco.data.movielens import fetch, write_csvs
from reco.evaluation.beyond_accuracy import Reference, qualities, unit_rows

SCHEMAS = Path(__file__).parent.parent / "config" / "schemas" / "movielens"
FILES: dict[Kind, str] = {"INTERACTIONS": "interactions", "ITEMS": "items", "USERS": "users"}
PERSONAL = (
    "aws-user-personalization-v2",
    "aws-user-personalization",
    "aws-personalized-ranking-v2",
    "aws-personalized-ranking",
    "aws-popularity-count",
    "aws-trending-now",
)
RELATED = ("aws-similar-items", "aws-sims")
SEGMENTS = ("aws-item-affinity", "aws-item-attribute-affinity")
LEFT_OUT = {
    "aws-semantic-similarity": "MovieLens 100k has no text to compare",
    "aws-next-best-action": "MovieLens 100k has no actions",
}
# Some recipes leave the users of the longest histories out by default; here all have the same users.
ALL_HISTORIES = {"min_user_history_length_percentile": "0.0", "max_user_history_length_percentile": "1.0"}
SHOWN = {
    "NDCG@5": "normalized_discounted_cumulative_gain_at_5",
    "NDCG@10": "normalized_discounted_cumulative_gain_at_10",
    "NDCG@25": "normalized_discounted_cumulative_gain_at_25",
    "MRR@25": "mean_reciprocal_rank_at_25",
    "P@10": "precision_at_10",
    "coverage": "coverage",
    "novelty": "novelty_at_10",
    "serendipity": "serendipity_at_10",
    "diversity": "diversity_at_10",
}
EXPLANATION = """
A tenth of the users is held out; the newest tenth of their events is to be predicted from the older ones. The users, their
events and what is predicted are the same in every row. The recipes know the order of events, as the service does; the
baselines below them know only who had what, and leave out what a user already had. "aws-popularity-count" and
"aws-trending-now" do not leave it out.

Coverage is the share of the items that anybody is recommended; novelty how rare the first ten items are, in bits;
serendipity the share of the first ten that are right and not among the 25 most popular items new to the user; diversity
how little the genres of the first ten have in common (1: nothing). What follows from the figures is said in
[the page of the emulator](personalize-emulator.md#accuracy)."""

WIDTH = 200

Figures = dict[str, float]
Collected = dict[str, list[Figures]]
Summary = dict[str, dict[str, dict[str, float]]]


def load(source: Path, directory: Path) -> TrainingData:
    """The data as a dataset group has them after an import."""
    write_csvs(source, directory / "csv")
    schemas = {kind: parse_schema((SCHEMAS / f"{name}.json").read_text()) for kind, name in FILES.items()}
    store = DatasetStore(directory / "store", schemas)
    for kind, name in FILES.items():
        with (directory / "csv" / f"{name}.csv").open("rb") as file:
            store.import_csv(kind, [(f"{name}.csv", file)], "FULL")
    return store.training_data()


def compare(data: TrainingData, seeds: Iterable[int]) -> tuple[Collected, Collected]:
    """Figures of recipes and baselines, a row per seed."""
    recipes: Collected = defaultdict(list)
    baselines: Collected = defaultdict(list)
    for seed in seeds:
        for recipe in (*PERSONAL, *RELATED):
            options = TrainingOptions(recipe, seed=seed, hyperparameters=ALL_HISTORIES)
            prepared = prepare(data, options)
            trial = try_out(prepared, data, options)
            if recipe == PERSONAL[0]:
                answers = baseline_answers(prepared, trial, seed)
                reference = reference_of(prepared, trial, answers["popularity, seen removed"])
                for name, given in answers.items():
                    baselines[name].append(figures(given, prepared, reference))
            recipes[recipe].append(figures(trial.answers, prepared, reference))
        for recipe in SEGMENTS:
            recipes[recipe].append(train(data, TrainingOptions(recipe, seed=seed)).metrics)
    return recipes, baselines


def figures(answers: list[Answer], prepared: Prepared, reference: Reference) -> Figures:
    return ranking_metrics(answers, len(prepared.item_ids)) | qualities(answers, reference)


def baseline_answers(prepared: Prepared, trial: Trial, seed: int) -> dict[str, list[Answer]]:
    """The 25 best of each baseline for the test users, items of the history left out."""
    training = ones(trial.held.training.matrix())
    training = training[np.diff(training.indptr) > 0]
    histories = visible(prepared, trial.held.test)
    seen = histories.toarray() > 0
    answers = {}
    for name, fit in BASELINES.items():
        scores = np.where(seen, -np.inf, fit(training, seed)(histories))
        rows = zip(scores, trial.answers, strict=True)
        answers[name] = [Answer(best(row, 25), told.relevant) for row, told in rows]
    return answers


def reference_of(prepared: Prepared, trial: Trial, popular: list[Answer]) -> Reference:
    training = ones(trial.held.training.matrix())
    items = prepared.items
    columns = {"GENRES": items.columns["GENRES"]} if items is not None else {}
    rows = rows_of(items, prepared.item_ids) if items is not None else np.empty(0, np.int64)
    alike = unit_rows(Features.of(columns).encode(columns, rows).astype(np.float64))
    share = np.asarray(training.sum(axis=0)).ravel() / max(1, int((np.diff(training.indptr) > 0).sum()))
    return Reference(share.astype(np.float64), alike, [answer.recommended for answer in popular])


def visible(prepared: Prepared, cases: list[Case]) -> Matrix:
    """Test users x items of what they are known to have."""
    shape = (len(cases), len(prepared.item_ids))
    items = [prepared.events.items[case.begin : case.hidden] for case in cases]
    rows = np.repeat(np.arange(len(cases)), [len(of_user) for of_user in items])
    return ones(sparse.csr_array((np.ones(len(rows), np.float32), (rows, np.concatenate(items))), shape=shape))


def ones(matrix: Matrix) -> Matrix:
    matrix.sum_duplicates()
    matrix.data = np.ones_like(matrix.data)
    return matrix


def summarize(collected: Collected) -> Summary:
    return {
        name: {
            metric: {
                "mean": round(float(np.mean([row[metric] for row in rows])), 4),
                "deviation": round(float(np.std([row[metric] for row in rows])), 4),
            }
            for metric in rows[0]
        }
        for name, rows in collected.items()
    }


def tables(result: dict[str, Summary]) -> dict[str, Table]:
    """The figures by the heading of their table."""
    recipes = result["recipes"]
    segments = {name: name for name in ("coverage", "hits_at_1_percent", "recall_at_1_percent")}
    known = {name: name for name in next(iter(result["cold_users"].values()))}
    personal = {name: recipes[name] for name in PERSONAL} | result["baselines"]
    return {
        "For a user": table(personal, SHOWN),
        "For the newest item of a user": table({name: recipes[name] for name in RELATED}, SHOWN),
        "User segments": table({name: recipes[name] for name in SEGMENTS}, segments),
        "Cold items, ranked among themselves": table(result["cold_items"], {"NDCG@10": "ndcg_at_10", "AUC": "auc"}),
        "Cold users, by events known: NDCG@10 of the next ten": table(result["cold_users"], known),
    }


def table(summaries: Summary, columns: dict[str, str]) -> Table:
    shown = Table(box=MARKDOWN)
    for column in ("", *columns):
        shown.add_column(column, no_wrap=True)
    for name, summary in summaries.items():
        cells = [summary.get(metric) for metric in columns.values()]
        shown.add_row(name, *(f"{c['mean']:.3f} ± {c['deviation']:.3f}" if c else "" for c in cells))
    return shown


def report(console: Console, result: dict[str, Summary], seeds: int) -> None:
    console.print("# Accuracy on MovieLens 100k\n")
    console.print(f"Means and standard deviations over {seeds} draws of the test users, by `python -m bench.accuracy`.")
    console.print(f"{EXPLANATION}\n", markup=False)
    for name, reason in LEFT_OUT.items():
        console.print(f"`{name}` is left out: {reason}.")
    for heading, shown in tables(result).items():
        console.print(f"\n## {heading}")
        console.print(shown)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--markdown", type=Path, help="where the tables go, beside the terminal")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="a folder that holds MovieLens 100k; else it is fetched")
    parser.add_argument("--cache", type=Path, default=Path(".cache/movielens"), help="where fetched data are kept")
    arguments = parser.parse_args()
    source = arguments.data or fetch(arguments.cache)
    seeds = range(arguments.seeds)
    with TemporaryDirectory() as folder, threadpool_limits(1):
        data = load(source, Path(folder))
        recipes, baselines = compare(data, seeds)
        result = {
            "recipes": summarize(recipes),
            "baselines": summarize(baselines),
            "cold_items": summarize(cold_items(data, seeds)),
            "cold_users": summarize(cold_users(data, seeds)),
        }
    table_ = data.interactions
    size = {"users": len(table_.user_ids), "items": len(table_.item_ids), "interactions": len(table_)}
    about = {"dataset": "ml-100k", "size": size, "seeds": arguments.seeds, "left_out": LEFT_OUT}
    arguments.json.write_text(json.dumps(about | result, indent=2) + "\n")
    report(Console(width=WIDTH), result, arguments.seeds)
    if arguments.markdown:
        text = io.StringIO()
        report(Console(file=text, width=WIDTH), result, arguments.seeds)
        arguments.markdown.write_text("\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n")


if __name__ == "__main__":
    main()
