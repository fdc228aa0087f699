import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect } from "react";
import { Navigate, useLocation } from "react-router";
import { api, rememberProof, type Shape, told, whenSignedOut } from "../api/client";
import { asProblem } from "../api/problem";
import { Failed, Waiting } from "../parts/States";

export type Person = Shape<"CurrentShape">["user"];

export const SESSION = ["session"] as const;

const Context = createContext<Person | null>(null);

/** Whoever is signed in. Only within views that are for them. */
export function usePerson(): Person {
  const person = useContext(Context);
  if (person === null) throw new Error("a view that is for nobody asks who is there");
  return person;
}

/** Whether they keep what is everybody's. */
export function useKeeper(): boolean {
  const { role } = usePerson();
  return role === "owner" || role === "admin";
}

export async function readSession(): Promise<Shape<"CurrentShape">> {
  const current = await told(api.GET("/api/byok/sessions/current"));
  rememberProof(current.csrf);
  return current;
}

/** What is inside for who is signed in; the others are asked to, and come back to where they wanted to go. */
export function SignedIn({ children }: { children: ReactNode }) {
  const place = useLocation();
  const queries = useQueryClient();
  useEffect(() => {
    whenSignedOut(looking(queries));
    return () => whenSignedOut(() => undefined);
  }, [queries]);
  const session = useQuery({
    queryKey: SESSION,
    queryFn: readSession,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  if (session.data) return <Context.Provider value={session.data.user}>{children}</Context.Provider>;
  if (!session.isError) return <Waiting rows={6} />;
  if (asProblem(session.error).signedOut) {
    return <Navigate to="/sign-in" replace state={{ from: place.pathname + place.search }} />;
  }
  return <Failed error={session.error} retry={() => void session.refetch()} />;
}

/** Looks, once at a time, whether the session is over: a wrong password is answered alike. */
function looking(queries: QueryClient): () => void {
  let asked = false;
  return () => {
    if (asked || queries.getQueryData(SESSION) === undefined) return;
    asked = true;
    void readSession()
      .catch(async (error) => {
        if (asProblem(error).signedOut) await queries.resetQueries({ queryKey: SESSION });
      })
      .finally(() => {
        asked = false;
      });
  };
}
