import { Button, Stack, Text, Textarea } from "@mantine/core";
import { type FormEvent, useState } from "react";
import classes from "./Chat.module.css";
import { giveResults } from "./store";
import type { Step, Take, Turn } from "./talk";

/** The functions that a model wants called, with a field for what each gives; with all of them it goes on. */
export function Calls(props: { turn: Turn; lane: string; take: Take; step: Step; open: boolean }) {
  const { turn, lane, take, step, open } = props;
  const [results, setResults] = useState<Readonly<Record<string, string>>>(step.results);
  const go = (event: FormEvent) => {
    event.preventDefault();
    void giveResults(turn, lane, take, results);
  };
  return (
    <form onSubmit={go}>
      <Stack gap="sm" mb="sm">
        {step.answer.calls.map((call) => (
          <div key={call.id} className="card">
            <Text size="sm">
              It calls <code>{call.name}</code>
            </Text>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
            <pre className={classes.arguments} tabIndex={0}>
              {pretty(call.arguments)}
            </pre>
            <Textarea
              label={`What ${call.name} gives`}
              autosize
              minRows={1}
              maxRows={8}
              disabled={!open}
              value={open ? (results[call.id] ?? "") : (step.results[call.id] ?? "")}
              onChange={(event) => {
                const { value } = event.currentTarget;
                setResults((old) => ({ ...old, [call.id]: value }));
              }}
            />
          </div>
        ))}
        {open && (
          <Button type="submit" style={{ alignSelf: "flex-start" }}>
            {step.answer.calls.length > 1 ? "Give results" : "Give result"}
          </Button>
        )}
      </Stack>
    </form>
  );
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
