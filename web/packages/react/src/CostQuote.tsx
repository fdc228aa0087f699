import { useEffect, useState, useSyncExternalStore } from "react";
import { asProblem, type Problem } from "../../../src/api/problem.js";
import { money, nano } from "../../../src/parts/figures.js";
import { useClient } from "./Provider.js";
import { Failed } from "./States.js";

const REST_MS = 350;

/** Dollars as text, exactly; null where the price is not known. */
interface Told {
  readonly error?: { readonly message: string } | null;
  readonly expected_usd: string | null;
  readonly ceiling_usd: string | null;
  readonly says: string;
}

/** What a prompt would cost, as it is typed: "about $0.002, at most $0.011". Nothing is sent to a provider. */
export function CostQuote({
  model,
  prompt,
  maxTokens,
}: {
  /** `provider/model`. */
  model: string | null;
  prompt: string;
  /** The longest answer, in tokens. */
  maxTokens?: number;
}) {
  const client = useClient();
  const version = useSyncExternalStore(client.subscribe, client.version, client.version);
  const [says, setSays] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: keys that have changed make it another quote
  useEffect(() => {
    const stop = new AbortController();
    const ask = async () => {
      const content = [{ role: "user", content: prompt }];
      const request = { model, messages: content, ...(maxTokens && { max_completion_tokens: maxTokens }) };
      const path = "/api/byok/quote";
      const told = await client.send<{ quotes: readonly Told[] }>("POST", path, { request }, stop.signal);
      setSays(read(told.quotes[0]));
      setProblem(null);
    };
    const timer = setTimeout(() => {
      if (!model || prompt.trim() === "") {
        setSays("");
        setProblem(null);
        return;
      }
      ask().catch((error: unknown) => {
        if (stop.signal.aborted) return;
        setSays("");
        setProblem(asProblem(error));
      });
    }, REST_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [client, version, model, prompt, maxTokens]);
  return (
    <div className="ownkey ownkey-quote">
      <p role="status">{says}</p>
      {problem && <Failed problem={problem} />}
    </div>
  );
}

function read(told: Told | undefined): string {
  if (told === undefined) return "";
  if (told.error) return told.error.message;
  const most = nano(told.ceiling_usd);
  const expected = nano(told.expected_usd);
  if (most === 0) return "free";
  if (most === null || expected === null) return told.says;
  return `about ${money(expected)}, at most ${money(most)}`;
}
