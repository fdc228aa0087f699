import { UnstyledButton } from "@mantine/core";
import { type At, NAMES, type Step } from "./steps";
import classes from "./Welcome.module.css";

/** The steps in a line: where somebody is, and back to where they were. */
export function Progress({ steps, at, go }: { steps: readonly Step[]; at: At; go: (to: Step) => void }) {
  const place = at === "demo" ? 0 : steps.indexOf(at);
  const here = steps[place];
  return (
    <nav aria-label="First steps">
      <ol className={classes.steps}>
        {steps.map((step, number) => (
          <li key={step} data-been={number <= place || undefined} aria-current={number === place ? "step" : undefined}>
            <span className={classes.bar} aria-hidden />
            {number < place ? (
              <UnstyledButton className={classes.name} onClick={() => go(step)}>
                {NAMES[step]}
              </UnstyledButton>
            ) : (
              <span className={classes.name}>{NAMES[step]}</span>
            )}
          </li>
        ))}
      </ol>
      {here && (
        <p className={classes.count} aria-hidden>
          Step {place + 1} of {steps.length}: {NAMES[here]}
        </p>
      )}
    </nav>
  );
}
