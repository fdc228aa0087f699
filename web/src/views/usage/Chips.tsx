import { Group, NativeSelect, Pill } from "@mantine/core";
import { type Filters, GROUP_WORDS, GROUPS } from "./filters";

/** What is looked at: one chip for each thing that was chosen, and by what it is told apart. */
export function Chips({ filters }: { filters: Filters }) {
  return (
    <Group gap="xs">
      <NativeSelect
        size="xs"
        aria-label="By what it is told apart"
        value={filters.group}
        onChange={(event) => filters.set({ by: event.currentTarget.value })}
        data={GROUPS.map((value) => ({ value, label: `By ${GROUP_WORDS[value].toLowerCase()}` }))}
      />
      {GROUPS.map((name) => {
        const value = filters.where[name];
        if (value === undefined) return null;
        return (
          <Pill
            key={name}
            size="md"
            withRemoveButton
            onRemove={() => filters.set({ [name]: null })}
            removeButtonProps={{
              "aria-label": `Without ${GROUP_WORDS[name]} ${value}`,
              tabIndex: 0,
              "aria-hidden": false,
            }}
          >
            {GROUP_WORDS[name]}: {filters.names(name, value)}
          </Pill>
        );
      })}
    </Group>
  );
}
