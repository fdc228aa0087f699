import { Button, Group, Stack, Text, Textarea } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { consentOf } from "../../api/chat";
import { asProblem } from "../../api/problem";
import { isQuote, quote } from "../../api/quote";
import { single } from "../../parts/clicks";
import { Money } from "../../parts/Figures";
import { type Acts, Failed } from "../../parts/States";
import { costSaid } from "./cost";
import { LONGEST, useTalk } from "./talk";
import classes from "./Welcome.module.css";

const READY = "In two sentences: what can I use you for?";

/** One question and its answer: the price before, the cost after. `children` says who is asked. */
export function Conversation({
  model,
  acts,
  answered,
  children,
}: {
  model: string;
  acts?: Acts;
  answered?: () => void;
  children: ReactNode;
}) {
  const [prompt, setPrompt] = useState(READY);
  const talk = useTalk(model, answered);
  const { answer, cost, error, busy } = talk;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (prompt.trim() !== "") void talk.ask(prompt);
  };
  const consent = error === null ? null : consentOf(asProblem(error));
  return (
    <Stack gap="md">
      {children}
      <form onSubmit={submit}>
        <Textarea
          label="Your question"
          autosize
          minRows={2}
          maxRows={8}
          value={prompt}
          onChange={(event) => setPrompt(event.currentTarget.value)}
        />
        <Group justify="space-between" mt="xs">
          <Price model={model} prompt={prompt} />
          {busy ? (
            // Another element than Ask: changed into that while it is clicked, it would send the form.
            <Button key="stop" variant="default" onClick={single(talk.stop)}>
              Stop
            </Button>
          ) : (
            <Button
              key="ask"
              type="submit"
              variant={cost ? "default" : "filled"}
              disabled={prompt.trim() === ""}
              onClick={single(() => undefined)}
            >
              Ask
            </Button>
          )}
        </Group>
      </form>
      {(busy || answer.text || answer.refusal) && (
        <section className="card" aria-label="The answer" aria-busy={busy}>
          <Text className={classes.answer}>{answer.text || answer.refusal || "…"}</Text>
        </section>
      )}
      {error !== null && (
        <Failed error={error} retry={() => void talk.again()} acts={acts}>
          {chargedSaid(answer.text !== "")}
        </Failed>
      )}
      {consent && (
        <Button variant="default" onClick={() => void talk.again(consent.token)}>
          Ask all the same
        </Button>
      )}
      <Text role="status" fw={500} className="figures" mih={22}>
        {cost && costSaid(cost)}
      </Text>
    </Stack>
  );
}

function chargedSaid(began: boolean): string {
  return began ? "What had come is above; it may be charged." : "Nothing was answered, and nothing was charged.";
}

/** What it would cost, under the question as it is written. */
function Price({ model, prompt }: { model: string; prompt: string }) {
  const [settled] = useDebouncedValue(prompt, 250);
  const quoted = useQuery({
    queryKey: ["quote", model, settled],
    queryFn: ({ signal }) =>
      quote({ messages: [{ role: "user", content: settled }], max_completion_tokens: LONGEST }, [model], { signal }),
    enabled: settled.trim() !== "",
    placeholderData: keepPreviousData,
    gcTime: 0,
  });
  const [found] = quoted.data ?? [];
  return (
    <Text size="sm" className="quiet figures" role="status" mih={20}>
      {isQuote(found) && <Amounts expected={found.expected} most={found.most} />}
      {found && !isQuote(found) && found.error.message}
      {quoted.isError && "What it would cost cannot be told just now."}
    </Text>
  );
}

function Amounts({ expected, most }: { expected: number | null; most: number | null }) {
  if (expected === null || most === null) return "Nobody knows what it will cost.";
  if (most === 0) return "Free";
  return (
    <>
      <Money nanoUsd={expected} about />, <Money nanoUsd={most} most />
    </>
  );
}
