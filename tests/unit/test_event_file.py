"""Files of events as people have them: read to the same events, or refused by line and field."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from lambdas.config.file import load_config
from reco.data.event_file import Event, open_events, read_events
from reco.errors import RecoError

CONFIG = load_config(Path("config/shop.yaml"))
VIEW = {"event_type": "view", "user_id": "u1", "item_id": "i1", "timestamp": 1_700_000_000}
HEADER = "event_type,user_id,item_id,timestamp"
LINE = "view,u1,i1,1700000000"


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)  # the ids of the tests may not change with the time


def read(folder: Path, content: bytes | str) -> list[Event]:
    file = folder / "events"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with open_events(str(file), io.BytesIO()) as source:
        return list(read_events(source, "events", CONFIG))


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(VIEW),
        json.dumps(VIEW) + "\n\n",
        json.dumps([VIEW], indent=2),
        b"\xef\xbb\xbf" + json.dumps([VIEW]).encode(),
        f"{HEADER}\n{LINE}\n",
        f"\ufeff{HEADER}\r\n{LINE}\r\n",
        f"\n{HEADER}\n\n{LINE}",
        f'{HEADER}\n"view","u1",i1,1700000000\n',
        "USER_ID,ITEM_ID,EVENT_TYPE,TIMESTAMP\nu1,i1,view,1700000000\n",
        "userId,itemId,eventType,timestamp\nu1,i1,view,1700000000\n",
        zipped(f"{HEADER}\n{LINE}\n".encode()),
        zipped(json.dumps([VIEW]).encode()),
    ],
)
def test_all_these_hold_one_event(tmp_path: Path, content: bytes | str) -> None:
    (event,) = read(tmp_path, content)
    assert event.model_dump(exclude={"event_id"}, exclude_none=True) == VIEW | {"session_id": "session-of-u1"}
    assert event.event_id


def test_columns_of_the_schema_are_properties(tmp_path: Path) -> None:
    text = "USER_ID,ITEM_ID,EVENT_TYPE,DEVICE,EVENT_VALUE,IMPRESSION\nu1,i1,buy,mobile,19.5,i1|i2\nu1,i1,view,,,\n"
    bought, viewed = read(tmp_path, text)
    assert (bought.properties, bought.event_value, bought.impression) == ({"device": "mobile"}, 19.5, ["i1", "i2"])
    assert viewed.properties is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "events has no event."),
        ("\n\n", "events has no event."),
        ("[]", "events has no event."),
        (HEADER, "events has no event."),
        (f"{LINE}\n{LINE}\n", "events, line 1: 'view' is no field of an event. The first line must name the fields: event_id,"),
        (HEADER.replace(",", ";") + "\n" + LINE.replace(",", ";"), "events, line 1: the delimiter seems to be ;"),
        (HEADER.replace(",", "\t") + "\n" + LINE, "events, line 1: the delimiter seems to be a tab"),
        (f"{HEADER}\n\n{LINE}\n\nview,u1,,yesterday\n", "events, line 5, timestamp: "),
        (f"{HEADER}\n{LINE},more\n", "events, line 2: has 5 cells, the header 4"),
        (f'{HEADER}\n{LINE}\nview,"u\n1",i1,1\n', "events, line 3: has a quotation mark that is not closed"),
        (f"{HEADER}\nview,u1,i1,1700000000000\n", "events, line 2, timestamp: looks like milliseconds"),
        (f"{HEADER}\nstare,u1,i1,1700000000\n", "events, line 2, event_type: there is no event type 'stare'"),
        (f"{HEADER}\nbuy,u1,,1700000000\n", "events, line 2, item_id: is required for events of type 'buy'"),
        (f"{HEADER}\nview,,i1,1700000000\n", "events, line 2, user_id or session_id is required"),
        (f"{HEADER}\nview,{'u' * 257},i1,1700000000\n", "events, line 2, user_id: "),
        (f"{HEADER}\nview,Andr\xe9,i1,1\n".encode("latin-1"), "events, line 2: is not UTF-8 text"),
        (f"{HEADER}\n{LINE}\n".encode("utf-16"), "events, line 1: "),
        (f"{HEADER}\n".encode() + f"{LINE}\n".encode() * 40_000 + b"view,\xe9,i1,1\n", "events, line 40002: is not UTF-8 text"),
        (json.dumps([VIEW, VIEW | {"item": "i1"}]), "events, event 2, item: "),
        (json.dumps(VIEW) + "\n{", "events, line 2: is not JSON: "),
        (json.dumps({"events": [VIEW]}), "events, line 1, "),
        ("[1]", "events, event 1, "),
        (zipped(LINE.encode())[:-4], "can't be read: "),
    ],
)
def test_what_is_no_event_is_refused_by_line_and_field(tmp_path: Path, content: bytes | str, said: str) -> None:
    with pytest.raises(RecoError) as refused:
        read(tmp_path, content)
    assert said in str(refused.value)


def test_lengths_are_counted_in_characters(tmp_path: Path) -> None:
    properties: dict[str, Any] = {"note": "모바일" * 330}
    (event,) = read(tmp_path, json.dumps(VIEW | {"properties": properties}))
    assert event.properties == properties
