import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { api, type Shape, told } from "../../api/client";
import { ZONE } from "../../api/zone";
import { count, duration, money, moneyRange, plural, tokens } from "../../parts/figures";
import { Failed, Waiting } from "../../parts/States";

type Total = Shape<"TotalShape"> | null;

/** Today, this month, and what the month will come to. */
export function Sums() {
  const summary = useQuery({
    queryKey: ["usage", "summary"],
    queryFn: () => told(api.GET("/api/byok/usage/summary", { params: { query: { zone: ZONE } } })),
  });
  if (summary.isError) return <Failed error={summary.error} retry={() => void summary.refetch()} />;
  if (!summary.data) {
    return (
      <>
        {["today", "month", "outlook"].map((name) => (
          <div key={name} className="card">
            <Waiting rows={2} />
          </div>
        ))}
      </>
    );
  }
  const { today, month, projection, pending_nano, last_month } = summary.data;
  return (
    <>
      <Sum title="Today" amount={money(today?.cost_nano ?? 0)}>
        {used(today)}
      </Sum>
      <Sum title="This month" amount={money(month?.cost_nano ?? 0)}>
        {used(month)}
        {pending_nano > 0 && ` ${money(pending_nano)} more is held just now.`}
      </Sum>
      <Sum
        title="Outlook"
        amount={projection ? `You're on track for ${money(projection.expected)} this month` : "Not known yet"}
        small
      >
        {projection
          ? `Between ${moneyRange(projection.low, projection.high)} in 8 of 10 months, from ${projection.days} days.`
          : "After a few days of use it stands here."}
        {last_month && ` Last month: ${money(last_month.cost_nano)}.`}
      </Sum>
    </>
  );
}

function Sum({
  title,
  amount,
  small,
  children,
}: {
  title: string;
  amount: string;
  small?: boolean;
  children: ReactNode;
}) {
  return (
    <section className="card" aria-label={title}>
      <Text size="sm" className="quiet">
        {title}
      </Text>
      <Text fz={small ? 17 : 24} fw={600} lh={1.35} className="figures">
        {amount}
      </Text>
      <Text size="sm" className="quiet" mt={4}>
        {children}
      </Text>
    </section>
  );
}

function used(total: Total): string {
  if (total === null || total.calls === 0) return "Nothing was asked.";
  const failed = total.failed > 0 ? `, ${count(total.failed)} failed` : "";
  const speed = total.p50_ms ? ` Half of them took under ${duration(total.p50_ms)}.` : "";
  return `${plural(total.runs, "run", "runs")}, ${tokens(total.input_tokens + total.output_tokens)} tokens${failed}.${speed}`;
}
