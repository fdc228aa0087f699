import { Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef } from "react";
import { Failed, Waiting } from "../../parts/States";

/** Signs in by itself, once. `children`: what to do where that fails. */
export function Entering({ go, children }: { go: () => Promise<void>; children: ReactNode }) {
  const asked = useRef(false);
  const entering = useMutation({ mutationFn: go });
  const { mutate } = entering;
  useEffect(() => {
    if (!asked.current) mutate();
    asked.current = true;
  }, [mutate]);
  if (!entering.isError) return <Waiting rows={2} />;
  return (
    <Stack>
      <Failed error={entering.error} compact />
      <Text className="quiet">{children}</Text>
    </Stack>
  );
}
