"""The exports of six invented shops, as unlike as exports are. Each function fills a folder, and says what must come out of it.

The same shop underneath: users like one category, look more often than they buy. The files come out alike each time.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

NOUNS = ("Tent", "Stove", "Rope", "Lamp", "Boots", "Pack")
CATEGORIES = ("Camping", "Climbing", "Hiking")
BRANDS = ("Alpstein", "Bergfex", "Föhn", "Grat")
OPENED = datetime(2026, 3, 1, tzinfo=UTC)
USERS, ITEMS = 60, 48


@dataclass(frozen=True)
class Event:
    user: int
    item: int
    time: datetime
    kind: str


def events(users: int = USERS, items: int = ITEMS, each: int = 50) -> list[Event]:
    dice, found = random.Random(5), []
    for user in range(users):
        time = OPENED + timedelta(hours=user)
        for _ in range(each):
            time += timedelta(minutes=dice.randrange(1, 400))
            item = dice.randrange(items // 3) * 3 + user % 3 if dice.random() < 0.8 else dice.randrange(items)
            found.append(Event(user, item, time, dice.choices(("view", "cart", "buy"), (6, 2, 3))[0]))
    return sorted(found, key=lambda event: event.time)


def title(item: int) -> str:
    return f"{NOUNS[item % 6]} {item}"


def price(item: int) -> str:
    """Some with groups of thousands, where the export writes them."""
    return f"{(item * 37 % 2000) + 9}.90"


def table(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], encoding: str = "utf-8", **dialect: object
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, lineterminator="\r\n", **dialect).writerows([header, *rows])  # type: ignore[arg-type]


def semicolon(folder: Path) -> None:
    """A German shop system: semicolons, decimal commas, thousands with points, a mark at the start, HTML, local time without a zone."""
    local = ZoneInfo("Europe/Berlin")
    german = {"view": "Ansicht", "cart": "Warenkorb", "buy": "Kauf"}
    table(
        folder / "klicks.csv",
        ["Zeitpunkt", "KundenNr", "ArtikelNr", "Aktion", "Gerät"],
        [
            [
                f"{e.time.astimezone(local):%d.%m.%Y %H:%M:%S}",
                f"K{e.user}",
                f"A-{e.item}",
                german[e.kind],
                "Handy" if e.user % 2 else "PC",
            ]
            for e in events()
        ],
        encoding="utf-8-sig",
        delimiter=";",
    )
    table(
        folder / "artikel.csv",
        ["ArtikelNr", "Bezeichnung", "Warengruppe", "Marke", "Preis", "Bestand", "Beschreibung", "angelegt"],
        [
            [
                f"A-{n}",
                title(n),
                CATEGORIES[n % 3],
                BRANDS[n % 4],
                f"{float(price(n)):,.2f}".translate(str.maketrans(",.", ".,")),
                n % 7,
                f"<p>Für <b>{CATEGORIES[n % 3]}</b>; gut &amp; g&uuml;nstig.<br/>Nr. {n}</p>",
                f"{OPENED - timedelta(days=n):%d.%m.%Y}",
            ]
            for n in range(ITEMS)
        ],
        encoding="utf-8-sig",
        delimiter=";",
    )
    table(
        folder / "kunden.csv",
        ["KundenNr", "E-Mail", "Geburtsdatum", "Ort", "Newsletter"],
        [
            [
                f"K{n}",
                f"k{n}@example.com",
                f"{1 + n % 28:02}.{1 + n % 12:02}.{1950 + n % 50}",
                ("Bern", "Wien")[n % 2],
                ("ja", "nein")[n % 2],
            ]
            for n in range(USERS)
        ],
        encoding="utf-8-sig",
        delimiter=";",
    )


def tabs(folder: Path) -> None:
    """A warehouse's dump: tabs, gzipped, milliseconds, \\N for nothing, events of visits without an item, two files of events."""
    found = events()
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(2):
        with gzip.open(folder / f"events_{part}.tsv.gz", "wt", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, delimiter="\t", lineterminator="\n")
            rows.writerow(["event_id", "ts", "visitor_id", "sku", "event_type"])
            for n, e in enumerate(found[part::2]):
                ms = int(e.time.timestamp() * 1000)
                rows.writerow([part * 10_000 + n, ms, f"v{e.user}", f"s{e.item}", e.kind])
                if n % 20 == 0:
                    rows.writerow([part * 10_000 + 5_000 + n, ms + 5, f"v{e.user}", "\\N", "visit"])
    table(
        folder / "products.tsv",
        ["sku", "product_name", "category_path", "list_price", "in_stock", "image_url"],
        [
            [
                f"s{n}",
                title(n),
                f"Outdoor > {CATEGORIES[n % 3]}",
                price(n),
                "true" if n % 5 else "false",
                f"https://shop.example/{n}.jpg",
            ]
            for n in range(ITEMS)
        ],
        delimiter="\t",
    )


