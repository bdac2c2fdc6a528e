"""The words by which columns, files and event types are known, in the languages of shops' exports."""

from __future__ import annotations

import re

#: By what a column holds. `nm`, `prc` and the like are how Korean databases shorten English words.
_COLUMNS = {
    "user": """
        user uid customer cust client member visitor shopper account buyer reviewer household subscriber consumer
        kunde kunden benutzer nutzer mitglied käufer utilisateur cliente usuario klant klient
        고객 회원 사용자 유저 구매자 会員 顧客
    """,
    "item": """
        item product prod article sku asin stock_code movie film book track song goods isbn artikel produkt ware
        produit articulo producto prodotto artikul 상품 제품 품목 품번 물품 아이템 商品
    """,
    "time": """
        time timestamp ts datetime date at when occurred created event_time zeit zeitpunkt datum zeitstempel uhrzeit
        fecha heure hora 시각 시간 일시 날짜 일자 발생 日時
    """,
    "event": """
        event action activity behavior behaviour type verb interaction aktion ereignis vorgang typ 행동 이벤트 동작 유형 액션
    """,
    "value": """
        rating score stars value bewertung 평점 별점
    """,
    "title": """
        title name label product_name item_name titel bezeichnung produktname artikelname nombre nom titre 상품명 제품명 이름
        제목 명 nm produktbezeichnung artikelbezeichnung 품명
    """,
    "description": """
        description desc text body details summary beschreibung langtext descripcion 설명 상세 소개 zusammenfassung
    """,
    "category": """
        category categories cat genre genres department section kategorie kategorien warengruppe categoria categorie
        카테고리 분류 장르 topic ctgr ctgry
    """,
    "brand": """
        brand manufacturer vendor maker label marke hersteller marca marque 브랜드 제조사 artist author autor auteur
        künstler kuenstler artiste brnd 저자 작가 아티스트
    """,
    "price": """
        price amount cost preis vk vkpreis prix precio prezzo unit_price 가격 판매가 단가 금액 prc
    """,
    "stock": """
        stock inventory quantity_available in_stock availability bestand lager lagerbestand existencias 재고 수량 stck
        stk
    """,
    "created": """
        created created_at listed launched launch released release published added creation since start_date
        available_from angelegt erstellt eingestellt erschienen 등록일 출시일 등록일시 입고일
    """,
    "birth_year": """
        birth_year year_of_birth born birthyear yob geburtsjahr jahrgang 출생년도 출생연도 생년
    """,
    "birth_date": """
        birth_date birthday date_of_birth dob birthdate geburtsdatum geburtstag 생년월일 생일
    """,
    "personal": """
        email e_mail mail phone mobile telephone tel first_name last_name firstname lastname surname full_name name
        street address zip postcode postal plz ip telefon strasse straße vorname nachname adresse 이메일 전화 전화번호 휴대폰 이름
        성명 주소 우편번호
    """,
    "quantity": """
        quantity qty menge anzahl 수량 개수
    """,
    "device": """
        device channel platform os browser app source gerät geraet kanal 기기 채널 디바이스 플랫폼
    """,
    "year": """
        year release_year jahr baujahr erscheinungsjahr annee année ano año anno jaar rok 연도 년도
    """,
}
#: By the dataset that a file belongs to.
_FILES = {
    "interactions": """
        event click interaction order purchase transaction rating view log activity behavior session history sale
        basket retail klick bestellung ereignis 이벤트 클릭 주문 구매 로그 행동
    """,
    "items": """
        item product article catalog catalogue movie book goods sku inventory artikel produkt katalog 상품 제품 품목 카탈로그
    """,
    "users": """
        user customer member client visitor account shopper kunde benutzer 고객 회원 사용자
    """,
}
#: By what an event type means.
_MEANINGS = {
    "buy": """
        buy purchase purchased order ordered transaction checkout_complete paid kauf gekauft bestellung bestellt
        kaufen achat compra 구매 주문 결제
    """,
    "cart": """
        cart basket add_to_cart addtocart add_to_basket warenkorb korb panier carrito 장바구니 담기
    """,
    "view": """
        view click look viewed clicked detail page_view pageview product_view see open ansicht angesehen klick
        gesehen vue vista 조회 클릭 보기 열람
    """,
}
_SETS = {role: frozenset(words.split()) for role, words in _COLUMNS.items()}
_FILE_WORDS = {kind: tuple(words.split()) for kind, words in _FILES.items()}
_MEANING_WORDS = {meaning: words.split() for meaning, words in _MEANINGS.items()}
_TAKEN_BACK = ("remove", "cancel", "return", "refund", "delete", "storno", "취소", "반품", "환불", "삭제")
_ID = ("id", "ids", "no", "nr", "num", "number", "code", "key", "nummer", "번호", "아이디", "코드", "#")
#: Of these a column can hold the name: `BRAND_NAME`, `카테고리명`. It is not the item's.
_NAMED = ("category", "brand", "stock", "user")


