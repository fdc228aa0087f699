import { useSyncExternalStore } from "react";
import type { Prompt } from "./talk";

export const NO_PROMPT: Prompt = { text: "", attached: [] };

/** What was typed and not sent, for who looks at another view and comes back. Apart from the conversation, which would
 * be drawn anew with each letter. */
let draft: Prompt = NO_PROMPT;
const listeners = new Set<() => void>();

export function useDraft(): Prompt {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => draft,
  );
}

export function setDraft(change: (old: Prompt) => Prompt): void {
  draft = change(draft);
  for (const listener of listeners) listener();
}

/** What was not sent after all, before what has been typed since. */
export function putBack({ text, attached }: Prompt): void {
  setDraft((old) => ({
    text: [text, old.text].filter(Boolean).join("\n"),
    attached: [...attached, ...old.attached],
  }));
}

/** It is nobody else's. */
export function dropDraft(): void {
  for (const one of draft.attached) if (one.url) URL.revokeObjectURL(one.url);
  setDraft(() => NO_PROMPT);
}
