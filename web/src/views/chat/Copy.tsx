import { Button } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { useSay } from "../../parts/Said";

const SHOWN_MS = 2_000;

export function Copy({ text, what }: { text: string; what: string }) {
  const say = useSay();
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = window.setTimeout(() => setDone(false), SHOWN_MS);
    return () => window.clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
    } catch {
      say("This browser does not let the page copy. Mark the text and copy it yourself.");
    }
  };
  return (
    <Button
      size="compact-xs"
      variant="subtle"
      color="gray"
      aria-label={done ? "Copied" : `Copy ${what}`}
      leftSection={done ? <IconCheck size={14} aria-hidden /> : <IconCopy size={14} aria-hidden />}
      onClick={() => void copy()}
    >
      {done ? "Copied" : "Copy"}
    </Button>
  );
}
