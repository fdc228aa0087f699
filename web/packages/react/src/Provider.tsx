import { createContext, type ReactNode, useContext, useMemo, useRef } from "react";
import { Client, type TokenSource } from "./client.js";

const Held = createContext<Client | null>(null);

/** Ownkey for the components within. For another user of the host's, give it another `key`. */
export function OwnkeyProvider({
  baseUrl,
  token,
  fetch,
  children,
}: {
  /** Where Ownkey is: `https://ownkey.example.com`. */
  baseUrl: string;
  /** Asks the host's own server for a page token of the user who is signed in there. */
  token: TokenSource;
  /** In place of the browser's. */
  fetch?: typeof globalThis.fetch;
  children: ReactNode;
}) {
  const source = useRef(token);
  source.current = token;
  const client = useMemo(() => new Client(baseUrl, () => source.current(), fetch), [baseUrl, fetch]);
  return <Held.Provider value={client}>{children}</Held.Provider>;
}

/** The same with a client that is there already. */
export function Given({ client, children }: { client: Client; children: ReactNode }) {
  return <Held.Provider value={client}>{children}</Held.Provider>;
}

export function useClient(): Client {
  const client = useContext(Held);
  if (client === null) throw new Error("Components of @ownkey/react stand within an <OwnkeyProvider>.");
  return client;
}
