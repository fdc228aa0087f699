import { Button, CloseButton, Group, Paper, Text } from "@mantine/core";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useRef, useState } from "react";

interface Saying {
  text: string;
  /** What takes it back, for as long as it is shown. */
  undo?: () => void;
}

const Context = createContext<(saying: Saying | string) => void>(() => undefined);
const SHOWN_MS = 10_000;

/** Says that something was done, for ten seconds; a screen reader hears it. */
export function useSay(): (saying: Saying | string) => void {
  return useContext(Context);
}

export function SaidBar({ children }: { children: ReactNode }) {
  const [saying, setSaying] = useState<Saying | null>(null);
  const timer = useRef<number | undefined>(undefined);
  const say = useCallback((next: Saying | string) => {
    window.clearTimeout(timer.current);
    setSaying(typeof next === "string" ? { text: next } : next);
    timer.current = window.setTimeout(() => setSaying(null), SHOWN_MS);
  }, []);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  return (
    <Context.Provider value={say}>
      {children}
      <div role="status" aria-live="polite" className="said">
        {saying && (
          <Paper withBorder p="xs" pl="md" shadow="sm">
            <Group gap="sm" wrap="nowrap">
              <Text>{saying.text}</Text>
              {saying.undo && (
                <Button
                  size="xs"
                  variant="subtle"
                  onClick={() => {
                    saying.undo?.();
                    setSaying(null);
                  }}
                >
                  Undo
                </Button>
              )}
              <CloseButton aria-label="Dismiss" onClick={() => setSaying(null)} />
            </Group>
          </Paper>
        )}
      </div>
    </Context.Provider>
  );
}
