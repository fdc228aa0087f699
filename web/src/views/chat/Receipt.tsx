import { Tooltip } from "@mantine/core";
import { tokensSoFar } from "../../api/answer";
import { useModels } from "../../api/models";
import type { Run } from "../../api/run";
import { Money, Tokens } from "../../parts/Figures";
import { duration } from "../../parts/figures";
import classes from "./Chat.module.css";
import type { Step } from "./talk";
import { soFarNano } from "./told";

const DEMO = "demo";
/** Closer together than this they are one moment. */
const SAME_MS = 100;

/** What an answer costs, while it comes and afterwards; how many tokens, by whom, in what time. */
export function Receipt({ step }: { step: Step }) {
  const { answer, run } = step;
  if (step.state === "coming") return <Running step={step} />;
  if (!answer.by || !(step.state === "whole" || step.state === "stopped" || answer.text)) return null;
  const spent = run;
  const took = (step.endedMs ?? step.startedMs) - step.startedMs;
  const input = answer.usage?.input ?? spent?.input_tokens;
  const output = answer.usage?.output ?? spent?.output_tokens;
  return (
    <>
      {/* biome-ignore lint/a11y/useSemanticElements: no set of fields */}
      <div className={classes.receipt} role="group" aria-label="Cost of this answer">
        <strong>
          <Cost step={step} />
        </strong>
        {input != null && (
          <span>
            <Tokens count={input} /> in
          </span>
        )}
        {output != null && (
          <span>
            <Tokens count={output} /> out
          </span>
        )}
        <span>
          <Named provider={answer.by.provider} /> {answer.by.model}
        </span>
        <span className="figures">{duration(took)}</span>
        {step.firstMs !== null && took - (step.firstMs - step.startedMs) > SAME_MS && (
          <Tooltip label="From sending to the first word">
            <span className="figures">first word {duration(step.firstMs - step.startedMs)}</span>
          </Tooltip>
        )}
        {answer.finish === "length" && <span>cut at its longest</span>}
      </div>
      {answer.by.provider === DEMO && (
        <div className={classes.receipt}>This is the demo: no model was asked, and nothing was spent.</div>
      )}
      <Path step={step} run={run ?? null} />
      {answer.by.warning && <div className={classes.receipt}>{answer.by.warning}</div>}
    </>
  );
}

function Running({ step }: { step: Step }) {
  const soFar = soFarNano(step);
  const free = step.quote?.price?.source === "free";
  if (!step.answer.by && soFar === null) return null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: no set of fields
    <div className={classes.receipt} role="group" aria-label="Cost of this answer">
      {free ? (
        <strong>free</strong>
      ) : (
        soFar !== null && (
          <strong>
            <Money nanoUsd={soFar} about /> so far
          </strong>
        )
      )}
      <span>
        about <Tokens count={tokensSoFar(step.answer)} /> out
      </span>
    </div>
  );
}

function Cost({ step }: { step: Step }) {
  const { run, answer } = step;
  if (answer.by?.cachedS !== null && answer.by?.cachedS !== undefined) return "$0.00, from the cache";
  if (answer.by?.provider === DEMO) return "free";
  if (run === undefined) return "counting…";
  if (run === null) return "$0.00";
  if (!run.priced) return "cost unknown";
  if (run.cost_nano === 0 && step.quote?.price?.source === "free") return "free";
  return (
    <Money
      nanoUsd={run.cost_nano}
      about={run.state === "counted"}
      most={run.state === "assumed" || run.state === "held"}
    />
  );
}

/** Who did not answer, and who did; who began, and who went on. */
function Path({ step, run }: { step: Step; run: Run | null }) {
  const failed = (run?.tries ?? []).filter((one) => one.error !== null);
  const { by, carriedBy } = step.answer;
  const passedOver = by && !failed.length && carriedBy.length < 2 ? firstOf(step, `${by.provider}/${by.model}`) : null;
  if (passedOver) {
    return (
      <span className={classes.receipt}>
        {passedOver} was passed over: it failed lately, or cannot do this. {by?.provider}/{by?.model} answered.
      </span>
    );
  }
  if (!failed.length && carriedBy.length < 2) return null;
  return (
    <div className={classes.receipt}>
      {carriedBy.length > 1 ? (
        <span>
          Begun by {carriedBy[0]}, broken off there, and carried on by {carriedBy.slice(1).join(", then ")}.
        </span>
      ) : (
        failed.length > 0 && (
          <span>
            {failed.map((one) => `${one.provider}/${one.model} did not answer (${said(one.error)})`).join("; ")};{" "}
            {by?.provider}/{by?.model} did.
          </span>
        )
      )}
    </div>
  );
}

/** The model that was named, where it is not the one that answered. Routes and `auto` have no slash. */
function firstOf(step: Step, answered: string): string | null {
  const [first = ""] = step.request.model.split(",");
  return first.includes("/") && first !== answered ? first : null;
}

function said(code: string | null): string {
  return (code ?? "").replace(/^upstream_/, "").replaceAll("_", " ");
}

function Named({ provider }: { provider: string }) {
  const models = useModels();
  return models.data?.find((one) => one.provider === provider)?.providerName ?? provider;
}
