import { Problem, problemOf } from "../../../src/api/problem.js";
import type { components } from "../../../src/api/schema.js";

/** A shape of the API's by its name. */
export type Shape<Name extends keyof components["schemas"]> = components["schemas"][Name];

/** Where a page token comes from: the host asks its own server for one. */
export type TokenSource = () => Promise<string>;

type Method = "GET" | "POST" | "PUT" | "DELETE";

/** Asks Ownkey for one user of the host's. The token is kept in memory, asked for when first needed, and once more where
 * it is over. Whatever is no success is thrown, as a `Problem`. */
export class Client {
  readonly #base: string;
  readonly #source: TokenSource;
  readonly #fetch: typeof fetch;
  readonly #listeners = new Set<() => void>();
  #token: Promise<string> | null = null;
  #version = 0;

  constructor(baseUrl: string, source: TokenSource, by?: typeof fetch) {
    this.#base = baseUrl.replace(/\/+$/, "");
    this.#source = source;
    this.#fetch = by ?? ((...given) => globalThis.fetch(...given));
  }

  /** As people read it: `ownkey.example.com`. */
  get host(): string {
    return URL.canParse(this.#base) ? new URL(this.#base).host : this.#base;
  }

  get<Data>(path: string, signal?: AbortSignal): Promise<Data> {
    return this.#ask("GET", path, undefined, signal);
  }

  send<Data>(method: Exclude<Method, "GET">, path: string, body?: unknown, signal?: AbortSignal): Promise<Data> {
    return this.#ask(method, path, body, signal);
  }

  /** How often keys have changed. */
  readonly version = (): number => this.#version;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Keys were saved or removed: every component looks again. */
  changed(): void {
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }

  async #ask<Data>(method: Method, path: string, body: unknown, signal?: AbortSignal): Promise<Data> {
    const first = this.#held();
    let answer = await this.#once(method, path, await first, body, signal);
    if (answer.status === 401) {
      if (this.#token === first) this.#token = null;
      answer = await this.#once(method, path, await this.#held(), body, signal);
    }
    if (!answer.ok) throw await problemOf(answer);
    return answer.json();
  }

  #held(): Promise<string> {
    if (this.#token) return this.#token;
    const asked = this.#source().catch((error: unknown) => {
      if (this.#token === asked) this.#token = null;
      throw new Problem({
        status: 401,
        message: "This page was given no token for Ownkey. Reload it, or sign in again.",
        body: error,
      });
    });
    this.#token = asked;
    return asked;
  }

  async #once(method: Method, path: string, token: string, body: unknown, signal?: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    try {
      return await this.#fetch(this.#base + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: "omit",
        cache: "no-store",
        referrerPolicy: "no-referrer",
        signal,
      });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw this.#silent();
    }
  }

  // A browser tells no page why it may not read an answer (Fetch Standard, section 3.2).
  #silent(): Problem {
    return new Problem({
      status: 0,
      kind: "offline",
      message:
        `Ownkey at ${this.host} gave this page no answer. Either it does not run, or its setting OWNKEY_PAGE_ORIGINS ` +
        `does not name ${globalThis.location?.origin ?? "this page's origin"}.`,
    });
  }
}
