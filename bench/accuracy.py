"""Accuracy of the recipes beside simple and well-known recommenders on the same split: MovieLens 100k and two planted shops.

    python -m bench.accuracy --json FILE [--markdown FILE] [--seeds 10] [--sets ml-100k,groceries] [--recipes aws-sims]
        [--data DIR] [--cache DIR]

The split is the service's own: a tenth of the users is held out, the newest tenth of their events is to be predicted. A seed is
a draw of the users. Figures are means and standard deviations over the seeds, by set, by recipe or baseline, by metric.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table
from scipy import sparse
from threadpoolctl import threadpool_limits

from bench import planted
from bench.baselines import BASELINES, Matrix
from bench.cold_start import cold_items, cold_users
from bench.planted import PLANTED
from personalize_emulator.datasets import DatasetStore, TrainingData
from personalize_emulator.metrics import Answer, ranking_metrics, segment_metrics
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
_FILES: dict[Kind, str] = {"INTERACTIONS": "interactions", "ITEMS": "items", "USERS": "users"}
_MOVIELENS = "ml-100k"
_SETS = (_MOVIELENS, *PLANTED)
BEST, FIRST, POPULAR, TRENDING = (
    "aws-user-personalization-v2",
    "aws-user-personalization",
    "aws-popularity-count",
    "aws-trending-now",
)
_RANKINGS = ("aws-personalized-ranking-v2", "aws-personalized-ranking")
_PERSONAL = (BEST, FIRST, *_RANKINGS, POPULAR, TRENDING)
_RELATED = ("aws-similar-items", "aws-sims")
SEGMENTS = ("aws-item-affinity", "aws-item-attribute-affinity")
_LEFT_OUT = {
    "aws-semantic-similarity": "the sets have no text to compare",
    "aws-next-best-action": "the sets have no actions",
}
# Some recipes leave the users of the longest histories out by default; here all have the same users.
_ALL_HISTORIES = {"min_user_history_length_percentile": "0.0", "max_user_history_length_percentile": "1.0"}
NEXT, LISTED = "next_item_normalized_discounted_cumulative_gain_at_10", "normalized_discounted_cumulative_gain_at_10_of_lists"
_SHOWN = {
    "NDCG@25": "normalized_discounted_cumulative_gain_at_25",
    "NDCG@10": "normalized_discounted_cumulative_gain_at_10",
    "next@10": NEXT,
    "of lists@10": LISTED,
    "MRR@25": "mean_reciprocal_rank_at_25",
    "P@10": "precision_at_10",
    "coverage": "coverage",
    "novelty": "novelty_at_10",
    "serendipity": "serendipity_at_10",
    "diversity": "diversity_at_10",
}
_LIST = 100
_HELD_SHARE = 0.2
_SEGMENT_SAMPLE = 300
_EXPLANATION = """
A tenth of the users is held out; the newest tenth of their events is to be predicted from the older ones. The users, their
events and what is predicted are the same in every row of a table. The recipes know the order of events, as the service does;
the baselines know only who had what. For a user they leave out what the user already had; where people come back to a tenth or
more of what they had, the rows "seen kept" leave nothing out, as "aws-popularity-count" and "aws-trending-now" do. For the newest
item of a user, all rows are asked about that item alone.

