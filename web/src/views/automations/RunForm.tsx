import { Box, Button, FileInput, Group, Progress, Stack, Text, Textarea, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconPlayerPlay } from "@tabler/icons-react";
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import { api, told } from "../../api/client";
import { asProblem } from "../../api/problem";
import { count } from "../../parts/figures";
import { Failed } from "../../parts/States";
import { accepted, type Giving, isReady, isTyped, MOST_BYTES, NOTHING, readFile, sent } from "./giving";
import { type Automation, useStarters, type Variable } from "./known";
import { Gave } from "./Result";

const PAUSE_MS = 400;

/** A run: what it is given, what it will cost, how it goes, and what it gave. */
export function RunForm({ automation }: { automation: Automation }) {
  const queries = useQueryClient();
  const [giving, setGiving] = useState<Giving>(NOTHING);
  const path = { params: { path: { automation: automation.name } } };
  const terms = { accept_unknown_price: false, accept_over_budget: false };
  const running = useMutation({
    mutationFn: ({ given, accepted }: { given: Giving; accepted: boolean }) => {
      const accepts = { accept_unknown_price: accepted, accept_over_budget: accepted };
      const body = { ...sent(automation.variables, given), ...accepts };
      return told(api.POST("/api/automations/{automation}/run", { ...path, body }));
    },
    onSettled: () =>
      Promise.all(
        ["runs", "usage", "budgets", "automation-models"].map((key) => queries.invalidateQueries({ queryKey: [key] })),
      ),
  });
  const ready = isReady(automation.variables, giving);
  const [asked] = useDebouncedValue(giving, PAUSE_MS);
  const quote = useQuery({
    queryKey: ["automation-quote", automation.name, automation.model_asked, automation.changed_at_ms, asked],
    queryFn: () =>
      told(
        api.POST("/api/automations/{automation}/quote", {
          ...path,
          body: { ...sent(automation.variables, asked), ...terms },
        }),
      ),
    enabled: ready && isReady(automation.variables, asked),
    placeholderData: keepPreviousData,
    gcTime: 0,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    running.mutate({ given: giving, accepted: false });
  };
  const again = (accepted: boolean) => running.variables && running.mutate({ ...running.variables, accepted });
  const problem = running.isError ? asProblem(running.error) : null;
  return (
    <Box component="section" mt="lg" aria-labelledby="run">
      <Group justify="space-between" mb="xs">
        <Title order={2} id="run">
          Run it
        </Title>
        {automation.starter && <Example starter={automation.starter} fill={setGiving} />}
      </Group>
      <form onSubmit={submit}>
        <Stack gap="sm">
          {Object.entries(automation.variables).map(([name, variable]) => (
            <Field key={name} name={name} variable={variable} giving={giving} change={setGiving} />
          ))}
          <Group gap="md">
            <Button
              type="submit"
              loading={running.isPending}
              disabled={!ready}
              leftSection={<IconPlayerPlay size={16} aria-hidden />}
            >
              Run
            </Button>
            <Text aria-live="polite" className="figures">
              {ready && quote.isError && <span className="quiet">{asProblem(quote.error).said}</span>}
              {ready && quote.data && !quote.isError && quote.data.says}
              {!ready && <span className="quiet">What it will cost is said once every field is filled.</span>}
            </Text>
          </Group>
        </Stack>
      </form>
      <Box mt="md">
        {running.isPending && <Going />}
        {problem && <Failed error={problem} compact retry={() => again(false)} />}
        {problem?.code === "consent_required" && (
          <Button mt="xs" variant="default" onClick={() => again(true)}>
            Run it all the same
          </Button>
        )}
        {running.data && !running.isPending && <Gave run={running.data} />}
      </Box>
    </Box>
  );
}

/** Fills in what the starter comes with. */
function Example({ starter, fill }: { starter: string; fill: (giving: Giving) => void }) {
  const starters = useStarters();
  const found = starters.data?.starters.find((one) => one.name === starter)?.example;
  if (!found) return null;
  return (
    <Button variant="default" size="xs" onClick={() => fill({ values: found.values, files: found.files })}>
      Fill in the example
    </Button>
  );
}

function Field({
  name,
  variable,
  giving,
  change,
}: {
  name: string;
  variable: Variable;
  giving: Giving;
  change: (giving: Giving) => void;
}) {
  const [fault, setFault] = useState<string | null>(null);
  const file = variable.kind === "file" ? giving.files[name] : undefined;
  const take = async (chosen: File | null) => {
    setFault(null);
    const { [name]: _, ...others } = giving.files;
    if (chosen === null) return change({ ...giving, files: others });
    if (chosen.size > MOST_BYTES) return setFault(`${chosen.name} is over ${MOST_BYTES / 1024 / 1024} MiB.`);
    try {
      change({ ...giving, files: { ...others, [name]: await readFile(chosen) } });
    } catch (error) {
      setFault(asProblem(error).said);
    }
  };
  const required = variable.default === null;
  return (
    <Group align="flex-start" gap="sm">
      {isTyped(variable) && !file && (
        <Textarea
          flex={2}
          miw={240}
          label={name}
          description={variable.description}
          autosize
          minRows={variable.kind === "file" ? 3 : 1}
          maxRows={16}
          placeholder={variable.default ?? undefined}
          withAsterisk={required}
          value={giving.values[name] ?? ""}
          onChange={(event) => change({ ...giving, values: { ...giving.values, [name]: event.currentTarget.value } })}
        />
      )}
      {variable.kind === "file" && (
        <FileInput
          flex={1}
          miw={200}
          label={isTyped(variable) && !file ? `${name}, as a file` : name}
          description={file || !isTyped(variable) ? variable.description : undefined}
          placeholder={file ? file.name : "Choose a file"}
          accept={accepted(variable)}
          value={null}
          onChange={(chosen) => void take(chosen)}
          error={fault}
        />
      )}
      {file && (
        <Button mt={24} variant="default" onClick={() => void take(null)}>
          Leave out {file.name}
        </Button>
      )}
    </Group>
  );
}

/** That it goes on, and for how long. */
function Going() {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const began = Date.now();
    const timer = window.setInterval(() => setSeconds(Math.floor((Date.now() - began) / 1000)), 500);
    return () => window.clearInterval(timer);
  }, []);
  return (
    <Box>
      <Progress value={100} animated aria-label="The run goes on" />
      <Text size="sm" className="quiet figures" mt={4}>
        Running for {count(seconds)} s. What it costs is counted as it ends, and is never more than was said.
      </Text>
    </Box>
  );
}
