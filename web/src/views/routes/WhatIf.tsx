import { Box, Group, NativeSelect, Stack, Text, TextInput, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Shape, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { Money } from "../../parts/Figures";
import { duration } from "../../parts/figures";
import { State } from "../../parts/State";
import { Answered } from "../../parts/States";
import classes from "./Routes.module.css";
import { FAILURES, PERHAPS_BILLED, type Route } from "./words";

type Candidate = Shape<"CandidateShape">;
type Step = Shape<"StepShape">;
type Failures = Readonly<Record<string, string>>;

const SHOWN = 8;
const PAUSE_MS = 400;

/** Each that would be asked can be failed; what is done then is shown. Nothing is asked. */
export function WhatIf({ route, stale }: { route: Route; stale: boolean }) {
  const [prompt, setPrompt] = useState("");
  const [asked] = useDebouncedValue(prompt.trim() || "Hello", PAUSE_MS);
  const [failures, setFailures] = useState<Failures>({});
  const explained = useQuery({
    queryKey: ["routes", "explain", route.name, asked],
    queryFn: ({ signal }) =>
      told(api.POST("/api/byok/choosing/explain", { body: { model: route.name, prompt: asked }, signal })),
    placeholderData: keepPreviousData,
  });
  return (
    <Box component="section" mt={40} aria-labelledby="what-if">
      <Title order={2} id="what-if" mb={4}>
        What would happen if…
      </Title>
      {stale ? (
        <Text className="quiet">Save the route to see what it would do.</Text>
      ) : (
        <Stack>
          <Text className="quiet">
            Let some of them fail, and see who steps in. Nothing is asked, and nothing costs.
          </Text>
          <TextInput
            label="With this prompt"
            placeholder="Hello"
            maw={480}
            value={prompt}
            onChange={(event) => setPrompt(event.currentTarget.value)}
          />
          <Answered query={explained}>
            {({ candidates }) => (
              <>
                <Candidates all={candidates} failures={failures} change={setFailures} />
                <Path route={route} prompt={asked} failures={failures} candidates={candidates} />
              </>
            )}
          </Answered>
        </Stack>
      )}
    </Box>
  );
}

function Candidates({
  all,
  failures,
  change,
}: {
  all: readonly Candidate[];
  failures: Failures;
  change: (failures: Failures) => void;
}) {
  const able = all.filter((one) => one.place !== null);
  const out = all.filter((one) => one.place === null);
  const set = (name: string, way: string) => {
    const { [name]: _, ...others } = failures;
    change(way === "" ? others : { ...others, [name]: way });
  };
  return (
    <Stack gap="xs">
      {able.slice(0, SHOWN).map((one) => (
        <Group key={one.name} className="card" py="xs" justify="space-between" gap="xs">
          <Box flex={1} miw={200}>
            <Text style={{ overflowWrap: "anywhere" }}>
              {one.place}. {one.name}
            </Text>
            <Text size="sm" className="quiet">
              {one.why}
              {one.stands && `; ${one.stands}`} · <Money nanoUsd={one.expected_nano} about />
            </Text>
          </Box>
          <NativeSelect
            aria-label={`What ${one.name} does`}
            data={FAILURES.map(({ value, label }) => ({ value, label }))}
            value={failures[one.name] ?? ""}
            onChange={(event) => set(one.name, event.currentTarget.value)}
          />
        </Group>
      ))}
      {able.length > SHOWN && (
        <Text size="sm" className="quiet">
          and {able.length - SHOWN} more after these
        </Text>
      )}
      {out.length > 0 && (
        <details>
          <summary>{out.length === 1 ? "1 is not asked" : `${out.length} are not asked`}</summary>
          <ul>
            {out.slice(0, 100).map((one) => (
              <Text key={`${one.name}/${one.why}`} component="li" size="sm" style={{ overflowWrap: "anywhere" }}>
                {one.name}: {one.why}
              </Text>
            ))}
          </ul>
        </details>
      )}
    </Stack>
  );
}

function Path({
  route,
  prompt,
  failures,
  candidates,
}: {
  route: Route;
  prompt: string;
  failures: Failures;
  candidates: readonly Candidate[];
}) {
  const asks = usePerson().role !== "viewer" && route.ask;
  const path = useQuery({
    queryKey: ["routes", "try", route.name, prompt, failures],
    queryFn: ({ signal }) => {
      const body = { model: route.name, prompt, failing: "unavailable", failures };
      return told(api.POST("/api/byok/choosing/try", { body, signal }));
    },
    placeholderData: keepPreviousData,
  });
  return (
    <Answered query={path}>
      {({ steps }) => (
        <Box aria-live="polite">
          <Title order={3} mb={4}>
            The path taken
          </Title>
          <ol className={classes.path} aria-label="The path taken">
            {steps.map((step) => (
              <li key={`${step.name}/${step.number}`}>
                <StepLine step={step} candidate={candidates.find((one) => one.name === step.name)} />
              </li>
            ))}
          </ol>
          <End steps={steps} />
          {asks && <Text className="quiet">You are asked before another provider is.</Text>}
        </Box>
      )}
    </Answered>
  );
}

function StepLine({ step, candidate }: { step: Step; candidate: Candidate | undefined }) {
  const way = FAILURES.find((one) => one.value === (step.failure ?? ""))?.label ?? step.failure ?? "";
  return (
    <Group gap="xs">
      <Text span style={{ overflowWrap: "anywhere" }}>
        {step.wait_s > 0 && `After ${duration(step.wait_s * 1000)}, `}
        {step.name}
        {step.number > 1 && `, try ${step.number}`}
      </Text>
      <State tone={step.failure === null ? "good" : "bad"}>{way}</State>
      <Text span size="sm" className="quiet">
        {step.failure === null && <Money nanoUsd={candidate?.expected_nano ?? null} about />}
        {step.failure === PERHAPS_BILLED && (
          <>
            perhaps charged, <Money nanoUsd={candidate?.ceiling_nano ?? null} most />
          </>
        )}
      </Text>
    </Group>
  );
}

function End({ steps }: { steps: readonly Step[] }) {
  const last = steps.at(-1);
  if (!last) return <Text>Nobody can be asked.</Text>;
  const waited = steps.reduce((sum, one) => sum + one.wait_s, 0);
  const tries = steps.length === 1 ? "one try" : `${steps.length} tries`;
  if (last.failure !== null) {
    return <Text mt={4}>Nobody answers. After {tries} you get the error of the first that was asked.</Text>;
  }
  return (
    <Text mt={4}>
      {last.name} answers after {tries}
      {waited > 0 && `, ${duration(waited * 1000)} of waiting between them`}.
    </Text>
  );
}
