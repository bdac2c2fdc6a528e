/** A user whom the shop knows. `token` proves it: the shop's server makes it (docs/serving.md), at once or when asked. */
export interface User {
  id: string;
  token: string | (() => string | Promise<string>);
}

export interface Options {
  /** The base URL of the browsers' API: the stack's output `BrowserApiUrl`. */
  url: string;
  /** The browsers' API key, which may stand in a page. */
  key: string;
  /** Without one the visitor is anonymous, known by the session alone. */
  user?: User;
  /** Minutes without a call or an event after which a new session begins; 30 unless given. */
  sessionMinutes?: number;
  /** Milliseconds after which `recommend` and `rank` give up; 5000 unless given. */
  timeout?: number;
  /** Told of events that the API refuses for good, and of a key that it does not take. */
  onError?: (error: RecostackError) => void;
}

export interface Item {
  item_id: string;
  score?: number;
  reason?: string[];
  source?: string;
  attributes: Record<string, unknown>;
}

export interface RuleEffect {
  rule: string;
  dropped: string[];
  moved: string[];
  added: string[];
  refused: Record<string, string>;
}

/** What a placement answers; every member is that of the HTTP API. */
export interface List {
  placement: string;
  source: string;
  items: Item[];
  requested: number;
  returned: number;
  recommendation_id?: string;
  experiment?: string;
  variant?: string;
  filtered?: string[];
  degraded?: string[];
  explain?: RuleEffect[];
}

export interface RankOptions {
  /** Which business rules did what. Only deployments with a storefront tell it to browsers. */
  explain?: boolean;
  /** Values of the placement's filter, by parameter. */
  filter?: Record<string, string | string[]>;
  context?: Record<string, string>;
  signal?: AbortSignal;
}

export interface RecommendOptions extends RankOptions {
  itemId?: string;
  numResults?: number;
}

export interface EventDetails {
  itemId?: string;
  value?: number;
  properties?: Record<string, string | number | boolean | null>;
}

export interface Client {
  /** Rejects with RecostackError. The list is remembered: events of its items carry its `recommendation_id` and impression. */
  recommend(placement: string, options?: RecommendOptions): Promise<List>;
  /** The given items (1 to 500) in the order that suits the visitor. */
  rank(placement: string, itemIds: string[], options?: RankOptions): Promise<List>;
  /** Queues an event and returns its id. It is sent within 200 ms, or later: the queue survives reloads and being offline. */
  track(type: string, details?: EventDetails): string;
  /** Sends what waits now. */
  flush(): Promise<void>;
  signIn(user: User): void;
  signOut(): void;
  readonly sessionId: string;
  /** Events that the API has not taken yet. */
  readonly waiting: number;
  /** Stops sending; what waits is sent by the next `connect`. */
  close(): void;
}

export class RecostackError extends Error {
  status: number;
  code: string;
  field?: string;
}

export function connect(options: Options): Client;