def tokens(name: str) -> list[str]:
    """`customerID`, `Customer-Id`, `customer id` are customer, id."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word for word in re.split(r"[\W_]+", apart.casefold()) if word]


def fits(name: str, role: str) -> float:
    """How surely a column of this name has the role: 0 to 1."""
    words, found = tokens(name), _SETS[role]
    if not words:
        return 0
    joined = "_".join(words)
    without_id = [word for word in words if word not in _ID]
    bare = "_".join(without_id) or joined
    if joined in found or (bare in found and role in ("user", "item")):
        return 1
    if role == "title" and any(fits("_".join(words[:-1]), each) >= 0.8 for each in _NAMED):
        return 0.2
    for ending in _ID:  # customerid, 고객번호
        for word in words:
            if word.endswith(ending) and word.removesuffix(ending) in found and role in ("user", "item"):
                return 0.95
    if words[-1] in found and role not in ("user", "item"):
        return 0.8
    if any(word in found for word in words):
        return 0.6 if role not in ("user", "item") or any(word in _ID for word in words) else 0.5
    if any(known in joined for known in found if len(known) > 3 or not known.isascii()):
        return 0.4
    return 0


def looks_like_id(name: str) -> bool:
    words = tokens(name)
    return bool(words) and (words[-1] in _ID or words[-1].endswith(("id", "번호", "코드", "nummer", "nr")))


def file_kind(name: str) -> str | None:
    """The dataset that a file's name speaks of."""
    low = name.casefold()
    found = {kind: max((low.find(word) for word in words if word in low), default=-1) for kind, words in _FILE_WORDS.items()}
    best = max(found, key=lambda kind: found[kind])
    if found["interactions"] >= 0:  # product_views are events
        return "interactions"
    return best if found[best] >= 0 else None


def meaning(event_type: str) -> str | None:
    """Whether an event type is a view, a thing put into the cart, or a purchase."""
    joined = "_".join(tokens(event_type))
    if takes_back(event_type):
        return None
    for kind in ("cart", "buy", "view"):
        if any(
            word == joined
            or word in joined.split("_")
            or (len(word) > 3 and word in joined)
            or (not word.isascii() and word in joined)
            for word in _MEANING_WORDS[kind]
        ):
            return kind
    return None


def takes_back(event_type: str) -> bool:
    """Whether it undoes another event: `remove_from_cart`, `환불`."""
    joined = "_".join(tokens(event_type))
    return any(word in joined for word in _TAKEN_BACK)


def is_own_key(name: str, file: str, role: str) -> bool:
    """Whether a column such as `event_id` numbers the rows of its own file, and is the id of nothing else."""
    return tokens(name) in (["id"], ["event", "id"], ["order", "id"], ["session", "id"], ["transaction", "id"]) and bool(
        file and role
    )
