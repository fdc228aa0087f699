import type { Problem } from "../../../src/api/problem.js";

export function Failed({ problem, again }: { problem: Problem; again?: () => void }) {
  return (
    <div className="ownkey-failed" role="alert">
      <p>{problem.said}</p>
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
