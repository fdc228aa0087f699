import { Chip, Group, NativeSelect, Stack, TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import type { Ability, Model } from "../../api/models";
import { ABILITIES } from "../../parts/ModelFacts";
import { type Change, toggled, type Wanted } from "./wanted";

/** What is looked for, as chips. */
export function Filters({
  models,
  wanted,
  change,
}: {
  models: readonly Model[];
  wanted: Wanted;
  change: (given: Change) => void;
}) {
  // The address follows what is typed a moment later, and may be changed by others: by a button, by going back.
  const [typed, setTyped] = useState(wanted.q);
  useEffect(() => {
    if (document.activeElement?.getAttribute("data-search") !== "models" || wanted.q === "") setTyped(wanted.q);
  }, [wanted.q]);
  const providers = [...new Map(models.map((one) => [one.provider, one.providerName]))];
  const toggle = (ability: Ability) => change((now) => ({ does: toggled(now.does, ability) }));
  return (
    <Stack gap="xs" mb="sm">
      <Group gap="sm" align="flex-end">
        <TextInput
          label="Search models"
          placeholder="Name or provider"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={typed}
          onChange={(event) => {
            setTyped(event.currentTarget.value);
            change({ q: event.currentTarget.value });
          }}
          autoComplete="off"
          data-search="models"
          style={{ flex: "1 1 220px" }}
        />
        <NativeSelect
          label="Provider"
          value={wanted.provider ?? ""}
          onChange={(event) => change({ provider: event.currentTarget.value || null })}
          data={[{ value: "", label: "All providers" }, ...providers.map(([id, name]) => ({ value: id, label: name }))]}
          style={{ flex: "0 1 220px" }}
        />
      </Group>
      <Group gap={6} role="group" aria-label="Only models that">
        {ABILITIES.map(({ ability, word }) => (
          <Chip key={ability} size="sm" checked={wanted.does.includes(ability)} onChange={() => toggle(ability)}>
            {word}
          </Chip>
        ))}
        <Chip size="sm" checked={wanted.free} onChange={(free) => change({ free })}>
          Free
        </Chip>
        <Chip size="sm" checked={wanted.ready} onChange={(ready) => change({ ready })}>
          Ready to use
        </Chip>
        <Chip size="sm" checked={!wanted.flat} onChange={(grouped) => change({ flat: !grouped })}>
          Grouped by provider
        </Chip>
      </Group>
    </Stack>
  );
}
