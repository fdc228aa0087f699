import { Anchor, Box, Button, Group, Title } from "@mantine/core";
import { Link } from "react-router";
import { usePerson } from "../../app/session";
import { PageHead } from "../../parts/PageHead";
import { AutomationSheet } from "./AutomationSheet";
import { type Automation, pathOf } from "./known";
import { ModelSheet } from "./ModelSheet";
import { Prompt } from "./PromptField";
import { RunForm } from "./RunForm";
import { RunSheet } from "./RunSheet";
import { Runs } from "./Runs";

/** One automation: its model, a run of it, and those that were. */
export function AutomationPage({ automation, deeper }: { automation: Automation; deeper: readonly string[] }) {
  const viewer = usePerson().role === "viewer";
  const [step, run] = deeper;
  const back = pathOf(automation.name);
  return (
    <>
      <Anchor component={Link} to="/automations" size="sm">
        All automations
      </Anchor>
      <PageHead
        title={automation.name}
        says={automation.description}
        action={
          viewer ? undefined : (
            <Button component={Link} to={pathOf(automation.name, "edit")} variant="default">
              Edit
            </Button>
          )
        }
      />
      <Group className="card" justify="space-between" mb="md" gap="sm">
        <Box miw={0}>
          <Title order={2}>Model</Title>
          <span style={{ overflowWrap: "anywhere" }}>{automation.model_asked}</span>
          {automation.model === null && <span className="quiet"> · the default</span>}
        </Box>
        {!viewer && (
          <Button component={Link} to={pathOf(automation.name, "model")} variant="default">
            Change model
          </Button>
        )}
      </Group>
      <details>
        <summary>The prompt</summary>
        <Box className="card" my="xs">
          <Prompt text={automation.prompt} />
        </Box>
      </details>
      {!viewer && <RunForm automation={automation} />}
      <Runs automation={automation} />
      {step === "edit" && <AutomationSheet automation={automation} back={back} />}
      {step === "model" && <ModelSheet automation={automation} back={back} />}
      {step === "runs" && run && <RunSheet key={run} run={run} back={back} />}
    </>
  );
}
