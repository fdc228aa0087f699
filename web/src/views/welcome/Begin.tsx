import { Button, Group } from "@mantine/core";
import { PageHead } from "../../parts/PageHead";
import type { Frame } from "./Welcome";

export function Begin({ go, busy }: Frame) {
  return (
    <>
      <PageHead
        title="Welcome to Ownkey"
        says="Use every AI model with your own keys. You see the price before each run, and a limit that holds."
      />
      <Group mt="xl">
        <Button size="md" onClick={() => go()} loading={busy}>
          Begin
        </Button>
        <Button size="md" variant="default" onClick={() => go("demo")}>
          Look around first
        </Button>
      </Group>
    </>
  );
}
