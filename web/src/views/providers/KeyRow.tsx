import { ActionIcon, Button, Group, Menu, Stack, Text } from "@mantine/core";
import { IconDots } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, told } from "../../api/client";
import { asProblem } from "../../api/problem";
import { Money, When } from "../../parts/Figures";
import { day, money } from "../../parts/figures";
import { useSay } from "../../parts/Said";
import { State } from "../../parts/State";
import { Failed } from "../../parts/States";
import { ending, type Key, keyStanding, masked, type Provider, refresh } from "./data";
import { hostOf, KeyForm } from "./KeyForm";
import classes from "./Providers.module.css";
import { useLeaving } from "./removal";
import { changedTerms, Terms, termsOfKey } from "./Terms";
import { TestButton, TestSaid, useTest } from "./Test";
import { testKey } from "./tested";

/** One key: what may be shown of it, and what can be done with it. */
export function KeyRow({
  provider,
  value,
  earlier,
  later,
  remove,
  replaced,
}: {
  provider: Provider;
  value: Key;
  earlier: (() => void) | null;
  later: (() => void) | null;
  remove: () => void;
  replaced: React.ComponentProps<typeof KeyForm>["saved"];
}) {
  const testing = useTest(() => testKey(value.id));
  const [open, setOpen] = useState<"terms" | "replace" | null>(null);
  const leaves = useLeaving().has(value.id);
  const [tone, word] = keyStanding(value);
  const close = () => setOpen(null);
  return (
    <li>
      <Group justify="space-between" wrap="nowrap" align="flex-start" gap="xs">
        <div>
          <div className={classes.key}>
            <code>{masked(value)}</code>
            {leaves ? <State tone="warn">Removed in a moment</State> : <State tone={tone}>{word}</State>}
          </div>
          <Facts value={value} />
        </div>
        <Group gap={4} wrap="nowrap">
          {!leaves && <TestButton testing={testing} of={ending(value)} />}
          {value.source === "stored" && !leaves && (
            <More value={value} earlier={earlier} later={later} remove={remove} open={setOpen} />
          )}
        </Group>
      </Group>
      <TestSaid testing={testing} asking={hostOf(provider)} />
      {open === "terms" && <ChangeTerms value={value} close={close} />}
      {open === "replace" && (
        <Stack gap="xs" mt="sm">
          <Text size="sm">The new key takes the place of {ending(value)}, with its terms.</Text>
          <KeyForm
            provider={provider}
            label={value.label}
            cancel={close}
            saved={(stored) => {
              close();
              replaced(stored);
            }}
          />
        </Stack>
      )}
    </li>
  );
}

const SOURCES = { stored: "", environment: "from the environment", granted: "lent to you" };

function Facts({ value }: { value: Key }) {
  const facts = [
    value.label === "default" ? "" : value.label,
    SOURCES[value.source],
    value.expires_at_ms === null ? "" : `expires ${day(value.expires_at_ms - 1)}`,
    value.models.length === 0 ? "" : `only ${value.models.join(", ")}`,
    value.weight === null ? "" : `weight ${value.weight}`,
    value.why ?? "",
  ].filter(Boolean);
  return (
    <p className={classes.terms}>
      {facts.length > 0 && `${facts.join(" · ")} · `}
      <Money nanoUsd={value.spent_nano} />
      {value.limit_nano !== null && ` of ${money(value.limit_nano)}`} this month ·{" "}
      {value.used_at_ms === null ? (
        "never used"
      ) : (
        <>
          used <When ms={value.used_at_ms} />
        </>
      )}
    </p>
  );
}

function More({
  value,
  earlier,
  later,
  remove,
  open,
}: {
  value: Key;
  earlier: (() => void) | null;
  later: (() => void) | null;
  remove: () => void;
  open: (what: "terms" | "replace") => void;
}) {
  const queries = useQueryClient();
  const say = useSay();
  const paused = value.state === "paused";
  const use = async () => {
    try {
      await told(api.PATCH("/api/byok/key/{key}", { params: { path: { key: value.id } }, body: { enabled: paused } }));
    } catch (error) {
      say(`It is as it was. ${asProblem(error).said}`);
    }
    await refresh(queries);
  };
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="md" aria-label={`More for ${ending(value)}`}>
          <IconDots size={16} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => open("replace")}>Update the key</Menu.Item>
        <Menu.Item onClick={() => open("terms")}>Change label and terms</Menu.Item>
        <Menu.Item onClick={() => void use()}>{paused ? "Use it again" : "Pause it"}</Menu.Item>
        {earlier && <Menu.Item onClick={earlier}>Try it earlier</Menu.Item>}
        {later && <Menu.Item onClick={later}>Try it later</Menu.Item>}
        <Menu.Divider />
        <Menu.Item c="var(--bad)" onClick={remove}>
          Remove it
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function ChangeTerms({ value, close }: { value: Key; close: () => void }) {
  const queries = useQueryClient();
  const [before] = useState(() => termsOfKey(value));
  const [terms, setTerms] = useState(before);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      const body = changedTerms(before, terms);
      await told(api.PATCH("/api/byok/key/{key}", { params: { path: { key: value.id } }, body }));
      await refresh(queries);
      close();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <form onSubmit={submit} aria-label={`The terms of ${ending(value)}`}>
      <Stack gap="sm" mt="sm">
        <Terms terms={terms} change={setTerms} error={error} />
        {error !== null && <Failed error={error} compact />}
        <Group gap="xs">
          <Button type="submit" loading={busy}>
            Save terms
          </Button>
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
