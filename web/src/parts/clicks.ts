import type { MouseEvent } from "react";

/** The second click of a double one does nothing: by then the button may be another's. */
export function single(act: () => void): (event: MouseEvent) => void {
  return (event) => {
    if (event.detail > 1) event.preventDefault();
    else act();
  };
}