`next@10` is NDCG@10 where only the first of the held events counts. `of lists@10` is NDCG@10 when a list is to be ranked: the
items to be predicted among a hundred drawn by popularity, the same for every row. Coverage is the share of the items that
anybody is recommended; novelty how rare the first ten items are, in bits; serendipity the share of the first ten that are right
and not among the 25 most popular items new to the user; diversity how little the genres of the first ten have in common
(1: nothing). `groceries` and `sessions` are made up: `bench/planted.py` says what is planted. What follows from the figures is
said in [the page of the emulator](personalize-emulator.md#accuracy)."""

_WIDTH = 200

_RECIPES_SHOWN = frozenset((*_PERSONAL, *_RELATED, *SEGMENTS))

Figures = dict[str, float]
Scores = NDArray[np.floating[Any]]
Collected = dict[str, list[Figures]]
_Summary = dict[str, dict[str, dict[str, float]]]


def load(name: str, directory: Path, source: Callable[[], Path]) -> TrainingData:
    """The data of a set as a dataset group has them after an import. source: gives the folder that holds MovieLens."""
    if name == _MOVIELENS:
        write_csvs(source(), directory / "csv")
        schemas = {kind: parse_schema((SCHEMAS / f"{file}.json").read_text()) for kind, file in _FILES.items()}
    else:
        schemas = planted.write_csvs(PLANTED[name](), directory / "csv")
    store = DatasetStore(directory / "store", schemas)
    for kind in schemas:
        with (directory / "csv" / f"{_FILES[kind]}.csv").open("rb") as file:
            store.import_csv(kind, [(f"{_FILES[kind]}.csv", file)], "FULL")
    return store.training_data()


def compare(
    data: TrainingData, seeds: Iterable[int], recipes: Sequence[str], progress: Callable[[str], None]
) -> dict[str, Collected]:
    """Figures of these recipes, and of the baselines of their tables, by table, a row per seed."""
    found: dict[str, Collected] = {name: defaultdict(list) for name in ("personal", "related", "segments")}
    for seed in seeds:
        progress(f"draw {seed}")
        draw = None
        begun: set[str] = set()
        for recipe in (recipe for recipe in (*_PERSONAL, *_RELATED) if recipe in recipes):
            options = TrainingOptions(recipe, seed=seed, hyperparameters=_ALL_HISTORIES)
            prepared = prepare(data, options)
            trial = try_out(prepared, data, options)
            draw = draw or _Draw(prepared, trial, seed)
            name = "related" if recipe in _RELATED else "personal"
            table = found[name]
            if name not in begun:
                begun.add(name)
                draw.add_baselines(table, by_item=name == "related")
            table[recipe].append(draw.figures(trial.answers, draw.scores(trial) if recipe in _PERSONAL else None))
        if set(SEGMENTS) & set(recipes):
            segments(data, seed, recipes, found["segments"])
    return found


class _Draw:
    """What all rows of a seed have in common: the users to be tested, what they are to take, and the lists to be ranked."""

    def __init__(self, prepared: Prepared, trial: Trial, seed: int) -> None:
        self._seed, self._prepared, self._cases = seed, prepared, trial.held.test
        self._relevant = [answer.relevant for answer in trial.answers]
        self._seen = visible(prepared, self._cases).toarray() > 0
        training = ones(trial.held.training.matrix())
        self._training = training[np.diff(training.indptr) > 0]
        popular = np.asarray(self._training.sum(axis=0)).ravel()
        random = np.random.default_rng(seed)
        drawn = random.choice(len(popular), (len(self._cases), _LIST), p=popular / popular.sum())
        self._lists = [np.unique([*row, *relevant]) for row, relevant in zip(drawn, self._relevant, strict=True)]
        least = self.answers(self.without_seen(np.repeat(popular[None], len(self._cases), axis=0)))
        self._reference = _reference_of(prepared, self._training, least)

    @property
    def repeated(self) -> bool:
        """Whether a tenth of what the users take, or more, they had already."""
        again = [self._seen[row, list(relevant)].mean() for row, relevant in enumerate(self._relevant)]
        return bool(np.mean(again) >= 0.1)

    def add_baselines(self, table: Collected, by_item: bool) -> None:
        """by_item: asked about the newest item of each user alone."""
        known = newest if by_item else visible
        for name, scores in self.baselines(known(self._prepared, self._cases)).items():
            if by_item:
                table[name].append(self.figures(self.answers(self.without_newest(scores))))
                continue
            table[name].append(self.figures(self.answers(self.without_seen(scores)), self.without_seen(scores)))
            if self.repeated:
                table[f"{name}, seen kept"].append(self.figures(self.answers(scores), scores))

    def baselines(self, histories: Matrix) -> dict[str, Scores]:
        return {name: fit(self._training.copy(), self._seed)(histories) for name, fit in BASELINES.items()}

    def scores(self, trial: Trial) -> Scores:
        return np.stack([trial.model.scores(trial.examiner.query(case)) for case in self._cases])

    def without_seen(self, scores: Scores) -> Scores:
        return np.where(self._seen, -np.inf, scores)

    def without_newest(self, scores: Scores) -> Scores:
        return np.where(newest(self._prepared, self._cases).toarray() > 0, -np.inf, scores)

    def answers(self, scores: Scores) -> list[Answer]:
        return [Answer(best(row, 25), relevant) for row, relevant in zip(scores, self._relevant, strict=True)]

    def figures(self, answers: list[Answer], scores: Scores | None = None) -> Figures:
        """The service's metrics, those beyond accuracy, the next item's, and with scores that of lists."""
        first = [int(self._prepared.events.items[case.hidden]) for case in self._cases]
        following = [Answer(answer.recommended, {item: 1.0}) for answer, item in zip(answers, first, strict=True)]
        found = ranking_metrics(answers, len(self._prepared.item_ids)) | qualities(answers, self._reference)
        found[NEXT] = ranking_metrics(following, 1)[_SHOWN["NDCG@10"]]
        if scores is not None:
            ranked = [
                Answer(listed[np.argsort(-row[listed], kind="stable")], relevant)
                for row, listed, relevant in zip(scores, self._lists, self._relevant, strict=True)
            ]
            found[LISTED] = ranking_metrics(ranked, 1)[_SHOWN["NDCG@10"]]
        return found


def segments(data: TrainingData, seed: int, recipes: Sequence[str], found: Collected) -> None:
    """The best 1 % of users for an item against who took it later, by the recipes and by the scores of the baselines."""
    for recipe in (recipe for recipe in SEGMENTS if recipe in recipes):
        found[recipe].append(train(data, TrainingOptions(recipe, seed=seed)).metrics)
    events = prepare(data, TrainingOptions(SEGMENTS[0], seed=seed)).events
    held = events.newest(_HELD_SHARE)
    training, takers = ones(events.where(~held).matrix()), events.where(held).matrix().tocsc()
    taken = [item for item in np.random.default_rng(seed).permutation(events.n_items) if len(_users(takers, item))]
    seen = training.toarray() > 0
    for name, fit in BASELINES.items():
        scores = fit(training.copy(), seed)(training.copy())
        for label, table in ((name, np.where(seen, -np.inf, scores)), (f"{name}, seen kept", scores)):
            answers = [
                (np.argsort(-table[:, item], kind="stable"), frozenset(_users(takers, item).tolist()))
                for item in taken[:_SEGMENT_SAMPLE]
            ]
            found[label].append(segment_metrics(answers, events.n_users))


def _users(takers: sparse.csc_array, item: int) -> NDArray[np.int32]:
    return np.asarray(takers.indices[takers.indptr[item] : takers.indptr[item + 1]])


def _reference_of(prepared: Prepared, training: Matrix, popular: list[Answer]) -> Reference:
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


def newest(prepared: Prepared, cases: list[Case]) -> Matrix:
    """Test users x items: the newest item that each is known to have."""
    items = [int(prepared.events.items[case.hidden - 1]) for case in cases]
    cells = (np.ones(len(items), np.float32), (np.arange(len(items)), items))
    return sparse.csr_array(cells, shape=(len(cases), len(prepared.item_ids)))


def ones(matrix: Matrix) -> Matrix:
    matrix.sum_duplicates()
    matrix.data = np.ones_like(matrix.data)
    return matrix


def _summarize(collected: Collected) -> _Summary:
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


def tables(name: str, result: dict[str, _Summary]) -> dict[str, Table]:
    """The figures of a set by the heading of their table."""
    told = {metric: metric for metric in ("hits_at_1_percent", "recall_at_1_percent", "coverage")}
    of_items = {label: metric for label, metric in _SHOWN.items() if metric != LISTED}
    headings = {
        "For a user": ("for a user", _SHOWN),
        "For the newest item of a user": ("for an item", of_items),
        "User segments": ("segments", told),
    }
    measured = {heading: (result[f"{name}, {of}"], columns) for heading, (of, columns) in headings.items()}
    shown = {heading: table(rows, columns) for heading, (rows, columns) in measured.items() if rows}
    if f"{name}, cold items" in result:
        known = {metric: metric for metric in next(iter(result[f"{name}, cold users"].values()))}
        shown["Cold items, ranked among themselves"] = table(
            result[f"{name}, cold items"], {"NDCG@10": "ndcg_at_10", "AUC": "auc"}
        )
        shown["Cold users, by events known: NDCG@10 of the next ten"] = table(result[f"{name}, cold users"], known)
    return shown


def table(summaries: _Summary, columns: dict[str, str]) -> Table:
    shown = Table(box=MARKDOWN)
    for column in ("", *columns):
        shown.add_column(column, no_wrap=True)
    for name, summary in summaries.items():
        cells = [summary.get(metric) for metric in columns.values()]
        shown.add_row(name, *(f"{c['mean']:.3f} ± {c['deviation']:.3f}" if c else "" for c in cells))
    return shown


def report(console: Console, result: dict[str, _Summary], sets: Sequence[str], seeds: int) -> None:
    console.print("# Accuracy of the recipes\n")
    console.print(f"Means and standard deviations over {seeds} draws of the test users, by `python -m bench.accuracy`.")
    console.print(f"{_EXPLANATION}\n", markup=False)
    for name, reason in _LEFT_OUT.items():
        console.print(f"`{name}` is left out: {reason}.")
    for name in sets:
        console.print(f"\n## {name}")
        for heading, shown in tables(name, result).items():
            console.print(f"\n### {heading}")
            console.print(shown)


def measured(name: str, seeds: Sequence[int], recipes: Sequence[str], source: Callable[[], Path]) -> dict[str, _Summary]:
    """The figures of a set: under its own name those of the recipes, and by table recipes and baselines."""
    with TemporaryDirectory() as folder, threadpool_limits(1):
        data = load(name, Path(folder), source)
        found = compare(data, seeds, recipes, lambda told: print(f"{name}: {told}", file=sys.stderr, flush=True))
        by_table = {
            f"{name}, for a user": _summarize(found["personal"]),
            f"{name}, for an item": _summarize(found["related"]),
            f"{name}, segments": _summarize(found["segments"]),
        }
        if name == _MOVIELENS and set(_RECIPES_SHOWN) <= set(recipes):
            by_table[f"{name}, cold items"] = _summarize(cold_items(data, seeds))
            by_table[f"{name}, cold users"] = _summarize(cold_users(data, seeds))
    of_recipes = {recipe: figures for table in by_table.values() for recipe, figures in table.items() if recipe in _RECIPES_SHOWN}
    return {name: of_recipes, **by_table}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--markdown", type=Path, help="where the tables go, beside the terminal")
    parser.add_argument("--seeds", type=int, default=10, help="draws of the test users (default: %(default)s)")
    parser.add_argument("--sets", default=",".join(_SETS), help="names, separated by commas (default: %(default)s)")
    parser.add_argument("--recipes", default=",".join((*_PERSONAL, *_RELATED, *SEGMENTS)), help="names (default: all)")
    parser.add_argument("--data", type=Path, help="a folder that holds MovieLens 100k; else it is fetched")
    parser.add_argument("--cache", type=Path, default=Path(".cache/movielens"), help="where fetched data are kept")
    arguments = parser.parse_args()
    sets, recipes = arguments.sets.split(","), arguments.recipes.split(",")
    if unknown := set(recipes) - _RECIPES_SHOWN:
        parser.error(f"argument --recipes: not measured here: {', '.join(sorted(unknown))}")
    result: dict[str, _Summary] = {}
    for name in sets:
        result |= measured(name, range(arguments.seeds), recipes, lambda: arguments.data or fetch(arguments.cache))
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    report(Console(width=_WIDTH), result, sets, arguments.seeds)
    if arguments.markdown:
        text = io.StringIO()
        report(Console(file=text, width=_WIDTH), result, sets, arguments.seeds)
        arguments.markdown.write_text("\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n")


if __name__ == "__main__":
    main()
