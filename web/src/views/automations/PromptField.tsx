import { Input, Text } from "@mantine/core";
import { useId } from "react";
import { pieces } from "./known";
import classes from "./PromptField.module.css";

/** A prompt to be written, in which what stands in braces is seen to be a field. */
export function PromptField({
  label,
  description,
  value,
  change,
  required,
}: {
  label: string;
  description?: string;
  value: string;
  change: (text: string) => void;
  required?: boolean;
}) {
  const id = useId();
  return (
    <Input.Wrapper label={label} description={description} id={id} required={required}>
      <div className={classes.field}>
        <div className={classes.shown} aria-hidden>
          <Marked text={`${value}\n`} />
        </div>
        <textarea
          id={id}
          className={classes.text}
          value={value}
          onChange={(event) => change(event.currentTarget.value)}
          required={required}
          aria-describedby={description ? `${id}-description` : undefined}
        />
      </div>
    </Input.Wrapper>
  );
}

/** The same to be read. */
export function Prompt({ text }: { text: string }) {
  return (
    <Text size="sm" className={classes.prompt}>
      <Marked text={text} />
    </Text>
  );
}

function Marked({ text }: { text: string }) {
  return pieces(text).map((piece, at) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: a piece is what stands at its place
    at % 2 === 1 ? <mark key={at}>{piece}</mark> : <span key={at}>{piece}</span>,
  );
}
