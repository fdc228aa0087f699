import { Anchor, Box, Button, Group, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { Link, useParams } from "react-router";
import { usePerson } from "../../app/session";
import { Money, When } from "../../parts/Figures";
import { PageHead } from "../../parts/PageHead";
import { Answered, Empty, Waiting } from "../../parts/States";
import { AutomationPage } from "./AutomationPage";
import { AutomationSheet } from "./AutomationSheet";
import { DefaultModel } from "./DefaultModel";
import { type Automation, type AutomationRun, pathOf, useAutomations, useMonth, useRuns, useStarters } from "./known";

/** Saved prompts: what each costs, and its page. */
export default function Automations() {
  const [name = "", ...deeper] = (useParams()["*"] ?? "").split("/");
  const automations = useAutomations();
  return (
    <Answered query={automations} waiting={<Waiting rows={4} height={72} />}>
      {({ automations: all, default_model }) => {
        const found = all.find((one) => one.name === name);
        if (found) return <AutomationPage key={name} automation={found} deeper={deeper} />;
        if (name !== "" && name !== "new") {
          return (
            <Empty title="There is no such automation" action={<Link to="/automations">See all automations</Link>}>
              It may have been removed, or the address was not copied whole.
            </Empty>
          );
        }
        return (
          <>
            <List all={all} defaultModel={default_model} />
            {name === "new" && <AutomationSheet automation={null} back="/automations" />}
          </>
        );
      }}
    </Answered>
  );
}

function List({ all, defaultModel }: { all: readonly Automation[]; defaultModel: string }) {
  const viewer = usePerson().role === "viewer";
  const runs = useRuns();
  const month = useMonth();
  const last = new Map<string, AutomationRun>();
  for (const run of runs.data?.runs ?? []) if (!last.has(run.automation)) last.set(run.automation, run);
  const add = viewer ? null : (
    <Button component={Link} to="/automations/new" leftSection={<IconPlus size={16} aria-hidden />}>
      Add automation
    </Button>
  );
  return (
    <>
      <PageHead
        title="Automations"
        says="A saved prompt with fields, a model, and a limit for each run. You see what a run will cost before it runs."
        action={add}
      />
      {all.length === 0 ? (
        <Empty title="There is no automation yet" action={add}>
          Save a prompt that you use again and again, or begin with one of the starters below.
        </Empty>
      ) : (
        <Stack gap="sm" component="section" aria-label="Your automations">
          {all.map((one) => (
            <Card
              key={one.name}
              automation={one}
              last={last.get(one.name)}
              monthNano={month.data ? (month.data.get(one.name) ?? 0) : null}
            />
          ))}
        </Stack>
      )}
      {!viewer && <Starters />}
      {!viewer && <DefaultModel current={defaultModel} />}
    </>
  );
}

function Card({
  automation,
  last,
  monthNano,
}: {
  automation: Automation;
  last: AutomationRun | undefined;
  monthNano: number | null;
}) {
  return (
    <Box className="card" component="article" aria-label={automation.name}>
      <Group justify="space-between" align="flex-start" gap="sm">
        <Box flex={1} miw={200}>
          <Title order={2} style={{ overflowWrap: "anywhere" }}>
            <Anchor component={Link} to={pathOf(automation.name)} c="inherit" fw={600}>
              {automation.name}
            </Anchor>
          </Title>
          <Text size="sm" className="quiet" lineClamp={2}>
            {automation.description || automation.prompt}
          </Text>
          <Text size="sm" mt={4} style={{ overflowWrap: "anywhere" }}>
            {automation.model_asked}
          </Text>
        </Box>
        <Box ta="right">
          <Text size="sm">
            {last ? (
              <>
                Last run <When ms={last.at_ms} />: <Money nanoUsd={last.priced ? last.cost_nano : null} />
              </>
            ) : (
              <span className="quiet">Never run</span>
            )}
          </Text>
          <Text size="sm" className="quiet">
            {monthNano !== null && (
              <>
                <Money nanoUsd={monthNano} /> this month
              </>
            )}
          </Text>
        </Box>
      </Group>
    </Box>
  );
}

function Starters() {
  const starters = useStarters();
  return (
    <Box component="section" mt={40} aria-labelledby="starters">
      <Title order={2} id="starters" mb={4}>
        Begin with a starter
      </Title>
      <Text className="quiet" mb="sm">
        Each comes with an example to try it on. What can be computed exactly is computed here, and what the model says
        is checked against it.
      </Text>
      <Answered query={starters}>
        {({ starters: all }) => (
          <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="sm">
            {all.map((one) => (
              <Box key={one.name} className="card">
                <Title order={3}>{one.title}</Title>
                <Text size="sm" className="quiet" my="xs">
                  {one.description}
                </Text>
                <Button
                  component={Link}
                  to={`/automations/new?starter=${encodeURIComponent(one.name)}`}
                  size="xs"
                  variant="default"
                  aria-label={`Use it: ${one.title}`}
                >
                  Use it
                </Button>
              </Box>
            ))}
          </SimpleGrid>
        )}
      </Answered>
    </Box>
  );
}
