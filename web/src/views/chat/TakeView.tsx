import { Button, Group, Text } from "@mantine/core";
import { IconChevronLeft, IconChevronRight, IconPlayerStop, IconRefresh, IconSwitch2 } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";
import { saysSomething } from "../../api/answer";
import { single } from "../../parts/clicks";
import { Calls } from "./Calls";
import classes from "./Chat.module.css";
import { ConsentAsk } from "./ConsentAsk";
import { Copy } from "./Copy";
import { Pictures } from "./Pictures";
import { Receipt } from "./Receipt";
import { again, requestOf, retry, show, stop } from "./store";
import { Trouble } from "./Trouble";
import { TryWith } from "./TryWith";
import { called, isBusy, type Lane, lastStep, type Step, shownTake, type Take, type Turn, wantsResults } from "./talk";

const Prose = lazy(() => import("./Prose"));

/** What one model answered to one question: the take that is shown, and the ways on from it. */
export default function TakeView({ turn, lane, alone }: { turn: Turn; lane: Lane; alone: boolean }) {
  const [trying, setTrying] = useState(false);
  const takes = turn.takes[lane.id] ?? [];
  const take = shownTake(turn, lane.id);
  const step = take && lastStep(take);
  if (!take || !step) return <div className={classes.take} />;
  const others = () => setTrying(true);
  return (
    <article className={classes.take} aria-label={`Answer by ${called(take.model)}`} aria-busy={isBusy(step)}>
      {(!alone || take.model !== lane.model) && (
        <Text size="sm" fw={600} mb="xs">
          {called(take.model)}
        </Text>
      )}
      {take.steps.map((one, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they only ever grow at the end
        <StepView key={at} turn={turn} lane={lane.id} take={take} step={one} others={others} />
      ))}
      <Group gap={4} mt={4}>
        {isBusy(step) ? (
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconPlayerStop size={14} aria-hidden />}
            onClick={single(() => stop(turn.id, lane.id))}
          >
            Stop
          </Button>
        ) : (
          <>
            {saysSomething(step.answer) && <Copy text={step.answer.text} what="answer" />}
            <Button
              size="compact-xs"
              variant="subtle"
              color="gray"
              leftSection={<IconRefresh size={14} aria-hidden />}
              onClick={single(() => void again(turn, lane.id, take.model))}
            >
              Ask again
            </Button>
            <Button
              size="compact-xs"
              variant="subtle"
              color="gray"
              leftSection={<IconSwitch2 size={14} aria-hidden />}
              onClick={others}
            >
              Try with…
            </Button>
          </>
        )}
        {takes.length > 1 && <Pager turn={turn.id} lane={lane.id} at={takes.indexOf(take)} of={takes.length} />}
      </Group>
      {trying && (
        <TryWith
          request={() => requestOf(turn, lane.id, take.model)}
          current={take.model}
          close={() => setTrying(false)}
          choose={(model) => void again(turn, lane.id, model)}
        />
      )}
    </article>
  );
}

function StepView(props: { turn: Turn; lane: string; take: Take; step: Step; others: () => void }) {
  const { turn, lane, take, step, others } = props;
  const { answer } = step;
  const last = lastStep(take) === step;
  return (
    <>
      {answer.reasoning && (
        <details className={classes.thought} open={last && step.state === "coming" && !answer.text}>
          <summary>{answer.text ? "What it thought" : "Thinking…"}</summary>
          <div>{answer.reasoning}</div>
        </details>
      )}
      {answer.text && (
        <Suspense fallback={<div className={classes.prose}>{answer.text}</div>}>
          <Prose text={answer.text} />
        </Suspense>
      )}
      {answer.refusal && <Text>It will not answer this: {answer.refusal}</Text>}
      <Pictures urls={answer.pictures} />
      {step.state === "coming" && !saysSomething(answer) && !answer.reasoning && (
        <Text className="quiet">Waiting for the first word…</Text>
      )}
      {answer.calls.length > 0 && (
        <Calls turn={turn} lane={lane} take={take} step={step} open={last && wantsResults(step)} />
      )}
      {step.consent && <ConsentAsk turn={turn} lane={lane} take={take} consent={step.consent} />}
      {step.problem && (step.state === "failed" || step.state === "waiting") && (
        <Trouble step={step} retry={() => void retry(turn, lane, take)} others={others} />
      )}
      {step.state === "stopped" && <Text className="quiet">You stopped it here.</Text>}
      <Receipt step={step} />
    </>
  );
}

function Pager({ turn, lane, at, of }: { turn: number; lane: string; at: number; of: number }) {
  return (
    <Group gap={2} ml="auto" wrap="nowrap">
      <Button
        size="compact-xs"
        variant="subtle"
        color="gray"
        aria-label="The answer before"
        disabled={at === 0}
        onClick={() => show(turn, lane, at - 1)}
      >
        <IconChevronLeft size={14} aria-hidden />
      </Button>
      <Text size="xs" className="quiet figures">
        {at + 1} of {of}
      </Text>
      <Button
        size="compact-xs"
        variant="subtle"
        color="gray"
        aria-label="The answer after"
        disabled={at === of - 1}
        onClick={() => show(turn, lane, at + 1)}
      >
        <IconChevronRight size={14} aria-hidden />
      </Button>
    </Group>
  );
}
