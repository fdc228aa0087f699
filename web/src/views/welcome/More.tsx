import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";
import type { Shape } from "../../api/client";
import { PageHead } from "../../parts/PageHead";
import { Foot } from "./Foot";
import { ChooseAndEnter, Taken } from "./KeyStep";
import type { Frame } from "./Welcome";

export function More({ back, end, busy }: Frame) {
  const [adding, setAdding] = useState(false);
  const [stored, setStored] = useState<Shape<"StoredShape"> | null>(null);
  return (
    <>
      <PageHead title="You are ready" says="More providers can be added now or later, as many as you like." />
      {stored && <Taken stored={stored} />}
      {adding ? (
        <section className="card" aria-labelledby="another">
          <Title order={2} id="another" mb="sm">
            Another provider
          </Title>
          <ChooseAndEnter
            open
            saved={(one) => {
              setStored(one);
              setAdding(false);
            }}
          />
          <Button variant="subtle" color="gray" mt="sm" onClick={() => setAdding(false)}>
            Not now
          </Button>
        </section>
      ) : (
        <Stack gap="md" mt="md">
          <Group>
            <Button onClick={() => end("/")} loading={busy}>
              Go to Home
            </Button>
            <Button variant="default" onClick={() => setAdding(true)}>
              Add another provider
            </Button>
            <Button variant="default" onClick={() => end("/connect")}>
              Connect your tools
            </Button>
          </Group>
          <Text className="quiet" size="sm">
            Your tools need no key of a provider’s any more: they get an address and a token of Ownkey’s.
          </Text>
        </Stack>
      )}
      <Foot back={back} />
    </>
  );
}