def quoted(folder: Path) -> None:
    """All in quotation marks with a mark at the start; commas and quotation marks in texts; offsets in times; a column of nulls."""
    offsets = (ZoneInfo("Asia/Seoul"), ZoneInfo("America/New_York"))
    table(
        folder / "orders.csv",
        ["order_id", "customer_id", "product_id", "ordered_at", "coupon"],
        [
            [n, f"{e.user}", f"P{e.item:04}", e.time.astimezone(offsets[n % 2]).isoformat(sep=" "), "NULL"]
            for n, e in enumerate(events())
        ],
        encoding="utf-8-sig",
        quoting=csv.QUOTE_ALL,
    )
    table(
        folder / "products.csv",
        ["product_id", "name", "tags", "price", "description"],
        [
            [
                f"P{n:04}",
                f'{title(n)}, 12" "new"',
                "|".join([CATEGORIES[n % 3], "sale"][: 1 + n % 2]),
                f"${price(n)}",
                f"Good, and\nlight: {n}",
            ]
            for n in range(ITEMS)
        ],
        encoding="utf-8-sig",
        quoting=csv.QUOTE_ALL,
    )


def spreadsheet(folder: Path) -> None:
    """Through a spreadsheet: `sep=`, US dates, ids as 1.0E+05 in one file, zeros in front lost in another."""
    folder.mkdir(parents=True, exist_ok=True)
    found = events()
    ids = {n: f"{n:04}" for n in range(ITEMS)}
    users = {n: str(100_000 * (n + 1)) for n in range(USERS)}
    short = {n: f"{float(users[n]):.1E}" if n < 9 else users[n] for n in range(USERS)}  # 1.0E+05
    with (folder / "clicks.csv").open("w", newline="", encoding="cp1252") as file:
        file.write("sep=,\r\n")
        rows = csv.writer(file)
        rows.writerow(["Date", "Customer No", "Item No", "Action"])
        for e in found:
            rows.writerow([f"{e.time:%m/%d/%Y %I:%M %p}", short[e.user], str(e.item), e.kind])
    table(
        folder / "items.csv",
        ["Item No", "Item Name", "Department", "Unit Price", "Stock"],
        [[ids[n], f"{title(n)} für alle", CATEGORIES[n % 3], f"{float(price(n)):,.2f}", n % 7] for n in range(ITEMS)],
        encoding="cp1252",
    )
    table(
        folder / "customers.csv",
        ["Customer No", "Year of Birth", "Segment"],
        [[users[n], 1950 + n % 50, ("gold", "basic")[n % 2]] for n in range(USERS)],
        encoding="cp1252",
    )


def json_lines(folder: Path) -> None:
    """An event collector's JSON lines, nested, with lists; items as one JSON array."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "events.jsonl").open("w", encoding="utf-8") as file:
        for e in events():
            entry = {
                "type": e.kind,
                "at": e.time.isoformat().replace("+00:00", "Z"),
                "user": {"id": f"u{e.user}"},
                "item": {"id": f"i{e.item}"},
                "context": {"device": "phone" if e.user % 2 else "desktop"},
            }
            file.write(json.dumps(entry) + "\n")
    items = [
        {
            "id": f"i{n}",
            "title": title(n),
            "categories": [CATEGORIES[n % 3], "all"],
            "price": float(price(n)),
            "stock": n % 7,
            "brand": BRANDS[n % 4],
        }
        for n in range(ITEMS)
    ]
    (folder / "items.json").write_text(json.dumps(items, ensure_ascii=False, indent=1), encoding="utf-8")


def retail(folder: Path) -> None:
    """The shape of the Online Retail set: one file of invoice lines, guests without an id, returns, a price and a name in each line."""
    table(
        folder / "online_retail.csv",
        ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"],
        [
            [
                f"{'C' if n % 50 == 0 else ''}{536365 + n // 3}",
                f"{85000 + e.item}{'A' if e.item % 3 == 0 else ''}",
                title(e.item).upper(),
                -1 if n % 50 == 0 else 1 + n % 12,
                f"{e.time.month}/{e.time.day}/{e.time.year} {e.time.hour}:{e.time.minute:02}",
                price(e.item),
                "" if n % 10 == 5 else f"{17850 + e.user}",
                ("United Kingdom", "France")[e.user % 2],
            ]
            for n, e in enumerate(events())
        ],
    )


#: The shops, with the flags that `reco init --yes` needs for each: what its export can't tell.
SHOPS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "semicolon": (semicolon, ("--timezone", "Europe/Berlin")),
    "tabs": (tabs, ()),
    "quoted": (quoted, ()),
    "spreadsheet": (spreadsheet, ()),
    "json_lines": (json_lines, ()),
    "retail": (retail, ()),
}
