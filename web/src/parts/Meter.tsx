import classes from "./Meter.module.css";

/** Spent, pending (hatched) and left of a limit. `said` is what a screen reader hears. */
export function Meter({
  spent,
  pending,
  limit,
  said,
}: {
  spent: number;
  pending: number;
  limit: number;
  said: string;
}) {
  const share = (part: number) => `${Math.max(0, Math.min(100, limit > 0 ? (part / limit) * 100 : 100))}%`;
  const full = limit > 0 && spent + pending >= limit * 0.8;
  return (
    // biome-ignore lint/a11y/useSemanticElements: the element of that name cannot show what is pending
    <div
      role="meter"
      aria-label={said}
      aria-valuenow={Math.min(spent + pending, limit)}
      aria-valuemin={0}
      aria-valuemax={limit}
      className={classes.meter}
      data-full={full || undefined}
    >
      <div className={classes.spent} style={{ width: share(spent) }} />
      <div className={classes.pending} style={{ width: share(pending) }} />
    </div>
  );
}
