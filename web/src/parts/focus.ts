import { useEffect, useState } from "react";

let last: EventTarget | null = null;
document.addEventListener("focusin", (event) => {
  last = event.target;
});

/** When what is open is gone, the focus is where it was before: Mantine gives it back only where that stays mounted. */
export function useFocusBack(): void {
  const [opener] = useState(openerNow);
  useEffect(() => () => giveBack(opener), [opener]);
}

/** What has the focus, or lost it as it was disabled while something was asked for; an entry of a menu goes with the
 * menu, whose button stays. */
function openerNow(): Element | null {
  const resting = isLost() && last instanceof Element && last.matches(":disabled");
  const found = resting ? (last as Element) : document.activeElement;
  const menu = found?.closest("[role=menu]");
  return menu ? document.getElementById(menu.getAttribute("aria-labelledby") ?? "") : found;
}

function giveBack(opener: Element | null): void {
  if (!isLost() || !(opener instanceof HTMLElement) || !opener.isConnected) return;
  if (!opener.matches(":disabled")) {
    opener.focus({ preventScroll: true });
    return;
  }
  const seen = new MutationObserver(() => {
    seen.disconnect();
    giveBack(opener);
  });
  seen.observe(opener, { attributeFilter: ["disabled"] });
}

function isLost(): boolean {
  return document.activeElement === null || document.activeElement === document.body;
}
