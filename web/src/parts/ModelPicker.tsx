import { type ComboboxItem, type ComboboxItemGroup, Group, type OptionsFilter, Select, Text } from "@mantine/core";
import { type ReactNode, useMemo } from "react";
import { chats, type Model, useModels } from "../api/models";
import { asProblem } from "../api/problem";
import { Abilities, contextText, priceText } from "./ModelFacts";

/** More would be slow to draw; whoever looks for one of a thousand types some of its name. */
const MOST_SHOWN = 60;

/** What can be chosen besides a model: `auto`, a route, "as the default". */
export interface OtherChoice {
  value: string;
  label: string;
  says?: string;
}

/** One model of all that can be asked, found by its name, grouped by provider, each with its price. `value` and what
 * `choose` gets are `provider/model`, or the value of one of `others`. `fits` leaves models out; those that only embed
 * or whose provider cannot be asked are out already, but for the one that is chosen. */
export function ModelPicker({
  label,
  value,
  choose,
  others = [],
  fits = chats,
  description,
  error,
  disabled,
  required,
  all,
}: {
  label: string;
  value: string | null;
  choose: (target: string, model: Model | null) => void;
  others?: readonly OtherChoice[];
  fits?: (model: Model) => boolean;
  description?: ReactNode;
  error?: ReactNode;
  disabled?: boolean;
  required?: boolean;
  /** Those that cannot be asked just now as well. */
  all?: boolean;
}) {
  const models = useModels();
  const known = useMemo(() => new Map((models.data ?? []).map((one) => [one.target, one])), [models.data]);
  const data = useMemo(
    () => grouped([...known.values()], (one) => !one.retired && (all || one.lack === null) && fits(one), value, others),
    [known, fits, value, others, all],
  );
  const filter = useMemo(() => found(known), [known]);
  const chosen = value === null ? undefined : known.get(value);
  const failed = models.isError && models.data === undefined ? asProblem(models.error).said : undefined;
  return (
    <Select
      label={label}
      value={value}
      data={data}
      onChange={(target) => target !== null && choose(target, known.get(target) ?? null)}
      searchable
      selectFirstOptionOnChange
      limit={MOST_SHOWN}
      filter={filter}
      maxDropdownHeight={360}
      placeholder={models.isPending ? "Loading models" : "Choose a model"}
      nothingFoundMessage={
        known.size === 0 ? "There are no models yet. Add a provider first." : "No model is called that."
      }
      description={description ?? (chosen && <Facts model={chosen} />)}
      inputWrapperOrder={["label", "input", "description", "error"]}
      error={error ?? failed}
      disabled={disabled}
      required={required}
      allowDeselect={false}
      comboboxProps={{ withinPortal: true }}
      renderOption={({ option }) => {
        const model = known.get(option.value);
        return model ? <Option model={model} /> : <Other choice={others.find((one) => one.value === option.value)} />;
      }}
    />
  );
}

function Facts({ model }: { model: Model }) {
  return (
    <>
      {priceText(model)}
      {model.price !== null && !model.free && " per 1M tokens, in / out"} · {contextText(model)}
      {model.lack !== null && ` · ${model.providerName}: ${model.lack}`}
    </>
  );
}

function Option({ model }: { model: Model }) {
  return (
    <Group justify="space-between" gap="xs" w="100%" wrap="nowrap">
      <span>
        <Text span display="block" style={{ overflowWrap: "anywhere" }}>
          {model.id}
        </Text>
        <Group gap="xs" component="span">
          <Text span size="xs" className="quiet">
            {contextText(model)}
          </Text>
          <Abilities does={model.does} />
        </Group>
      </span>
      <Text span size="xs" ta="right" className="figures" style={{ whiteSpace: "nowrap" }}>
        {priceText(model)}
      </Text>
    </Group>
  );
}

function Other({ choice }: { choice: OtherChoice | undefined }) {
  return (
    <span>
      {choice?.label}
      {choice?.says && (
        <Text span display="block" size="xs" className="quiet">
          {choice.says}
        </Text>
      )}
    </span>
  );
}

function grouped(
  models: readonly Model[],
  fits: (model: Model) => boolean,
  value: string | null,
  others: readonly OtherChoice[],
): (ComboboxItem | ComboboxItemGroup<ComboboxItem>)[] {
  const groups = new Map<string, ComboboxItem[]>();
  let there = value === null || others.some((one) => one.value === value);
  for (const model of models) {
    if (model.target !== value && !fits(model)) continue;
    there ||= model.target === value;
    const group = groups.get(model.providerName) ?? [];
    group.push({ value: model.target, label: model.target });
    groups.set(model.providerName, group);
  }
  return [
    ...others.map(({ value: other, label }) => ({ value: other, label })),
    ...(there || value === null ? [] : [{ value, label: value }]),
    ...[...groups].map(([group, items]) => ({ group, items })),
  ];
}

/** By every word of what was typed, wherever it stands in target or names. */
function found(known: ReadonlyMap<string, Model>): OptionsFilter {
  const holds = (item: ComboboxItem, words: readonly string[]) => {
    const model = known.get(item.value);
    const told = `${item.label} ${model?.name ?? ""} ${model?.providerName ?? ""}`.toLowerCase();
    return words.every((word) => told.includes(word));
  };
  return ({ options, search, limit }) => {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    let left = limit;
    const take = (items: readonly ComboboxItem[]) => {
      const taken = items.filter((item) => holds(item, words)).slice(0, left);
      left -= taken.length;
      return taken;
    };
    return options
      .map((one) =>
        "group" in one ? { ...one, items: take(one.items as ComboboxItem[]) } : take([one as ComboboxItem])[0],
      )
      .filter((one) => one !== undefined && (!("group" in one) || one.items.length > 0)) as typeof options;
  };
}
