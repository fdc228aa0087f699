import {
  Button,
  Collapse,
  Fieldset,
  Group,
  NativeSelect,
  NumberInput,
  Radio,
  SegmentedControl,
  Select,
  Stack,
  Switch,
  Text,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Fragment, useCallback } from "react";
import { ModelPicker } from "../../parts/ModelPicker";
import { AmountField, ExactField } from "./AmountField";
import type { Budget, Unit } from "./amount";
import { anchored, type Draft } from "./draft";
import { type Named, SCOPES } from "./named";

/** No model is called so: each has its provider before it. */
const ANY = "any";

interface Part {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
}

const UNITS: { value: Unit; label: string }[] = [
  { value: "usd", label: "Dollars" },
  { value: "tokens", label: "Tokens" },
  { value: "requests", label: "Requests" },
];
const USUAL: Record<Unit, string> = { usd: "20", tokens: "1000000", requests: "1000" };

const PERIODS: { value: Budget["per"]; label: string }[] = [
  { value: "day", label: "Day" },
  { value: "week", label: "Week" },
  { value: "month", label: "Month" },
  { value: "cycle", label: "Billing month, from a day of yours" },
  { value: "ever", label: "In all, for ever" },
];

const ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone")];

/** How much, of what, in which time. */
export function Limit({ draft, change, fixed }: Part & { fixed: boolean }) {
  return (
    <Fieldset legend="The limit">
      <Stack gap="sm">
        <SegmentedControl
          aria-label="What is counted"
          fullWidth
          data={UNITS}
          value={draft.unit}
          onChange={(found) => {
            const unit = UNITS.find((one) => one.value === found)?.value ?? "usd";
            change({ unit, limit: USUAL[unit] });
          }}
        />
        <AmountField
          label="At most"
          unit={draft.unit}
          value={draft.limit}
          change={(limit) => change({ limit })}
          description="Empty: no limit in all, and only what each run may take."
          disabled={fixed}
        />
        <Group grow align="flex-start">
          <NativeSelect
            label="In each"
            data={PERIODS}
            value={draft.per}
            onChange={(event) => {
              const per = PERIODS.find((one) => one.value === event.currentTarget.value)?.value;
              if (per) change({ per, anchorDay: 1 });
            }}
          />
          {anchored(draft.per) && (
            <NumberInput
              label={draft.per === "week" ? "From day of the week" : "From day of the month"}
              min={1}
              max={draft.per === "week" ? 7 : 31}
              value={draft.anchorDay}
              onChange={(day) => change({ anchorDay: Number(day) || 1 })}
            />
          )}
        </Group>
        {draft.per !== "ever" && (
          <Select
            label="Time zone"
            data={ZONES.includes(draft.zone) ? ZONES : [draft.zone, ...ZONES]}
            value={draft.zone}
            onChange={(zone) => zone && change({ zone })}
            searchable
            allowDeselect={false}
            limit={60}
            nothingFoundMessage="There is no such zone."
          />
        )}
      </Stack>
    </Fieldset>
  );
}

/** What falls under it: everything, or what agrees with each that is named. */
export function Within({ draft, change, named }: Part & { named: Named }) {
  return (
    <Fieldset legend="What it is for">
      <Text size="sm" className="quiet" mb="sm">
        {SCOPES.some(({ field }) => draft[field] !== null)
          ? "What agrees with all that is named here."
          : "Everything that is asked, until you name something."}
      </Text>
      <Stack gap="sm">
        {SCOPES.map(({ field, label, of }) => {
          const value = draft[field];
          const options = named[of];
          const known = value === null || options.some((one) => one.value === value);
          if (known && options.length === 0) return null;
          return (
            <Fragment key={field}>
              <Select
                label={label}
                placeholder="Any"
                data={known ? [...options] : [...options, { value, label: value }]}
                value={value}
                onChange={(next) => change(field === "provider" ? { provider: next, model: null } : { [field]: next })}
                clearable
                searchable
                clearButtonProps={{ "aria-label": `Any ${label.toLowerCase()}` }}
                nothingFoundMessage="Nothing is called that."
              />
              {field === "provider" && value !== null && (
                <OneModel provider={value} model={draft.model} change={change} />
              )}
            </Fragment>
          );
        })}
      </Stack>
    </Fieldset>
  );
}

