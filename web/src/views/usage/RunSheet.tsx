import { Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "react-router";
import { api, type Shape, told } from "../../api/client";
import { Money, Tokens, When } from "../../parts/Figures";
import { duration, exactMoney, money } from "../../parts/figures";
import { endOf } from "../../parts/RunList";
import { Sheet } from "../../parts/Sheet";
import { State } from "../../parts/State";
import { Answered } from "../../parts/States";
import classes from "./Usage.module.css";

type Try = Shape<"TryShape">;
type Opened = Shape<"OpenedShape">;

/** One run, opened to its tries. */
export function RunSheet({ search }: { search: string }) {
  const { run } = useParams();
  if (run === undefined) return null;
  return (
    <Sheet title="Run" back={`/usage/runs${search}`}>
      <Found id={run} />
    </Sheet>
  );
}

function Found({ id }: { id: string }) {
  const run = useQuery({
    queryKey: ["runs", "one", id],
    queryFn: () => told(api.GET("/api/byok/usage/runs/{run}", { params: { path: { run: id } } })),
  });
  return <Answered query={run}>{(opened) => <Shown opened={opened} />}</Answered>;
}

function Shown({ opened: { run, tries } }: { opened: Opened }) {
  const whole = Math.max(1, ...tries.map((one) => one.ended_ms ?? one.held_ms));
  const [tone, word] = endOf(run);
  return (
    <Stack>
      <div>
        <Text fz={24} fw={600}>
          <Money nanoUsd={run.priced ? run.cost_nano : null} />
        </Text>
        <Text className="quiet">
          {run.model} at {run.provider}, <When ms={run.started_at_ms} />
        </Text>
        <State tone={tone}>{word}</State>
      </div>
      <Title order={2}>{tries.length === 1 ? "One try" : `${tries.length} tries`}</Title>
      <ol className={classes.tries}>
        {tries.map((one) => (
          <li key={one.attempt}>
            <OneTry one={one} whole={whole} />
          </li>
        ))}
      </ol>
      <Text size="sm" className="quiet" style={{ overflowWrap: "anywhere" }}>
        {run.id}
      </Text>
    </Stack>
  );
}

function OneTry({ one, whole }: { one: Try; whole: number }) {
  const [tone, word] = endOf(one);
  const share = (ms: number) => `${(ms / whole) * 100}%`;
  const sent = one.sent_ms ?? one.held_ms;
  const first = one.first_token_ms ?? one.ended_ms ?? sent;
  const end = one.ended_ms ?? first;
  return (
    <article className="card" aria-label={`Try ${one.attempt}`}>
      <Text fw={600} style={{ overflowWrap: "anywhere" }}>
        {one.attempt}. {one.model} at {one.provider}
      </Text>
      {one.after && <Text size="sm">Asked since the try before it ended with “{one.after.replaceAll("_", " ")}”.</Text>}
      <State tone={tone}>{word}</State>
      <div className={classes.line} aria-hidden>
        <span className={classes.waited} style={{ marginLeft: share(sent), width: share(first - sent) }} />
        <span className={classes.told} style={{ width: share(end - first) }} />
      </div>
      <Table verticalSpacing={4} withRowBorders={false}>
        <Table.Tbody>
          <Row name="Held">{`${money(one.held_nano)} at ${duration(one.held_ms)}`}</Row>
          {one.sent_ms !== null && <Row name="Sent">{duration(one.sent_ms)}</Row>}
          {one.first_token_ms !== null && <Row name="First token">{duration(one.first_token_ms)}</Row>}
          {one.ended_ms !== null && <Row name="Ended">{duration(one.ended_ms)}</Row>}
          <Row name="Cost">
            {one.state === "released" ? (
              "Nothing was charged"
            ) : (
              <span title={exactMoney(one.cost_nano)}>
                {one.priced ? money(one.cost_nano) : "unknown"}
                {COUNTED[one.state] ?? ""}
              </span>
            )}
          </Row>
          <Row name="Tokens">
            {one.input_tokens === null ? (
              "not told"
            ) : (
              <>
                <Tokens count={one.input_tokens} /> in, <Tokens count={one.output_tokens ?? 0} /> out
                {one.cached_tokens ? `, ${one.cached_tokens} of them kept by the provider` : ""}
              </>
            )}
          </Row>
          {one.key && <Row name="Key">{one.key}</Row>}
          {one.status !== null && <Row name="Status">{String(one.status)}</Row>}
          {one.rates.map((rate) => (
            <Row key={rate.tier} name="Price">
              {`${money(rate.input)} in, ${money(rate.output)} out per 1M tokens (${rate.source}${rate.dated ? `, ${rate.dated}` : ""})`}
            </Row>
          ))}
        </Table.Tbody>
      </Table>
    </article>
  );
}

/** Who counted, where it was not the provider. */
const COUNTED: Record<string, string> = { counted: ", as Ownkey counted", assumed: ", assumed: nobody could count" };

function Row({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={400} className="quiet" w={96} px={0}>
        {name}
      </Table.Th>
      <Table.Td className="figures" px={0} style={{ overflowWrap: "anywhere" }}>
        {children}
      </Table.Td>
    </Table.Tr>
  );
}
