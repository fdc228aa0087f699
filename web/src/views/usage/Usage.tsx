import { Anchor, Group, SegmentedControl, SimpleGrid, Stack, Tabs } from "@mantine/core";
import { Route, Routes, useNavigate } from "react-router";
import { PageHead } from "../../parts/PageHead";
import { Chips } from "./Chips";
import { type Filters, SPANS, useFilters } from "./filters";
import { Over } from "./Over";
import { RunSheet } from "./RunSheet";
import { Runs } from "./Runs";
import { Savings } from "./Savings";
import { Sums } from "./Sums";

/** What was used, in whatever way it is looked at; a run opens at `/usage/runs/…`. */
export default function Usage() {
  const filters = useFilters();
  return (
    <>
      <PageHead
        title="Usage"
        says="What was asked, what it cost, and where it goes."
        action={<Exports filters={filters} />}
      />
      <Routes>
        <Route path="runs/:run?" element={<Shown filters={filters} tab="runs" />} />
        <Route path="savings" element={<Shown filters={filters} tab="savings" />} />
        <Route path="*" element={<Shown filters={filters} tab="cost" />} />
      </Routes>
    </>
  );
}

const TABS = { cost: "", runs: "/runs", savings: "/savings" } as const;

function Shown({ filters, tab }: { filters: Filters; tab: keyof typeof TABS }) {
  const navigate = useNavigate();
  return (
    <Stack gap="lg">
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        <Sums />
      </SimpleGrid>
      <Group justify="space-between" gap="sm">
        <Chips filters={filters} />
        <SegmentedControl
          aria-label="How far back"
          size="xs"
          value={String(filters.days)}
          onChange={(days) => filters.set({ days })}
          data={Object.entries(SPANS).map(([value, label]) => ({ value, label }))}
        />
      </Group>
      <Tabs
        value={tab}
        onChange={(next) => void navigate(`/usage${TABS[next as keyof typeof TABS]}${filters.search}`)}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="cost">Cost</Tabs.Tab>
          <Tabs.Tab value="runs">Runs</Tabs.Tab>
          <Tabs.Tab value="savings">Savings</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="cost">
          <Over filters={filters} />
        </Tabs.Panel>
        <Tabs.Panel value="runs">
          <Runs filters={filters} />
          <RunSheet search={filters.search} />
        </Tabs.Panel>
        <Tabs.Panel value="savings">
          <Savings />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

/** Everything that the filters let through, as a file. */
function Exports({ filters }: { filters: Filters }) {
  const query = new URLSearchParams(Object.entries(filters.query).map(([name, value]) => [name, String(value)]));
  if (filters.failed) query.set("failed", "true");
  return (
    <Group gap="sm">
      {(["csv", "json"] as const).map((form) => (
        <Anchor
          key={form}
          href={`/api/byok/usage/export?${query}&form=${form}`}
          download={`ownkey-usage.${form}`}
          size="sm"
        >
          Export {form.toUpperCase()}
        </Anchor>
      ))}
    </Group>
  );
}
