"""MovieLens 100k: fetched when it is needed, turned into the CSVs of `config/movielens.yaml`, never kept in the repository.

The data are GroupLens's (https://grouplens.org/datasets/movielens/100k/) and may not be passed on; the package `recbole`
carries a copy, which pip brings to the machine of whoever runs the demo.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from personalize_rules.csv import line_of
from reco.errors import RecoError

_PACKAGE = "recbole==1.2.1"
_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
_INSIDE = "recbole/dataset_example/ml-100k/"
_FILES = ("ml-100k.inter", "ml-100k.item", "ml-100k.user")

#: The order of the genre flags in GroupLens's own u.item.
GENRES = [
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
]  # fmt: skip


@dataclass(frozen=True)
class Counts:
    users: int
    items: int
    interactions: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def fetch(cache: Path) -> Path:
    """The folder with the data as the package has them, fetched once. Raises RecoError without a network."""
    if all((cache / name).exists() for name in _FILES):
        return cache
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", folder, _PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            raise RecoError(
                "MovieLens could not be fetched: pip found no way to download it. Check the network, or give a folder that "
                "holds MovieLens 100k with --data DIR."
            )
        unpack(wheels[0], cache)
    return cache


def unpack(wheel: Path, folder: Path) -> None:
    """Take the three files out of the wheel, once it is known to be the right one."""
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != _SHA256:
        raise RecoError(f"{wheel.name} is not the file that was expected (its SHA-256 differs); MovieLens was not unpacked.")
    with zipfile.ZipFile(wheel) as archive:
        for name in _FILES:
            (folder / name).write_bytes(archive.read(_INSIDE + name))


def write_csvs(source: Path, target: Path) -> Counts:
    """Write interactions.csv, items.csv and users.csv. `source` holds recbole's files or GroupLens's (u.data, u.item, u.user).

    Raises RecoError when it holds neither.
    """
    target.mkdir(parents=True, exist_ok=True)
    if (source / "ml-100k.inter").exists():
        ratings, items, users = _recbole(source)
    elif (source / "u.data").exists():
        ratings, items, users = _grouplens(source)
    else:
        raise RecoError(f"{source} holds no MovieLens 100k: there is neither ml-100k.inter nor u.data in it.")
    return Counts(
        users=_write(target / "users.csv", "USER_ID,AGE,GENDER,OCCUPATION", users),
        items=_write(target / "items.csv", "ITEM_ID,TITLE,GENRES,YEAR,CREATION_TIMESTAMP", items),
        interactions=_write(target / "interactions.csv", "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE", ratings),
    )


def _write(path: Path, header: str, rows: Iterable[list[str]]) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"{header}\n")
        for count, row in enumerate(rows, 1):  # noqa: B007  the count is what is returned
            file.write(f"{line_of(row)}\n")
    return count


def _recbole(source: Path) -> tuple[Iterator[list[str]], Iterator[list[str]], Iterator[list[str]]]:
    def rows(name: str) -> Iterator[list[str]]:
        lines = (source / name).read_text(encoding="utf-8").splitlines()[1:]
        return (line.split("\t") for line in lines)

    return (
        (_interaction(user, item, time, rating) for user, item, rating, time in rows("ml-100k.inter")),
        (_item(item, title, genres.split(), year) for item, title, year, genres in rows("ml-100k.item")),
        (row[:4] for row in rows("ml-100k.user")),
    )


def _grouplens(source: Path) -> tuple[Iterator[list[str]], Iterator[list[str]], Iterator[list[str]]]:
    def rows(name: str, separator: str) -> Iterator[list[str]]:
        return (line.split(separator) for line in (source / name).read_text(encoding="latin-1").splitlines())

    def items() -> Iterator[list[str]]:
        for row in rows("u.item", "|"):
            genres = [name for name, flag in zip(GENRES, row[5:24], strict=True) if flag == "1"]
            yield _item(row[0], row[1].rsplit(" (", 1)[0], genres, row[2].rsplit("-", 1)[-1])

    return (
        (_interaction(user, item, time, rating) for user, item, rating, time in rows("u.data", "\t")),
        items(),
        (row[:4] for row in rows("u.user", "|")),
    )


def _interaction(user: str, item: str, time: str, rating: str) -> list[str]:
    return [user, item, time, "Watch", rating]


def _item(item: str, title: str, genres: list[str], year: str) -> list[str]:
    """An item's row; a film from before 1970, where Unix time begins, counts as created then."""
    year = year if year.isdigit() else ""
    created = int(datetime(max(int(year), 1970), 1, 1, tzinfo=UTC).timestamp()) if year else 0
    return [item, title, "|".join(genres), year, str(created)]
