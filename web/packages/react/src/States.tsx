import type { Problem } from "../../../src/api/problem.js";

/** Commands stand between backticks; they are for whoever keeps Ownkey. */
export function plain(text: string): string {
  return text.replaceAll(/ [^.]*`--[^`]*`[^.]*\./g, "").replaceAll("`", "");
}

export function Failed({ problem, again }: { problem: Problem; again?: () => void }) {
  return (
    <div className="ownkey-failed" role="alert">
      <p>{plain(problem.said)}</p>
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Waiting({ what }: { what: string }) {
  return (
    <p className="ownkey-waiting" role="status">
      {what}
    </p>
  );
}
