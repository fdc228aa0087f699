import { Badge, Group, Tooltip } from "@mantine/core";
import type { Ability, Model } from "../api/models";
import { exactMoney, money, tokens } from "./figures";

/** Abilities that one chooses by, as they are called on the page. */
export const ABILITIES: readonly { ability: Ability; word: string; says: string }[] = [
  { ability: "tools", word: "Functions", says: "Calls your functions" },
  { ability: "vision", word: "Vision", says: "Reads pictures" },
  { ability: "json", word: "JSON", says: "Answers as JSON of a given form" },
  { ability: "reasoning", word: "Reasoning", says: "Thinks before it answers" },
];

/** `$2.50 / $10.00`, `free`, or that nobody knows: per million tokens, in / out. */
export function priceText(model: Model): string {
  if (model.free) return "free";
  if (model.price === null) return "price unknown";
  const one = (nano: number | null) => (nano === null ? "?" : money(nano));
  return `${one(model.price.input)} / ${one(model.price.output)}`;
}

export function PricePer1M({ nanoUsd, model }: { nanoUsd: number | null | undefined; model: Model }) {
  if (model.free) return <span>free</span>;
  if (nanoUsd === null || nanoUsd === undefined) return <span className="quiet">unknown</span>;
  return <span title={exactMoney(nanoUsd)}>{money(nanoUsd)}</span>;
}

export function contextText(model: Model): string {
  return model.context === null ? "context unknown" : `${tokens(model.context)} context`;
}

export function Abilities({ does }: { does: readonly Ability[] }) {
  return (
    <Group gap={4} component="span">
      {ABILITIES.filter((one) => does.includes(one.ability)).map((one) => (
        <Tooltip key={one.ability} label={one.says}>
          <Badge variant="default" size="sm" tt="none" fw={500} radius={4} component="span">
            {one.word}
          </Badge>
        </Tooltip>
      ))}
    </Group>
  );
}
