import { Text } from "@mantine/core";
import { useEffect, useId, useRef } from "react";
import type { Problem } from "../../api/problem";
import classes from "./Providers.module.css";

const LINE_PX = 20;
const PADDING_PX = 8;
const LEAST = 12;

/** A file's text with the numbers of its lines; what is wrong in it stands beside its line. */
export function TomlArea({
  label,
  value,
  change,
  problem,
}: {
  label: string;
  value: string;
  change: (text: string) => void;
  problem: Problem | null;
}) {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const lines = Math.max(LEAST, value.split("\n").length);
  const wrong = problem?.line ?? null;
  useEffect(() => {
    if (wrong !== null) goTo(area.current, wrong);
  }, [wrong]);
  return (
    <div>
      <label htmlFor={id}>
        <Text span fw={500}>
          {label}
        </Text>
      </label>
      <div className={classes.toml}>
        {wrong !== null && <div className={classes.band} style={{ top: PADDING_PX + (wrong - 1) * LINE_PX }} />}
        <ol className={classes.numbers} aria-hidden>
          {Array.from({ length: lines }, (_, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number
            <li key={at} data-wrong={at + 1 === wrong || undefined}>
              {at + 1}
            </li>
          ))}
        </ol>
        <textarea
          id={id}
          ref={area}
          className={classes.text}
          rows={lines}
          value={value}
          onChange={(event) => change(event.currentTarget.value)}
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          wrap="off"
          aria-invalid={problem !== null}
          aria-describedby={`${id}-problem`}
        />
      </div>
      <Text id={`${id}-problem`} role="alert" size="sm" c="var(--bad)" mt={4} style={{ overflowWrap: "anywhere" }}>
        {problem &&
          (wrong === null || problem.said.includes(`line ${wrong}`) ? problem.said : `Line ${wrong}: ${problem.said}`)}
      </Text>
    </div>
  );
}

/** To the beginning of that line, where one goes on typing. */
function goTo(area: HTMLTextAreaElement | null, line: number): void {
  if (area === null) return;
  const before = area.value
    .split("\n")
    .slice(0, line - 1)
    .join("\n");
  const at = before.length + (line > 1 ? 1 : 0);
  area.focus();
  area.setSelectionRange(at, at);
}
