import { Button, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { asProblem } from "../../api/problem";
import { refresh, type Valid } from "./data";
import { testSays } from "./tested";

/** A test by one click: what it does, what it did, how long that took. */
export function useTest(ask: () => Promise<Valid>) {
  const queries = useQueryClient();
  return useMutation({ mutationFn: ask, onSuccess: () => refresh(queries) });
}

type Testing = ReturnType<typeof useTest>;

export function TestButton({ testing, of }: { testing: Testing; of: string }) {
  return (
    <Button
      variant="default"
      size="xs"
      loading={testing.isPending}
      onClick={() => testing.mutate()}
      aria-label={`Test ${of}`}
    >
      Test
    </Button>
  );
}

/** Heard by a screen reader once it is there. */
export function TestSaid({ testing, asking }: { testing: Testing; asking: string }) {
  return (
    <div role="status">
      {testing.isPending && <Text size="sm">Asking {asking}…</Text>}
      {!testing.isPending && testing.data && (
        <Text size="sm" c={testing.data.valid ? "var(--good)" : "var(--bad)"} style={{ overflowWrap: "anywhere" }}>
          {testing.data.valid ? "✓" : "✗"} {testSays(testing.data)}
        </Text>
      )}
      {testing.isError && (
        <Text size="sm" c="var(--bad)">
          ✗ {asProblem(testing.error).said}
        </Text>
      )}
    </div>
  );
}
