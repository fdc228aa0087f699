import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { type Answer, grown, NOTHING } from "../../api/answer";
import { chat, isAbort } from "../../api/chat";
import { api, told } from "../../api/client";
import { type Run, settled } from "../../api/run";

/** Of an answer, in tokens: more than a first one takes, and little money. */
export const LONGEST = 1024;

/** What an answer cost, and what is left of the tightest limit in dollars; null where there is none. */
export interface Cost {
  run: Run;
  leftNano: number | null;
}

/** One question to one model. */
export function useTalk(model: string, answered: () => void = () => undefined) {
  const queries = useQueryClient();
  const [answer, setAnswer] = useState<Answer>(NOTHING);
  const [cost, setCost] = useState<Cost | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const stopping = useRef<AbortController | null>(null);
  useEffect(() => () => stopping.current?.abort(), []);
  const asked = useRef("");
  const ask = async (prompt: string, consent?: string) => {
    asked.current = prompt;
    stopping.current?.abort();
    const stop = new AbortController();
    const { signal } = stop;
    stopping.current = stop;
    setBusy(true);
    setError(null);
    setCost(null);
    setAnswer(NOTHING);
    let whole = NOTHING;
    const messages = [{ role: "user" as const, content: prompt }];
    try {
      const request = { model, messages, max_completion_tokens: LONGEST };
      for await (const piece of chat(request, { signal, carryOn: false, consent })) {
        whole = grown(whole, piece);
        setAnswer(whole);
      }
      answered();
    } catch (problem) {
      if (!isAbort(problem)) setError(problem);
    } finally {
      if (stopping.current === stop) setBusy(false);
    }
    // What was stopped, or broke off, has cost something as well.
    if (whole.by) setCost(await costOf(whole.by.run));
    await queries.invalidateQueries({ queryKey: ["budgets"] });
  };
  const again = (consent?: string) => ask(asked.current, consent);
  return { answer, cost, error, busy, ask, again, stop: () => stopping.current?.abort() };
}

async function costOf(id: string): Promise<Cost | null> {
  const run = await settled(id).catch(() => null);
  if (run === null) return null;
  const found = await told(api.GET("/api/byok/budgets")).catch(() => null);
  const lefts = found?.budgets.filter((one) => one.unit === "usd").flatMap((one) => one.left ?? []) ?? [];
  return { run, leftNano: lefts.length > 0 ? Math.min(...lefts) : null };
}
