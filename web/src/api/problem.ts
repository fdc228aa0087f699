import { onPage, type Way } from "./words";

/** What the server offers a person to do about an error. */
export type Action = "reenter_key" | "wait" | "choose_model" | "provider_settings" | "retry";

interface Said {
  status: number;
  message: string;
  kind?: string;
  code?: string;
  param?: string | null;
  provider?: string | null;
  notice?: string;
  action?: Action;
  line?: number | null;
  retryAfterS?: number;
  request?: string | null;
  body?: unknown;
}

/** An error as the API tells it; `notice` is what to say to a person, where there is something better than `message`. */
export class Problem extends Error {
  readonly status: number;
  readonly kind: string;
  readonly code: string;
  readonly param: string | null;
  readonly provider: string | null;
  readonly notice: string | null;
  readonly action: Action | null;
  readonly line: number | null;
  readonly retryAfterS: number | null;
  /** Of the gateway's: the run, as the book knows it where something was sent. */
  readonly request: string | null;
  /** The whole answer, for what stands in it besides: what a consent is asked for. */
  readonly body: unknown;

  constructor(said: Said) {
    super(said.message);
    this.name = "Problem";
    this.status = said.status;
    this.kind = said.kind ?? "";
    this.code = said.code ?? "";
    this.param = said.param ?? null;
    this.provider = said.provider ?? null;
    this.notice = said.notice ?? null;
    this.action = said.action ?? null;
    this.line = said.line ?? null;
    this.retryAfterS = said.retryAfterS ?? null;
    this.request = said.request ?? null;
    this.body = said.body;
  }

  /** What a person reads. */
  get said(): string {
    return this.notice ?? onPage(this.message).says;
  }

  /** Where it is mended, as far as its words tell. */
  get way(): Way | null {
    return this.notice === null ? onPage(this.message).way : null;
  }

  get signedOut(): boolean {
    return this.status === 401;
  }

  static unreachable(): Problem {
    return new Problem({
      status: 0,
      kind: "offline",
      message: "Ownkey does not answer. Look whether it still runs; nothing that you typed is lost.",
    });
  }
}

export async function problemOf(response: Response): Promise<Problem> {
  const status = response.status;
  const wait = Number(response.headers.get("retry-after"));
  const retryAfterS = Number.isFinite(wait) && wait > 0 ? wait : undefined;
  const body = await response.json().catch(() => null);
  const error = body?.error;
  const request = response.headers.get("x-request-id");
  if (typeof error?.message === "string") return new Problem({ ...error, status, retryAfterS, request, body });
  return new Problem({ status, retryAfterS, message: `The server answered ${status}, and not why.` });
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem({ status: 0, message: error instanceof Error ? error.message : "Something went wrong." });
}
