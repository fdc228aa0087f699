import { useEffect, useState } from "react";
import type { ChatRequest } from "../../api/chat";
import { isAbort } from "../../api/chat";
import { asProblem, type Problem } from "../../api/problem";
import { type Quoted, quote } from "../../api/quote";
import { busy, type Talk } from "./store";
import { fieldsOf, messagesOf, type Prompt } from "./talk";

const TYPING_MS = 350;
const HEAVY_MS = 900;

export type Price = { lane: string; model: string } & ({ quoted: Quoted } | { problem: Problem });

/** What sending this would cost in each lane, asked once the person rests; null where there is nothing to send yet, or
 * an answer comes that would be sent with it. */
export function usePrices(talk: Talk, prompt: Prompt): readonly Price[] | null {
  const [prices, setPrices] = useState<readonly Price[] | null>(null);
  const { lanes, turns, settings } = talk;
  const told = !busy(talk) && (prompt.text.trim() !== "" || prompt.attached.length > 0);
  // The turns are new as well where the book has told what they cost.
  const whole = turns.map((turn) => JSON.stringify(turn.shown) + Object.keys(turn.takes).length).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: `whole` stands for the turns
  useEffect(() => {
    if (!told) {
      setPrices(null);
      return;
    }
    const stopper = new AbortController();
    const ask = async () => {
      const found = await Promise.all(
        lanes
          .filter((lane) => lane.model)
          .map(async (lane): Promise<Price> => {
            const named = { lane: lane.id, model: lane.model };
            try {
              const messages = await messagesOf(settings, turns, lane.id, prompt);
              return { ...named, quoted: await one({ ...fieldsOf(settings), messages }, lane.model, stopper.signal) };
            } catch (error) {
              if (isAbort(error)) throw error;
              return { ...named, problem: asProblem(error) };
            }
          }),
      );
      if (!stopper.signal.aborted) setPrices(found);
    };
    const heavy = prompt.attached.some((file) => file.kind === "picture");
    const timer = window.setTimeout(() => void ask().catch(() => undefined), heavy ? HEAVY_MS : TYPING_MS);
    return () => {
      window.clearTimeout(timer);
      stopper.abort();
    };
  }, [told, prompt, lanes, settings, whole]);
  return told ? prices : null;
}

async function one(request: Omit<ChatRequest, "model">, model: string, signal: AbortSignal): Promise<Quoted> {
  const [found] = await quote(request, [model], { signal });
  if (found === undefined) throw new Error("No price was told.");
  return found;
}
