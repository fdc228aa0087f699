import { useQueryClient } from "@tanstack/react-query";
import { useLocation, useNavigate } from "react-router";
import { api, rememberProof, type Shape, told } from "../../api/client";

export type Entered = Shape<"EnteredShape">;
export type Answer = Entered | Shape<"CodeWanted">;
export type Enter = (entered: Pick<Entered, "csrf">) => Promise<void>;

const FROM = "ownkey-from";

/** Where somebody wanted to be; a page of somebody else's is no such place. */
export function useFrom(): string | null {
  const state: unknown = useLocation().state;
  const said = state !== null && typeof state === "object" && "from" in state ? state.from : null;
  return here(said) ?? here(window.sessionStorage.getItem(FROM));
}

function here(path: unknown): string | null {
  return typeof path === "string" && /^\/[^/\\]/.test(path) ? path : null;
}

/** Keeps it while somebody signs in on another page. */
export function keepFrom(from: string | null): void {
  if (from !== null) window.sessionStorage.setItem(FROM, from);
}

/** Goes on to where somebody wanted to be: without such a place to the first steps, until they are done. */
export function useEnter(): Enter {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const from = useFrom();
  return async (entered) => {
    rememberProof(entered.csrf);
    window.sessionStorage.removeItem(FROM);
    // What somebody else read here before is not theirs.
    queries.clear();
    await navigate(from ?? (await firstView()), { replace: true });
  };
}

async function firstView(): Promise<string> {
  try {
    const { done } = await told(api.GET("/api/byok/onboarding"));
    return done ? "/" : "/welcome";
  } catch {
    return "/";
  }
}
