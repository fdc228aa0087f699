import { Button, NumberInput, Slider, Stack, Switch, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Shape, told } from "../../api/client";
import { ZONE } from "../../api/zone";
import { useKeeper, usePerson } from "../../app/session";
import { PageHead } from "../../parts/PageHead";
import { Answered, Failed } from "../../parts/States";
import { Foot } from "./Foot";
import type { Frame } from "./Welcome";

type Budget = Shape<"BudgetShape">;

const FIRST_USD = 5;
const MOST_USD = 50;

export function Limit(frame: Frame) {
  const budgets = useQuery({ queryKey: ["budgets"], queryFn: () => told(api.GET("/api/byok/budgets")) });
  return (
    <>
      <PageHead
        title="A limit"
        says="$5 a month to begin with? A run that would go beyond it is stopped before anything is sent."
      />
      <Answered query={budgets}>{(found) => <Choose budgets={found.budgets} {...frame} />}</Answered>
    </>
  );
}

/** Whose budget this step makes: everybody’s where somebody keeps this Ownkey, else one’s own. */
function useName(): string {
  const person = usePerson();
  return useKeeper() ? "monthly limit" : `monthly limit of ${person.email || person.name}`.slice(0, 100);
}

function Choose({ budgets, go, back, busy }: Frame & { budgets: readonly Budget[] }) {
  const name = useName();
  const there = budgets.find((one) => one.name === name && one.unit === "usd");
  const queries = useQueryClient();
  const [usd, setUsd] = useState((there?.limit ?? FIRST_USD * 1e9) / 1e9);
  const [limited, setLimited] = useState(true);
  const saving = useMutation({
    mutationFn: async () => {
      if (limited) {
        const body = { limit: usd.toFixed(2), per: "month" as const, ...(!there && { zone: ZONE }) };
        await told(api.PUT("/api/byok/budgets/{budget}", { params: { path: { budget: there?.id ?? name } }, body }));
      } else if (there) {
        await told(api.DELETE("/api/byok/budgets/{budget}", { params: { path: { budget: there.id } } }));
      }
      await queries.invalidateQueries({ queryKey: ["budgets"] });
      go();
    },
  });
  const good = usd >= 0.01;
  return (
    <Stack gap="lg">
      <Switch
        label="Limit what is spent each month"
        checked={limited}
        onChange={(event) => setLimited(event.currentTarget.checked)}
      />
      {limited ? (
        <>
          <NumberInput
            label="Dollars a month"
            prefix="$"
            min={0.01}
            max={1_000_000}
            decimalScale={2}
            thousandSeparator=","
            w={200}
            value={usd}
            onChange={(value) => setUsd(Number(value) || 0)}
            error={good ? undefined : "A limit is at least $0.01."}
          />
          <Slider
            thumbLabel="Dollars a month, by sliding"
            min={1}
            max={MOST_USD}
            step={1}
            value={Math.min(MOST_USD, Math.max(1, usd))}
            onChange={setUsd}
            label={null}
            marks={[5, 10, 20, 50].map((value) => ({ value, label: `$${value}` }))}
            mb="lg"
          />
        </>
      ) : (
        <Text role="status">
          Without a limit nothing here stops a run for what it costs. Each price is still shown before, and what your
          provider limits itself still holds.
        </Text>
      )}
      {saving.isError && <Failed error={saving.error} compact />}
      <Foot back={back}>
        <Button variant="default" onClick={() => go()}>
          Skip
        </Button>
        <Button onClick={() => saving.mutate()} loading={busy || saving.isPending} disabled={limited && !good}>
          {limited ? "Set the limit" : "Go on without a limit"}
        </Button>
      </Foot>
    </Stack>
  );
}
