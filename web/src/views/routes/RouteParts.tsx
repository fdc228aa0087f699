import {
  Fieldset,
  Group,
  MultiSelect,
  NativeSelect,
  NumberInput,
  Radio,
  Stack,
  Switch,
  TagsInput,
} from "@mantine/core";
import { type Change, type Draft, tasked } from "./draft";
import { useKnown } from "./known";
import { CHOOSE, TASKS } from "./words";

interface Part {
  draft: Draft;
  change: Change;
}

const AS_SET = "As the settings say";

/** How one of them is chosen. */
export function Strategy({ draft, change }: Part) {
  return (
    <Fieldset legend="How one is chosen">
      <Radio.Group
        aria-label="How one is chosen"
        value={draft.choose}
        onChange={(value) => {
          const found = CHOOSE.find((one) => one.value === value);
          if (found) change({ choose: found.value });
        }}
      >
        <Stack gap="xs">
          {CHOOSE.map((one) => (
            <Radio key={one.value} value={one.value} label={one.label} description={one.says} />
          ))}
        </Stack>
      </Radio.Group>
      {tasked(draft.choose) && (
        <NativeSelect
          mt="sm"
          label="The task"
          data={[{ value: "", label: "Any" }, ...TASKS]}
          value={draft.task ?? ""}
          onChange={(event) => {
            const wanted = event.currentTarget.value;
            change({ task: TASKS.find((one) => one.value === wanted)?.value ?? null });
          }}
        />
      )}
    </Fieldset>
  );
}

/** What is done where one of them fails. */
export function Failing({ draft, change }: Part) {
  return (
    <Fieldset legend="When one fails">
      <Stack gap="sm">
        <Switch
          label="Ask the next one by itself"
          description="Off: nobody but the first is asked."
          checked={draft.fallback}
          onChange={(event) => change({ fallback: event.currentTarget.checked })}
        />
        <Switch
          label="Ask me before another provider is asked"
          checked={draft.ask}
          disabled={!draft.fallback}
          onChange={(event) => change({ ask: event.currentTarget.checked })}
        />
        <Group grow align="flex-end">
          <Seconds label="First word within" value={draft.firstTokenS} set={(firstTokenS) => change({ firstTokenS })} />
          <Seconds label="All of it within" value={draft.totalS} set={(totalS) => change({ totalS })} />
        </Group>
        <NumberInput
          label="More tries at each"
          placeholder={AS_SET}
          min={0}
          max={10}
          allowDecimal={false}
          value={draft.retries ?? ""}
          onChange={(value) => change({ retries: value === "" ? null : Number(value) })}
        />
        <NativeSelect
          label="A stream that breaks off"
          data={[
            { value: "", label: AS_SET },
            { value: "yes", label: "is gone on with by the next one" },
            { value: "no", label: "ends with an error" },
          ]}
          value={draft.carryOn === null ? "" : draft.carryOn ? "yes" : "no"}
          onChange={(event) => {
            const wanted = event.currentTarget.value;
            change({ carryOn: wanted === "" ? null : wanted === "yes" });
          }}
        />
      </Stack>
    </Fieldset>
  );
}

function Seconds({ label, value, set }: { label: string; value: number | null; set: (value: number | null) => void }) {
  return (
    <NumberInput
      label={label}
      placeholder={AS_SET}
      suffix=" s"
      min={0.1}
      max={3600}
      value={value ?? ""}
      onChange={(next) => set(next === "" ? null : Number(next))}
    />
  );
}

/** What no choice and no fallback passes. */
export function HardRules({ draft, change }: Part) {
  const { providers } = useKnown();
  return (
    <Fieldset legend="Rules that nothing passes">
      <Stack gap="sm">
        <Switch
          label="Local only"
          description="Nothing leaves your own machine or network."
          checked={draft.localOnly}
          onChange={(event) => change({ localOnly: event.currentTarget.checked })}
        />
        <MultiSelect
          label="Never these providers"
          placeholder={draft.exclude.length === 0 ? "None" : undefined}
          data={[...providers]}
          value={[...draft.exclude]}
          onChange={(exclude) => change({ exclude })}
          searchable
          nothingFoundMessage="No provider is called that."
        />
        <TagsInput
          label="Only in these regions"
          description="Such as eu, us or de. Where nobody knows where one answers, it is not asked."
          placeholder={draft.regions.length === 0 ? "Any" : undefined}
          value={[...draft.regions]}
          onChange={(regions) => change({ regions })}
        />
        <TagsInput
          label="Never in these regions"
          placeholder={draft.notRegions.length === 0 ? "None" : undefined}
          value={[...draft.notRegions]}
          onChange={(notRegions) => change({ notRegions })}
        />
      </Stack>
    </Fieldset>
  );
}
