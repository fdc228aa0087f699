import { api, type Shape, told } from "./client";
import { Problem } from "./problem";

/** One request in the book, with all its tries. */
export interface Run extends Omit<Shape<"RunShape">, "tries"> {
  readonly tries: readonly Shape<"TryShape">[];
}

const LOOKS_MS = [0, 120, 300, 700, 1500, 3000];

/** A run once it is settled, which is a moment after its last word; null where the book has none: nothing was sent, or
 * the cache answered. Throws a `Problem` where the book does not answer. */
export async function settled(id: string): Promise<Run | null> {
  let found: Run | null = null;
  for (const wait of LOOKS_MS) {
    await new Promise((go) => setTimeout(go, wait));
    found = await read(id);
    if (found === null || found.state !== "held") return found;
  }
  return found;
}

async function read(id: string): Promise<Run | null> {
  try {
    const { run, tries } = await told(api.GET("/api/byok/usage/runs/{run}", { params: { path: { run: id } } }));
    return { ...run, tries };
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}
