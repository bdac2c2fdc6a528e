// What the pages say, in English and Korean.
const EN = {
  skip: "Skip to the content", search: "Search", searchFor: "Search the shop", cart: "Cart", theme: "Dark or light", language: "한국어로 보기",
  as: "Look around as", newVisitor: "New visitor", home: "Picked for you", homeNew: "A good place to start",
  related: "Goes well with this", popular: "Popular now", categories: "Categories", more: (name) => `More ${name}`, all: (name) => `All of ${name}`,
  results: (n, words) => `${n} found for “${words}”`, nothing: "Nothing was found.", reranked: "Ranked for you. Arrows compare with the order of the search.",
  view: "View", cartAdd: "Add to cart", inCart: "In the cart", buy: "Buy", buyAll: "Buy all", empty: "The cart is empty.", thanks: "Bought. What you bought leaves your lists.",
  soldOut: "Sold out", left: (n) => `${n} left`, back: "Back to the shop", missing: "The shop does not have this item.",
  behind: "Behind the page", open: "Behind the page", close: "Close", session: "Session", whoKnown: "Known user, proved by a token", whoNew: "Anonymous, known by this session alone",
  moved: "After your last click", nothingYet: "Click something: what moves, and why, shows here within two seconds.",
  sent: "sent", taken: "taken", changed: "list changed", unchanged: "The list stayed as it was.", waiting: "waiting to be sent",
  came: "new", gone: "left the list", why: "Why this list", from: "Answered by", campaign: "Solution", filter: "Filter", rules: "Rules",
  noRules: "no rules", untouched: "changed nothing", dropped: (n) => `${n} taken out`, reordered: (n) => `${n} moved`, added: (n) => `${n} put in`,
  fallback: "A fallback answered: Personalize did not.", degraded: "Made without:", took: (ms) => `${ms} ms`, events: "Events of this session", noEvents: "None yet.",
  failed: "The list can't be shown right now", again: "Try again", seconds: (s) => `${s} s`, position: (n) => `Place ${n}`, up: (n) => `up ${n}`, down: (n) => `down ${n}`,
  recent: "seen", items: (n) => `${n} items`,
};
const KO = {
  skip: "본문으로 건너뛰기", search: "검색", searchFor: "상품 검색", cart: "장바구니", theme: "어두운 화면 / 밝은 화면", language: "View in English",
  as: "방문자 선택", newVisitor: "새 방문자", home: "회원님을 위한 추천", homeNew: "여기서 시작해 보세요",
  related: "함께 보면 좋은 상품", popular: "지금 인기 있는 상품", categories: "카테고리", more: (name) => `${name} 더 보기`, all: (name) => `${name} 전체`,
  results: (n, words) => `“${words}” 검색 결과 ${n}개`, nothing: "검색 결과가 없습니다.", reranked: "회원님에게 맞춰 정렬했습니다. 화살표는 원래 검색 순서와의 차이입니다.",
  view: "보기", cartAdd: "장바구니에 담기", inCart: "담김", buy: "구매", buyAll: "모두 구매", empty: "장바구니가 비어 있습니다.", thanks: "구매했습니다. 구매한 상품은 목록에서 빠집니다.",
  soldOut: "품절", left: (n) => `${n}개 남음`, back: "쇼핑 계속하기", missing: "해당 상품이 없습니다.",
  behind: "추천의 이면", open: "추천의 이면", close: "닫기", session: "세션", whoKnown: "토큰으로 확인된 사용자", whoNew: "이 세션으로만 구분되는 익명 방문자",
  moved: "마지막 클릭 이후", nothingYet: "상품을 클릭해 보세요. 무엇이 왜 움직였는지 2초 안에 표시됩니다.",
  sent: "전송", taken: "수락", changed: "목록 변경", unchanged: "목록이 바뀌지 않았습니다.", waiting: "전송 대기 중",
  came: "신규", gone: "목록에서 제외", why: "이 목록의 근거", from: "응답 출처", campaign: "솔루션", filter: "필터", rules: "비즈니스 규칙",
  noRules: "규칙 없음", untouched: "변경 없음", dropped: (n) => `${n}개 제외`, reordered: (n) => `${n}개 이동`, added: (n) => `${n}개 추가`,
  fallback: "Personalize가 응답하지 않아 폴백이 응답했습니다.", degraded: "빠진 정보:", took: (ms) => `${ms}ms`, events: "이 세션의 이벤트", noEvents: "아직 없습니다.",
  failed: "지금은 목록을 표시할 수 없습니다", again: "다시 시도", seconds: (s) => `${s}초`, position: (n) => `${n}위`, up: (n) => `${n}계단 상승`, down: (n) => `${n}계단 하락`,
  recent: "본 상품", items: (n) => `상품 ${n}개`,
};
export const LANGUAGES = { en: EN, ko: KO };
export const preferred = () => localStorage.getItem("recostack language") ?? (navigator.language.startsWith("ko") ? "ko" : "en");
