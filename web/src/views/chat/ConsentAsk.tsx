import { Alert, Button, Group, List, Text } from "@mantine/core";
import { IconHandStop } from "@tabler/icons-react";
import type { Consent } from "../../api/chat";
import { Money } from "../../parts/Figures";
import { exactTime, nano } from "../../parts/figures";
import { approve, decline } from "./store";
import type { Take, Turn } from "./talk";

/** Asked in its place before a request goes on: what would happen, for how much. */
export function ConsentAsk(props: { turn: Turn; lane: string; take: Take; consent: Consent }) {
  const { turn, lane, take, consent } = props;
  const { quote } = consent;
  const expected = nano(quote?.expected_usd ?? null);
  const most = nano(quote?.most_usd ?? null);
  const always = consent.reasons.every((reason) => reason.kind !== "over_budget");
  return (
    <Alert
      color="yellow"
      variant="light"
      icon={<IconHandStop aria-hidden />}
      title={
        <Text span inherit c="var(--mantine-color-text)">
          Shall this go on?
        </Text>
      }
      role="group"
      aria-label="Shall this go on?"
    >
      <List size="md" listStyleType={consent.reasons.length > 1 ? "disc" : "none"}>
        {consent.reasons.map((reason) => (
          <List.Item key={reason.says}>{reason.says}</List.Item>
        ))}
      </List>
      <Text mt="xs">
        {quote && expected !== null ? (
          <>
            With {quote.model} it would cost <Money nanoUsd={expected} about />, <Money nanoUsd={most} most />.
          </>
        ) : (
          "Nobody knows what it would cost."
        )}{" "}
        Nothing has been charged.
      </Text>
      <Group gap="xs" mt="sm">
        <Button size="xs" onClick={() => void approve(turn, lane, take, false)}>
          Approve once
        </Button>
        {always && (
          <Button size="xs" variant="default" onClick={() => void approve(turn, lane, take, true)}>
            Approve for 30 days
          </Button>
        )}
        <Button size="xs" variant="default" onClick={() => decline(turn, lane, take)}>
          No
        </Button>
      </Group>
      {consent.until_ms && (
        <Text size="xs" className="quiet" mt="xs">
          A yes counts until {exactTime(consent.until_ms)}.
        </Text>
      )}
    </Alert>
  );
}