/** Of the provider that is named, one of its models, or any. */
function OneModel({ provider, model, change }: Pick<Part, "change"> & { provider: string; model: string | null }) {
  const ofProvider = useCallback((one: { provider: string }) => one.provider === provider, [provider]);
  return (
    <ModelPicker
      label="Model"
      value={model ?? ANY}
      others={[{ value: ANY, label: "Any of its models" }]}
      choose={(target) => change({ model: target === ANY ? null : target })}
      fits={ofProvider}
      all
    />
  );
}

/** Whom it tells, and when. */
export function Warning({ draft, change }: Part) {
  return (
    <Fieldset legend="Tell me">
      <Stack gap="sm">
        <Switch
          label="Before it is used up"
          checked={draft.alerts}
          onChange={(event) => change({ alerts: event.currentTarget.checked })}
        />
        {draft.alerts && (
          <NumberInput
            label="When this much of it is spent"
            suffix=" %"
            min={1}
            max={100}
            allowDecimal={false}
            value={draft.alertPercent}
            onChange={(percent) => change({ alertPercent: Math.min(100, Math.max(1, Number(percent) || 80)) })}
          />
        )}
      </Stack>
    </Fieldset>
  );
}

/** What one run may take. */
export function Runs({ draft, change }: Part) {
  return (
    <Fieldset legend="Each run">
      <Stack gap="sm">
        <ExactField
          label="At most, in tokens"
          unit="tokens"
          value={draft.hardTokens}
          change={(hardTokens) => change({ hardTokens })}
          description="A run that may take more is refused. Empty: any."
        />
        <ExactField
          label="Usually, in tokens"
          unit="tokens"
          value={draft.softTokens}
          change={(softTokens) => change({ softTokens })}
        />
        <ExactField
          label="At most, in dollars"
          unit="usd"
          value={draft.hardUsd}
          change={(hardUsd) => change({ hardUsd })}
        />
        <ExactField
          label="Usually, in dollars"
          unit="usd"
          value={draft.softUsd}
          change={(softUsd) => change({ softUsd })}
        />
        {(draft.softTokens !== "" || draft.softUsd !== "") && (
          <Radio.Group
            label="A run that takes more than usual"
            value={draft.runSoft}
            onChange={(found) => change({ runSoft: found === "ask" ? "ask" : "warn" })}
          >
            <Group mt={4}>
              <Radio value="warn" label="is warned of" />
              <Radio value="ask" label="is asked about first" />
            </Group>
          </Radio.Group>
        )}
      </Stack>
    </Fieldset>
  );
}

const WAYS: { value: Budget["exhausted"]; label: string; says: string }[] = [
  { value: "refuse", label: "Refuse", says: "Nothing more is sent until it begins again." },
  {
    value: "fall_back",
    label: "Ask another model",
    says: "The next of the route that still fits, such as a local one.",
  },
  { value: "ask", label: "Ask me", says: "Each run waits for your yes." },
];

/** What becomes of a run that does not fit. */
export function Exhaustion({ draft, change }: Part) {
  const [opened, { toggle }] = useDisclosure(draft.sharePercent !== null);
  return (
    <Fieldset legend="When it is used up">
      <Radio.Group
        aria-label="When it is used up"
        value={draft.exhausted}
        onChange={(found) => {
          const way = WAYS.find((one) => one.value === found);
          if (way) change({ exhausted: way.value });
        }}
      >
        <Stack gap="xs">
          {WAYS.map((one) => (
            <Radio key={one.value} value={one.value} label={one.label} description={one.says} />
          ))}
        </Stack>
      </Radio.Group>
      <Button variant="subtle" size="xs" mt="sm" onClick={toggle} aria-expanded={opened}>
        {opened ? "Fewer settings" : "More settings"}
      </Button>
      <Collapse expanded={opened}>
        <NumberInput
          mt="xs"
          label="One person may have pending"
          description="So that the others are not kept out. Empty: all of it."
          suffix=" %"
          min={1}
          max={100}
          allowDecimal={false}
          value={draft.sharePercent ?? ""}
          onChange={(percent) => change({ sharePercent: percent === "" ? null : Number(percent) })}
        />
      </Collapse>
    </Fieldset>
  );
}
