import { Button, Group } from "@mantine/core";
import type { ReactNode } from "react";

/** Back at the left, on at the right. */
export function Foot({ back, children }: { back: () => void; children?: ReactNode }) {
  return (
    <Group justify="space-between" mt="xl">
      <Button variant="subtle" color="gray" onClick={back}>
        Back
      </Button>
      <Group gap="sm">{children}</Group>
    </Group>
  );
}
