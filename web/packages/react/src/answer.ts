import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { asProblem, type Problem } from "../../../src/api/problem.js";
import type { Client } from "./client.js";
import { useClient } from "./Provider.js";

/** What was asked for: `data` stays while it is asked for again. */
export interface Answer<Data> {
  readonly data: Data | null;
  readonly problem: Problem | null;
  readonly busy: boolean;
  /** Asks again. */
  readonly again: () => void;
}

interface State<Data> {
  data: Data | null;
  problem: Problem | null;
  busy: boolean;
}

/** Asks as soon as it is drawn, and again where keys have changed or `load` is another function. */
export function useAnswer<Data>(load: (client: Client, signal: AbortSignal) => Promise<Data>): Answer<Data> {
  const client = useClient();
  const version = useSyncExternalStore(client.subscribe, client.version, client.version);
  const [asked, setAsked] = useState(0);
  const [state, setState] = useState<State<Data>>({ data: null, problem: null, busy: true });
  // biome-ignore lint/correctness/useExhaustiveDependencies: both only say that it is to be asked again
  useEffect(() => {
    const stop = new AbortController();
    setState((before) => ({ ...before, problem: null, busy: true }));
    load(client, stop.signal)
      .then((data) => !stop.signal.aborted && setState({ data, problem: null, busy: false }))
      .catch((error: unknown) => {
        if (!stop.signal.aborted) setState((before) => ({ ...before, problem: asProblem(error), busy: false }));
      });
    return () => stop.abort();
  }, [client, load, version, asked]);
  const again = useCallback(() => setAsked((before) => before + 1), []);
  return { ...state, again };
}
