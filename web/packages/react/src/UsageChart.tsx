import { useCallback, useId } from "react";
import { day, money } from "../../../src/parts/figures.js";
import { useAnswer } from "./answer.js";
import type { Client, Shape } from "./client.js";
import { Failed, Waiting } from "./States.js";

const DAY_MS = 86_400_000;
const WIDTH = 600;
const HEIGHT = 120;

/** `day` is midnight UTC of the date; `nano` in nano-USD. */
interface Spent {
  readonly day: number;
  readonly nano: number;
}

interface Usage {
  readonly days: readonly Spent[];
  /** Of this calendar month, in nano-USD. */
  readonly month: number;
}

/** What each of the last days cost: bars, and the same as a table. */
export function UsageChart({ days = 30 }: { days?: number }) {
  const load = useCallback((client: Client, signal: AbortSignal) => readUsage(client, days, signal), [days]);
  const usage = useAnswer(load);
  return (
    <section className="ownkey" aria-label="Usage">
      {usage.data ? (
        <Shown usage={usage.data} />
      ) : (
        usage.problem === null && <Waiting what="Adding up what was spent…" />
      )}
      {usage.problem && <Failed problem={usage.problem} again={usage.again} />}
    </section>
  );
}

function Shown({ usage: { days, month } }: { usage: Usage }) {
  const id = useId();
  const most = days.reduce((top, one) => (one.nano > top.nano ? one : top), { day: 0, nano: 0 });
  return (
    <>
      <p className="ownkey-sum">
        This month: <strong>{money(month)}</strong>
      </p>
      {most.nano === 0 ? (
        <p className="ownkey-quiet">Nothing was spent in the last {days.length} days.</p>
      ) : (
        <figure aria-labelledby={id}>
          <figcaption id={id} className="ownkey-quiet">
            The last {days.length} days; at most {money(most.nano)}, on {dated(most.day)}
          </figcaption>
          <Bars days={days} top={most.nano} />
          <details>
            <summary>As a table</summary>
            <table>
              <thead>
                <tr>
                  <th scope="col">Day</th>
                  <th scope="col">Spent</th>
                </tr>
              </thead>
              <tbody>
                {days.map((one) => (
                  <tr key={one.day}>
                    <th scope="row">{dated(one.day)}</th>
                    <td>{money(one.nano)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </details>
        </figure>
      )}
    </>
  );
}

function Bars({ days, top }: { days: readonly Spent[]; top: number }) {
  const step = WIDTH / days.length;
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true" className="ownkey-bars">
      {days.map((one, at) => {
        const height = one.nano === 0 ? 0 : Math.max(2, (one.nano / top) * (HEIGHT - 1));
        return (
          <rect key={one.day} x={at * step + step * 0.12} y={HEIGHT - height} width={step * 0.76} height={height}>
            <title>{`${dated(one.day)}: ${money(one.nano)}`}</title>
          </rect>
        );
      })}
    </svg>
  );
}

async function readUsage(client: Client, count: number, signal: AbortSignal): Promise<Usage> {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const asked = `zone=${encodeURIComponent(zone)}`;
  const [byDay, summary] = await Promise.all([
    client.get<Record<string, number>>(`/api/byok/usage/days?count=${count}&${asked}`, signal),
    client.get<Shape<"SummaryShape">>(`/api/byok/usage/summary?${asked}`, signal),
  ]);
  const now = new Date();
  const today = Date.UTC(now.getFullYear(), now.getMonth(), now.getDate());
  const days = Array.from({ length: count }, (_, back) => {
    const when = today - (count - 1 - back) * DAY_MS;
    return { day: when, nano: byDay[new Date(when).toISOString().slice(0, 10)] ?? 0 };
  });
  return { days, month: summary.month?.cost_nano ?? 0 };
}

/** Noon of that date here, for it is read as a time of this zone. */
function dated(utc: number): string {
  const when = new Date(utc);
  return day(new Date(when.getUTCFullYear(), when.getUTCMonth(), when.getUTCDate(), 12).getTime());
}
