import type { Icon } from "@tabler/icons-react";
import type { ComponentType } from "react";

/** One view: each folder of `views/` has an `entry.ts` that gives one as its default. */
export interface View {
  /** From the root, with `/*` where details have addresses of their own. */
  path: string;
  title: string;
  icon: Icon;
  /** Its place in the rail; without one it is not there. */
  rail?: number;
  /** Among the five at the bottom of a phone. */
  thumb?: boolean;
  /** Only for who keeps this Ownkey. */
  keepers?: boolean;
  /** Without rail, and for who has not signed in: welcome, sign-in. */
  bare?: boolean;
  /** Words by which it is found besides its title. */
  found?: readonly string[];
  load: () => Promise<{ default: ComponentType }>;
}

const entries = import.meta.glob<View>("../views/*/entry.ts", { eager: true, import: "default" });

export const VIEWS: readonly View[] = Object.values(entries).sort(
  (one, other) => (one.rail ?? 99) - (other.rail ?? 99),
);

export const RAIL = VIEWS.filter((view) => view.rail !== undefined);

/** Where a view begins: its path without what may follow. */
export function root(view: View): string {
  return view.path.replace(/\/\*$/, "");
}
