import { Button, List } from "@mantine/core";
import { PageHead } from "../../parts/PageHead";
import { Foot } from "./Foot";
import { Picture } from "./Picture";
import type { Frame } from "./Welcome";

export function Privacy({ go, back, busy }: Frame) {
  return (
    <>
      <PageHead title="Your privacy" says="What happens with your keys and with what you ask, in four lines." />
      <Picture />
      <List spacing="xs">
        <List.Item>Your keys are encrypted on this machine, and shown to nobody again.</List.Item>
        <List.Item>What you ask goes straight to the provider that you choose, and to nobody else.</List.Item>
        <List.Item>
          Nothing is sent to those who make Ownkey, ever: no key, no question, no count of anything.
        </List.Item>
        <List.Item>
          Stored here are your keys, your settings and what each run cost. Chats are kept only once you switch their
          history on, encrypted as well.
        </List.Item>
      </List>
      <Foot back={back}>
        <Button onClick={() => go()} loading={busy}>
          Go on
        </Button>
      </Foot>
    </>
  );
}
