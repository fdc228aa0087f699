import { Anchor, Text } from "@mantine/core";
import { Link } from "react-router";
import { useModels } from "../../api/models";
import { isQuote, type Quote } from "../../api/quote";
import { Money } from "../../parts/Figures";
import { tokens } from "../../parts/figures";
import classes from "./Chat.module.css";
import type { Price } from "./prices";
import { called, type Need } from "./talk";

const GUESS = "a usual answer";

/** What sending it would cost: as expected, and at most; for several models together, and each. */
export function PriceLine({
  prices,
  demo,
  running,
  needs,
}: {
  prices: readonly Price[] | null;
  demo: boolean;
  running: boolean;
  needs: readonly Need[];
}) {
  return (
    <div className={classes.price} role="status" aria-label="Price before sending">
      {prices === null ? (
        <span>
          {demo
            ? "free: the demo asks no model"
            : `What it will cost stands here ${running ? "once the answer has ended" : "as you type"}.`}
        </span>
      ) : prices.length > 1 ? (
        <Together prices={prices} needs={needs} />
      ) : (
        prices.map((price) => <One key={price.lane} price={price} needs={needs} />)
      )}
    </div>
  );
}

function Together({ prices, needs }: { prices: readonly Price[]; needs: readonly Need[] }) {
  const quotes = prices.flatMap((price) => ("quoted" in price && isQuote(price.quoted) ? [price.quoted] : []));
  const known = quotes.length === prices.length && quotes.every((one) => one.expected !== null);
  const sum = (of: (one: Quote) => number | null) => quotes.reduce((all, one) => all + (of(one) ?? 0), 0);
  return (
    <>
      {known && (
        <div>
          Together <Money nanoUsd={sum((one) => one.expected)} about />, <Money nanoUsd={sum((one) => one.most)} most />
        </div>
      )}
      {prices.map((price) => (
        <div key={price.lane}>
          {called(price.model)}: <One price={price} needs={needs} />
        </div>
      ))}
    </>
  );
}

function One({ price, needs }: { price: Price; needs: readonly Need[] }) {
  if ("problem" in price) return <InTheWay code={price.problem.code} says={price.problem.said} model={price.model} />;
  const { quoted } = price;
  if (!isQuote(quoted)) return <InTheWay code={quoted.error.code} says={quoted.error.message} model={price.model} />;
  return (
    <>
      <span>
        <Amount quoted={quoted} />
      </span>
      <Lacks model={price.model} needs={needs} />
      {quoted.budgets.map((one) => (
        <Budget key={one.budget} name={one.budget} how={one.how} asks={one.asks} most={one.answerTokens} />
      ))}
      {quoted.contextLeft === 0 && (
        <Text span c="var(--warn)">
          {" "}
          · more than {quoted.model} can read at once
        </Text>
      )}
    </>
  );
}

function Amount({ quoted }: { quoted: Quote }) {
  if (quoted.price?.source === "free") return "free";
  if (quoted.expected === null) return `Nobody knows what ${quoted.model} costs. You are asked before it is sent.`;
  const guesses = [
    ...(quoted.exact ? [] : ["the tokens in are estimated"]),
    ...(quoted.from === GUESS ? ["there are not yet five answers of this model to go by"] : []),
  ];
  return (
    <>
      <Money nanoUsd={quoted.expected} about />, <Money nanoUsd={quoted.most} most />
      {guesses.length > 0 && ` · a guess: ${guesses.join(", and ")}`}
    </>
  );
}

function Budget(props: { name: string; how: "whole" | "shorter" | "no"; asks: boolean; most: number | null }) {
  const { name, how, asks, most } = props;
  if (how === "whole") return null;
  const says =
    how === "shorter"
      ? `the budget ${name} pays for an answer of ${tokens(most ?? 0)} tokens at most`
      : `the budget ${name} does not have enough left: ${asks ? "you will be asked" : "this will be refused"}`;
  return (
    <Text span c="var(--warn)">
      {" "}
      · {says}
    </Text>
  );
}

const CANNOT: Record<Need, string> = {
  vision: "reads no pictures",
  tools: "calls no functions",
  json: "follows no schema",
};

/** Of a model about which nothing is known nothing is said. */
function Lacks({ model, needs }: { model: string; needs: readonly Need[] }) {
  const models = useModels();
  const does = models.data?.find((one) => one.target === model)?.does ?? [];
  const lacks = does.length === 0 ? [] : needs.filter((need) => !does.includes(need));
  if (lacks.length === 0) return null;
  return (
    <Text span c="var(--warn)">
      {" "}
      · as far as is known {model} {lacks.map((need) => CANNOT[need]).join(" and ")}
    </Text>
  );
}

function InTheWay({ code, says, model }: { code: string; says: string; model: string }) {
  return (
    <Text span c="var(--warn)">
      {says}
      {code === "key_missing" && (
        <>
          {" "}
          <Anchor
            component={Link}
            to={`/settings/byok/${encodeURIComponent(model.split("/")[0] ?? "")}`}
            inherit
            underline="always"
          >
            Add a key
          </Anchor>
        </>
      )}
    </Text>
  );
}
