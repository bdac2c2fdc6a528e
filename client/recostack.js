// The browser's side of recostack: asks for recommendations, and sends events that nothing loses.

const SHOWN = 25, LISTS = 20, BATCH = 50, KEPT = 500, FAST = 200, SLOWEST = 60_000;

/** An answer of the API that is no list. `code` and `field` are those of the API, "unreachable" where there was no answer. */
export class RecostackError extends Error {
  constructor(status, { code, message, field }) {
    super(message);
    Object.assign(this, { name: "RecostackError", status, code, field });
  }
}

/** A shop's client; see recostack.d.ts. */
export function connect({ url, key, user, sessionMinutes = 30, timeout = 5000, onError = console.error }) {
  const base = url.replace(/\/$/, ""), space = `recostack ${base} `;
  const kept = (name, otherwise) => {
    try { return JSON.parse(localStorage.getItem(space + name)) ?? otherwise; } catch { return memory[name] ?? otherwise; }
  };
  const keep = (name, value) => {
    memory[name] = value;
    try { localStorage.setItem(space + name, JSON.stringify(value)); } catch { /* no storage, or a full one: this page has it */ }
  };
  const memory = {};
  let token, timer, sending, pause = FAST, most = BATCH;

  function sessionId() {
    const now = Date.now();
    let { id, at } = kept("session", {});
    if (!id || now - at > sessionMinutes * 60_000) id = `visitor-${crypto.randomUUID()}`;
    keep("session", { id, at: now });
    return id;
  }

  async function call(method, path, body, own) {
    const headers = { "x-api-key": key, ...(body && { "Content-Type": "application/json" }) };
    const signal = own.keepalive ? undefined : AbortSignal.timeout(timeout);
    let answer, said;
    try {
      answer = await fetch(base + path, { method, headers, body, signal, ...own });
      said = await answer.json();
    } catch (error) {
      throw new RecostackError(answer?.status ?? 0, { code: "unreachable", message: String(error.message ?? error) });
    }
    if (!answer.ok) throw new RecostackError(answer.status, said.error ?? { code: "refused", message: answer.statusText });
    return [answer.status, said];
  }

  async function whom() {
    const session = { session_id: sessionId() };
    if (!user) return session;
    token ??= typeof user.token === "function" ? await user.token() : user.token;
    return { ...session, user_token: token };
  }

  async function ask(make, signal) {
    for (let attempt = 0; ; attempt++) {
      try {
        const [, list] = await call(...make(await whom()), signal ? { signal } : {});
        remember(list);
        return list;
      } catch (error) {
        token = undefined;
        if (error.code !== "token_expired" || attempt || typeof user?.token !== "function") throw error;
      }
    }
  }

  /** What was shown last comes first: an event is credited to the list in which its item was seen last. */
  function remember({ recommendation_id, items }) {
    const list = { rid: recommendation_id, ids: items.slice(0, SHOWN).map((item) => item.item_id) };
    if (list.ids.length) keep("shown", [list, ...kept("shown", [])].slice(0, LISTS));
  }

  function track(type, { itemId, value, properties } = {}) {
    const shown = itemId && kept("shown", []).find((list) => list.ids.includes(itemId));
    const event = {
      event_id: crypto.randomUUID(), event_type: type, session_id: sessionId(), timestamp: Date.now() / 1000,
      user_id: user?.id, item_id: itemId, event_value: value, properties,
      recommendation_id: shown?.rid, impression: shown?.ids,
    };
    keep("queue", [...kept("queue", []), event].slice(-KEPT));
    soon();
    return event.event_id;
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(flush, pause);
  }

  /** Send what waits; an event that was sent twice counts once, by its event_id. */
  function flush() {
    return sending ??= send().finally(() => { sending = undefined; });
  }

  async function send() {
    for (let events; (events = kept("queue", []).slice(0, most)).length;) {
      let failed = [];
      try {
        const body = JSON.stringify({ events });
        const [status, said] = await call("POST", "/events", body, { keepalive: body.length < 60_000 });
        failed = status === 207 ? said.failed : [];
      } catch (error) {
        const broken = error.status === 400 || error.status === 413;
        if (broken && events.length > 1) { most = 1; continue; } // find the one that is refused
        if (!broken) failed = [...events.keys()];
        if (broken || error.status === 403) onError(error);
      }
      const done = new Set(events.filter((_, index) => !failed.includes(index)).map((event) => event.event_id));
      keep("queue", kept("queue", []).filter((event) => !done.has(event.event_id)));
      pause = failed.length ? Math.min(pause * 2, SLOWEST) : FAST;
      if (failed.length) return soon();
    }
    most = BATCH;
  }

  const again = () => { pause = FAST; flush(); };
  const leave = () => document.visibilityState === "hidden" && flush();
  addEventListener("online", again);
  addEventListener("pagehide", flush);
  document.addEventListener("visibilitychange", leave);
  if (kept("queue", []).length) soon();

  return {
    track, flush,
    recommend(placement, { itemId, numResults, explain, filter = {}, context = {}, signal } = {}) {
      return ask((who) => {
        const query = new URLSearchParams(who);
        const own = { item_id: itemId, num_results: numResults, explain, ...filter };
        for (const [name, value] of Object.entries(context)) own[`context.${name}`] = value;
        for (const [name, values] of Object.entries(own))
          for (const value of [values ?? []].flat()) query.append(name, value);
        return ["GET", `/recommendations/${encodeURIComponent(placement)}?${query}`, undefined];
      }, signal);
    },
    rank(placement, itemIds, { explain, filter, context, signal } = {}) {
      return ask((who) => {
        const body = { ...who, item_ids: itemIds, explain, filter_values: filter, context };
        return ["POST", `/rankings/${encodeURIComponent(placement)}`, JSON.stringify(body)];
      }, signal);
    },
    /** Events from now on are the user's. The session goes on, so that Personalize learns that the visitor was this user. */
    signIn(known) { user = known; token = undefined; },
    /** The next events are a new visitor's, whom nothing ties to the user. */
    signOut() { user = token = undefined; keep("session", {}); keep("shown", []); },
    get sessionId() { return sessionId(); },
    get waiting() { return kept("queue", []).length; },
    close() {
      clearTimeout(timer);
      removeEventListener("online", again);
      removeEventListener("pagehide", flush);
      document.removeEventListener("visibilitychange", leave);
    },
  };
}
