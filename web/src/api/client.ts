import createClient, { type Middleware } from "openapi-fetch";
import { Problem, problemOf } from "./problem";
import type { components, paths } from "./schema";

/** A shape of the API's by its name. */
export type Shape<Name extends keyof components["schemas"]> = components["schemas"][Name];

const CSRF = "x-ownkey-csrf";
const SAFE = new Set(["GET", "HEAD"]);

let proof: string | null = null;

/** What proves that a request comes from this page: told at sign-in. */
export function rememberProof(csrf: string | null): void {
  proof = csrf;
}

/** The headers that a request which changes something needs, for what is no part of the API: the gateway. */
export function proofHeaders(): Record<string, string> {
  return proof === null ? {} : { [CSRF]: proof };
}

let signedOut: () => void = () => undefined;

/** What is done where an answer says that nobody is signed in. */
export function whenSignedOut(act: () => void): void {
  signedOut = act;
}

/** Asks the person for the password again; true once they have shown it. */
type Prove = () => Promise<boolean>;

let prove: Prove | null = null;

/** Who asks where a request wants a fresh proof; the frame does, while it is drawn. */
export function proveBy(by: Prove | null): void {
  prove = by;
}

/** Asks now, before something that is done later; true once they have shown it. */
export async function proveNow(): Promise<boolean> {
  return prove !== null && (await prove());
}

const copies = new Map<string, Request>();

const manners: Middleware = {
  onRequest({ request, id }) {
    if (proof !== null && !SAFE.has(request.method)) request.headers.set(CSRF, proof);
    if (!SAFE.has(request.method)) copies.set(id, request.clone());
    return request;
  },
  async onResponse({ response, id }) {
    const copy = copies.get(id);
    copies.delete(id);
    if (response.ok) return undefined;
    if (response.status === 401) signedOut();
    const problem = await problemOf(response);
    if (problem.code !== "proof_required" || prove === null || copy === undefined) throw problem;
    if (!(await prove())) throw problem;
    const again = await fetch(copy);
    if (!again.ok) throw await problemOf(again);
    return again;
  },
  onError({ error, id }) {
    copies.delete(id);
    return error instanceof Problem || (error instanceof DOMException && error.name === "AbortError")
      ? (error as Error)
      : Problem.unreachable();
  },
};

/** The management API. Whatever is no success is thrown, as a `Problem`. */
export const api = createClient<paths>({ baseUrl: window.location.origin, credentials: "same-origin" });
api.use(manners);

/** What a call answered, where it is sure to have answered something. */
export async function told<Data>(call: Promise<{ data?: Data }>): Promise<Data> {
  const { data } = await call;
  if (data === undefined) throw new Problem({ status: 0, message: "The server answered nothing." });
  return data;
}
