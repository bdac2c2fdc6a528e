"""From a shop's export to the CSVs that Amazon Personalize wants. Copy it, and put in the names of your columns.

    python examples/own_data/convert.py EXPORT CSVS

It reads and writes row by row, so that the size of the files does not matter; `line_of` writes cells as an import reads them.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from personalize_rules.csv import line_of

Row = dict[str, str]


def seconds(text: str, form: str) -> int:
    """A date or time (UTC) as seconds since 1970, which is how Personalize writes every time."""
    return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp())


#: Your word for what a customer did -> the event types of the config.
EVENT_TYPES = {"look": "view", "basket": "cart", "order": "buy"}

#: For each dataset: your file, and for each column of its schema how it comes from a row of yours.
DATASETS: dict[str, tuple[str, dict[str, Callable[[Row], object]]]] = {
    "interactions": (
        "clicks.csv",
        {
            "USER_ID": lambda row: row["customer"],
            "ITEM_ID": lambda row: row["article"],
            "TIMESTAMP": lambda row: seconds(row["time"], "%Y-%m-%d %H:%M:%S"),
            "EVENT_TYPE": lambda row: EVENT_TYPES[row["action"]],
            "EVENT_VALUE": lambda row: "",
            "DEVICE": lambda row: row["device"],
        },
    ),
    "items": (
        "articles.csv",
        {
            "ITEM_ID": lambda row: row["article"],
            "TITLE": lambda row: row["name"],
            "CATEGORY": lambda row: row["category"],  # of several: "garden|gifts"
            "BRAND": lambda row: row["brand"],
            "PRICE": lambda row: row["price"],
            "STOCK": lambda row: row["in_stock"],
            "DESCRIPTION": lambda row: row["text"],
            "CREATION_TIMESTAMP": lambda row: seconds(row["listed"], "%d.%m.%Y"),
        },
    ),
    "users": (
        "customers.csv",
        {
            "USER_ID": lambda row: row["customer"],
            "AGE": lambda row: 2026 - int(row["born"]) if row["born"] else "",  # an empty cell where the schema has null
            "GENDER": lambda row: row["gender"].upper(),
            "MEMBERSHIP": lambda row: row["plan"],
        },
    ),
}


def main(source: Path, target: Path) -> None:
    """Write interactions.csv, items.csv and users.csv."""
    target.mkdir(parents=True, exist_ok=True)
    for dataset, (name, columns) in DATASETS.items():
        count = 0
        with (
            (source / name).open(encoding="utf-8", newline="") as read,
            (target / f"{dataset}.csv").open("w", encoding="utf-8", newline="") as written,
        ):
            written.write(f"{','.join(columns)}\n")
            for count, row in enumerate(csv.DictReader(read), 1):  # noqa: B007  the count is printed
                written.write(f"{line_of([str(convert(row)) for convert in columns.values()])}\n")
        print(f"{dataset}.csv: {count} rows")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
