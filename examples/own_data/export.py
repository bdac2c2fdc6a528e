"""The export of an invented shop, for trying docs/own-data.md without data of your own. Standard library alone.

    python examples/own_data/export.py FOLDER

Its columns have the shop's own names, its times are dates, as in many exports. The same files come out each time.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

GOODS = {
    "garden": ("Spade", "Rake", "Watering can", "Hose", "Lantern", "Planter", "Secateurs", "Wheelbarrow"),
    "kitchen": ("Pan", "Kettle", "Knife", "Whisk", "Grater", "Teapot", "Scale", "Mortar"),
    "toys": ("Kite", "Puzzle", "Robot", "Doll", "Train", "Blocks", "Drum", "Marbles"),
    "sports": ("Racket", "Ball", "Helmet", "Skates", "Rope", "Mat", "Gloves", "Whistle"),
}
STYLES = ("red", "blue", "small", "large", "wooden", "light")
BRANDS = ("Adler", "Bori", "Cedar", "Dunn", "Eiche")
CUSTOMERS, EVENTS_EACH, SEED = 400, 40, 11
OPENED = datetime(2026, 1, 1, tzinfo=UTC)


def main(folder: Path) -> None:
    """Write articles.csv, customers.csv and clicks.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(SEED)  # noqa: S311
    articles = list(make_articles(dice))
    write(folder / "articles.csv", "article,name,category,brand,price,in_stock,text,listed", articles)
    write(folder / "customers.csv", "customer,born,gender,plan", make_customers(dice))
    write(folder / "clicks.csv", "time,customer,article,action,device", make_clicks(dice, articles))


def make_articles(dice: random.Random) -> Iterable[list[str]]:
    number = 1000
    for category, names in GOODS.items():
        for name in names:
            for style in STYLES:
                number += 1
                listed = OPENED - timedelta(days=dice.randrange(400))
                price, stock = f"{dice.randrange(4, 90)}.90", str(dice.choice((0, 3, 12, 40)))
                text = f"A {style} {name.lower()} for the {category} department"
                yield [f"A{number}", f"{name}, {style}", category, dice.choice(BRANDS), price, stock, text, f"{listed:%d.%m.%Y}"]


def make_customers(dice: random.Random) -> Iterable[list[str]]:
    for number in range(1, CUSTOMERS + 1):
        yield [f"C{number}", str(dice.randrange(1950, 2008)), dice.choice(("f", "m", "")), dice.choice(("basic", "plus"))]


def make_clicks(dice: random.Random, articles: list[list[str]]) -> Iterable[list[str]]:
    """Each customer likes one category, and buys some of what it looked at."""
    categories = list(GOODS)
    for number in range(1, CUSTOMERS + 1):
        time = OPENED + timedelta(hours=dice.randrange(4000))
        liked = [article[0] for article in articles if article[2] == categories[number % len(categories)]]
        for _ in range(EVENTS_EACH):
            article = dice.choice(liked) if dice.random() < 0.8 else dice.choice(articles)[0]
            action = dice.choices(("look", "basket", "order"), (6, 2, 2))[0]
            time += timedelta(minutes=dice.randrange(1, 600))
            yield [f"{time:%Y-%m-%d %H:%M:%S}", f"C{number}", article, action, dice.choice(("phone", "desktop"))]


def write(file: Path, header: str, rows: Iterable[list[str]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out, lineterminator="\n").writerows([header.split(","), *rows])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
